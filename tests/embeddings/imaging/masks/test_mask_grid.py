"""A mask on any grid is resampled to that of its CT: without loss where voxels coincide, else by nearest neighbours."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.imaging.images import ImageError, read_image, read_mask, read_noted_mask
from flexict.volume import Volume
from tests.embeddings.dicom_files import DIRECTIONS, OBLIQUE, blob, grid_of

SPACING, ORIGIN = (0.7, 0.9, 2.5), (-31.4, 12.7, -205.5)


def write(path: Path, mask: Volume) -> Path:
    sitk.WriteImage(Volume(mask.array.astype(np.uint8), mask.spacing, mask.origin, mask.direction).to_sitk(), str(path))
    return path


def on(grid: Volume, array: np.ndarray) -> Volume:
    return Volume(array, grid.spacing, grid.origin, grid.direction)


def turned(mask: Volume, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Volume:
    """The same voxels at the same places, with the index axes x, y, z in another order, some of them reversed."""
    image = sitk.PermuteAxes(mask.to_sitk(), order)
    return Volume.from_sitk(sitk.Flip(image, flips))


@pytest.mark.parametrize("direction", list(DIRECTIONS))
@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
def test_axes_in_any_order_and_direction_lose_nothing(tmp_path: Path, direction: str, ending: str) -> None:
    grid = grid_of(direction=DIRECTIONS[direction])
    drawn = blob(grid.shape)
    for number, (order, flips) in enumerate(product(permutations(range(3)), product((False, True), repeat=3))):
        if ending != "mha" and number % 5:
            continue  # the reader differs, not what is tested
        other = turned(on(grid, drawn.astype(np.uint8)), order, flips)
        mask, notes = read_noted_mask(write(tmp_path / f"m.{ending}", other), grid)
        np.testing.assert_array_equal(mask.array, drawn)
        assert mask.same_grid(grid)
        assert notes == ()


@pytest.mark.parametrize(("off_mm", "noted"), [(0.01, False), (0.045, False), (0.06, True), (0.069, True)])
def test_an_origin_rounded_by_less_than_a_tenth_of_a_voxel_is_taken_as_rounded(
    tmp_path: Path, off_mm: float, noted: bool
) -> None:
    grid = grid_of()
    drawn = blob(grid.shape).astype(np.uint8)
    x, y, z = grid.origin
    moved = Volume(drawn, grid.spacing, (x - off_mm, y, z), grid.direction)
    mask, notes = read_noted_mask(write(tmp_path / "m.mha", moved), grid)
    np.testing.assert_array_equal(mask.array, drawn)
    assert bool(notes) == noted
    if noted:
        assert notes == (f"the mask is {off_mm:.2g} mm off the voxels of its CT, which is treated as rounding error",)


def test_a_mask_that_covers_a_part_of_its_ct_lies_where_it_was_drawn(tmp_path: Path) -> None:
    grid = grid_of(direction=OBLIQUE)
    part = blob((3, 5, 4))
    place = grid.lps_of((2.0, 6.0, 1.0))
    cropped = Volume(part, grid.spacing, (place[0], place[1], place[2]), grid.direction)
    expected = np.zeros(grid.shape, bool)
    expected[2:5, 6:11, 1:5] = part
    mask, notes = read_noted_mask(write(tmp_path / "m.nrrd", cropped), grid)
    np.testing.assert_array_equal(mask.array, expected)
    assert notes == ()


def test_voxels_outside_the_ct_are_left_out_and_counted(tmp_path: Path) -> None:
    grid = grid_of()
    part = np.ones((4, 5, 6), np.uint8)
    place = grid.lps_of((-2.0, 0.0, 0.0))
    wide = Volume(part, grid.spacing, (place[0], place[1], place[2]), grid.direction)
    mask, notes = read_noted_mask(write(tmp_path / "m.mha", wide), grid)
    assert mask.array.sum() == mask.array[:2, :5, :6].sum() == 60
    assert notes == ("60 voxels of the mask lie outside the CT: left out",)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_on_another_grid_each_voxel_of_the_ct_takes_its_nearest_as_in_simpleitk(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    angles = data.draw(st.tuples(*[st.floats(-3, 3)] * 3))
    turn = np.array(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix()).reshape(3, 3)
    spacing = data.draw(st.tuples(*[st.floats(0.4, 4)] * 3))
    shift = data.draw(st.tuples(*[st.floats(-4, 4)] * 3))
    grid = grid_of()
    middle = grid.lps_of((np.array(grid.shape) - 1) / 2)
    shape = (8, 10, 9)
    centred = Volume(np.zeros(shape, np.uint8), spacing, (0.0, 0.0, 0.0), turn)
    start = middle + np.array(shift) - centred.lps_of((np.array(shape) - 1) / 2)
    own = Volume(blob(shape).astype(np.uint8), spacing, (start[0], start[1], start[2]), turn)
    path = write(tmp_path_factory.mktemp("masks") / "m.mha", own)
    asked = sitk.Resample(own.to_sitk(), grid.to_sitk(), sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    expected = sitk.GetArrayFromImage(asked)
    if not expected.any():  # a mask of that place may still touch a voxel by rounding half-way, or none
        with pytest.raises(ImageError, match=r"outside its CT|no voxel of its CT"):
            read_mask(path, grid)
        return
    mask, notes = read_noted_mask(path, grid)
    index = own.index_of(grid.lps_of(np.moveaxis(np.indices(grid.shape), 0, -1).astype(float)))
    clear = (np.abs(index - np.floor(index) - 0.5) > 1e-6).all(axis=-1)  # not half-way between two voxels
    np.testing.assert_array_equal(mask.array[clear], expected[clear])
    assert len(notes) == 1


def test_a_resampled_mask_is_noted_with_both_spacings(tmp_path: Path) -> None:
    ct = Volume(np.zeros((40, 50, 60), np.int16), (0.8, 0.8, 1.25), (-20.0, -20.0, -25.0), np.eye(3))
    z, y, x = np.mgrid[:20, :40, :48].astype(float)
    ball = ((z - 10) * 2.5) ** 2 + (y - 20) ** 2 + (x - 24) ** 2 <= 12**2
    coarse = Volume(ball, (1.0, 1.0, 2.5), (-20.0, -20.0, -25.0), np.eye(3))
    mask, notes = read_noted_mask(write(tmp_path / "m.nii.gz", coarse), ct)
    assert mask.array.sum() * mask.voxel_ml == pytest.approx(ball.sum() * coarse.voxel_ml, rel=0.03)
    assert "48 x 40 x 20 voxels of 1 x 1 x 2.5 mm against 60 x 50 x 40 voxels of 0.8 x 0.8 x 1.25 mm" in notes[0]


def test_a_mask_outside_its_ct_is_refused_with_both_positions(tmp_path: Path) -> None:
    grid = grid_of()
    x, y, z = grid.origin
    beside = Volume(blob(grid.shape), grid.spacing, (x + 50, y, z), grid.direction)
    with pytest.raises(
        ImageError, match=r"lies outside its CT \(.* from 18\.6 / 12\.7 / -205\.5 against .* from -31\.4"
    ):
        read_mask(write(tmp_path / "m.mha", beside), grid)
    drawn = np.zeros(grid.shape, bool)
    drawn[0] = True
    above = Volume(drawn, grid.spacing, (x, y, z - 2.5), grid.direction)  # the grids overlap, the lesion does not
    with pytest.raises(ImageError, match="marks no voxel of its CT"):
        read_mask(write(tmp_path / "m.mha", above), grid)


def test_a_real_mask_with_its_axes_turned_or_resampled_keeps_the_tumour(real_ct: Path, tmp_path: Path) -> None:
    folder = real_ct / "nsclc_radiogenomics"
    if not (folder / "NSCLC-000_ct.nii.gz").is_file():
        pytest.skip(f"no scans in {folder}")
    ct = read_image(folder / "NSCLC-000_ct.nii.gz")
    mask = read_mask(folder / "NSCLC-000_gtv.nii.gz", ct)
    other = turned(mask, (2, 0, 1), (True, False, True))
    np.testing.assert_array_equal(read_mask(write(tmp_path / "m.nii.gz", other), ct).array, mask.array)
    fine = sitk.Expand(mask.to_sitk(), (2, 2, 2), sitk.sitkNearestNeighbor)
    sitk.WriteImage(fine, str(tmp_path / "fine.nii.gz"))
    found, notes = read_noted_mask(tmp_path / "fine.nii.gz", ct)
    np.testing.assert_array_equal(found.array, mask.array)
    assert "another grid" in notes[0]
