"""Where a preset's input lies: held against the voxels that the preset cuts out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from flexict.presets import presets
from flexict.presets.crop import Crop
from flexict.presets.preprocess import Scan, clipped_statistics, resample
from flexict.volume import Volume

SHAPE = (40, 60, 72)
SPACING = (1.4, 1.1, 2.6)
AXES = {
    "LPS": np.eye(3),
    "RAS, z first": np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]),
    "oblique": Rotation.from_euler("zyx", [11, -7, 9], degrees=True).as_matrix(),
}


def ramp(direction: np.ndarray, along: int) -> Volume:
    """A scan whose HU are five times its LPS coordinate along one axis, in mm from the middle."""
    empty = Volume(np.zeros(SHAPE), SPACING, (0.0, 0.0, 0.0), direction)
    middle = empty.lps_of(tuple((n - 1) / 2 for n in SHAPE))
    origin = tuple(-middle)
    points = Volume(empty.array, SPACING, origin, direction).lps_of(np.moveaxis(np.indices(SHAPE), 0, -1).astype(float))
    return Volume((5.0 * points[..., along]).astype(np.float32), SPACING, origin, direction)


def lesion(like: Volume) -> Volume:
    """A box off the middle, longest along the array's x."""
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[18:22, 25:37, 30:46] = 1
    return Volume(mask, like.spacing, like.origin, like.direction)


def in_hu(pixels: np.ndarray, statistics: tuple[float, float]) -> np.ndarray:
    mean, std = statistics
    return pixels * std + mean


CASES = ("default", "local_path", "lesion_seed", "lesion_mask", "slice")


def crop_of(preset: str, scan: Scan, mask: Volume) -> Crop:
    seed = tuple(float(v) for v in scan.volume.lps_of((19.3, 30.2, 37.7)))
    if preset == "lesion_seed":
        return presets.lesion_seed(scan, seed, 24.0)
    if preset == "lesion_mask":
        return presets.lesion_mask(scan, mask, 1.5)
    if preset == "slice":
        return presets.axial_slice(scan, scan.n_slices // 2)
    return presets.default(scan) if preset == "default" else presets.local_path(scan)


@pytest.mark.parametrize("along", [0, 1, 2])
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("preset", CASES)
def test_every_voxel_of_an_input_lies_where_the_scan_has_its_value(preset: str, axes: str, along: int) -> None:
    volume = ramp(AXES[axes], along)
    scan = Scan(volume)
    crop = crop_of(preset, scan, lesion(volume))
    where = crop.placement
    pixels = crop.voxels().reshape(1, 512, 512) if preset == "slice" else crop.voxels()
    assert where.shape == pixels.shape
    whole = preset in ("default", "local_path")
    statistics = clipped_statistics(sitk_2mm(scan)) if whole or preset == "lesion_mask" else scan.statistics
    found = in_hu(pixels, statistics)
    places = where.lps_of(np.moveaxis(np.indices(where.shape), 0, -1).astype(float))
    # A ramp survives every linear interpolation, except where the scan or the crop ends and its last value is repeated.
    index = volume.index_of(places)
    inside = ((index > 2) & (index < np.array(SHAPE) - 3)).all(axis=-1)
    rim = np.zeros(where.shape, dtype=bool)
    rim[4 if where.shape[0] > 1 else 0 : -4 if where.shape[0] > 1 else None, 4:-4, 4:-4] = True
    inside &= rim
    assert inside.sum() > 1000
    assert np.abs(found - 5.0 * places[..., along])[inside].max() < 0.5  # A tenth of a millimetre.


def sitk_2mm(scan: Scan) -> np.ndarray:
    import SimpleITK as sitk

    return sitk.GetArrayFromImage(resample(scan.oriented, 2.0, pixel_type=sitk.sitkFloat32))


@pytest.mark.parametrize("axes", AXES)
def test_the_box_of_a_seed_is_a_cube_of_its_side_round_it(axes: str) -> None:
    volume = ramp(AXES[axes], 0)
    seed = tuple(float(v) for v in volume.lps_of((19.3, 30.2, 37.7)))
    where = presets.lesion_seed(Scan(volume), seed, 24.0).placement
    assert where.box_mm == pytest.approx((24, 24, 24))
    middle = np.array(where.box_corner) + where.direction @ (np.array(where.box_mm) / 2)
    # The crop starts on a whole step of the 1 mm grid.
    assert np.abs(where.direction.T @ (middle - seed)).max() <= 1.0


@pytest.mark.parametrize("axes", AXES)
def test_the_box_of_a_mask_contains_the_lesion_and_half_as_much_again(axes: str) -> None:
    volume = ramp(AXES[axes], 0)
    mask = lesion(volume)
    where = presets.lesion_mask(Scan(volume), mask, 1.5).placement
    drawn = mask.lps_of(np.argwhere(mask.array).astype(float))
    along = (drawn - np.array(where.box_corner)) @ where.direction
    assert along.min() > 0
    assert (along.max(axis=0) < np.array(where.box_mm)).all()
    longest = np.ptp(along, axis=0).max()
    assert 1.4 * longest < max(where.box_mm) < 1.5 * (longest + 6)


def test_the_box_of_a_lesion_at_the_edge_ends_where_the_scan_does() -> None:
    volume = ramp(np.eye(3), 0)
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[0:3, 25:37, 60:72] = 1
    mask = Volume(array, volume.spacing, volume.origin, volume.direction)
    where = presets.lesion_mask(Scan(volume), mask, 2.0).placement
    assert where.box_corner[2] == pytest.approx(volume.origin[2] - 1.0)  # Half a 2 mm voxel below the first slice.
    assert where.box_mm[2] < where.box_mm[1]


def test_the_box_of_a_small_scan_includes_the_padding() -> None:
    where = presets.default(Scan(ramp(np.eye(3), 0))).placement
    assert where.box_mm == (320.0, 320.0, 320.0)
