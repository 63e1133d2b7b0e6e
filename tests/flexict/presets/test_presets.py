"""The five presets, held against what the published scripts make of real CTs, and their geometry."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from flexict import PreprocessError, Volume
from flexict.presets import presets
from flexict.presets.preprocess import Scan, slice_range
from flexict.presets.presets import Subject


def read(path: Path) -> Volume:
    return Volume.from_sitk(sitk.ReadImage(str(path)))


@pytest.fixture(scope="module")
def expected(parity: Path) -> dict[str, np.ndarray]:
    return load_file(parity / "preprocess.safetensors")


@pytest.fixture(scope="module")
def facts(parity: Path) -> dict:
    return json.loads((parity / "preprocess.json").read_text(encoding="utf-8"))


def correlation(got: np.ndarray, kept: np.ndarray) -> float:
    return float(np.corrcoef(got[4::8, 4::8, 4::8].ravel(), kept.ravel())[0, 1])


@pytest.mark.parametrize("case", ["example_ct", "LUNG1-001"])
def test_default_agrees_with_the_published_script(
    case: str, expected: dict[str, np.ndarray], facts: dict, real_ct: Path
) -> None:
    file = real_ct / "whole_volume" / ("example_ct.nii.gz" if case == "example_ct" else f"{case}_CT_2mm.nii.gz")
    got = presets.default(read(file)).voxels()
    assert list(got.shape) == facts[f"default_{case}"]["shape"]
    assert correlation(got, expected[f"default_{case}"]) > 0.999
    assert got.mean() == pytest.approx(facts[f"default_{case}"]["mean"], abs=2e-3)
    assert got.min() == pytest.approx(facts[f"default_{case}"]["min"], abs=5e-3)


@pytest.mark.parametrize("scale", [1.5, 2.0])
def test_lesion_mask_agrees_with_the_published_script(
    scale: float, expected: dict[str, np.ndarray], real_ct: Path
) -> None:
    folder = real_ct / "sarcoma"
    got = presets.lesion_mask(read(folder / "STS_002_CT.nii.gz"), read(folder / "STS_002_GTV.nii.gz"), scale).voxels()
    assert correlation(got, expected[f"lesion_mask_STS_002_x{scale}"]) > 0.999


def test_lesion_seed_agrees_with_the_published_script(
    expected: dict[str, np.ndarray], facts: dict, real_ct: Path
) -> None:
    volume = read(real_ct / "sarcoma" / "STS_002_CT.nii.gz")
    seed = tuple(facts["lesion_mask_STS_002"]["centroid_lps_mm"])
    assert correlation(presets.lesion_seed(volume, seed, 64.0).voxels(), expected["lesion_seed_STS_002_64mm"]) > 0.95
    near = presets.lesion_seed(volume, seed, 32.0).voxels()
    assert near.mean() == pytest.approx(facts["lesion_seed_STS_002_32mm"]["mean"], abs=0.01)


def ramp(direction: np.ndarray, shape: tuple[int, int, int] = (30, 40, 50)) -> Volume:
    """A volume whose HU is 10 times the LPS x coordinate in mm, on a grid of the given direction."""
    grid = Volume(np.zeros(shape, np.float32), (2.0, 2.0, 2.0), (-40.0, 10.0, 5.0), direction)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return Volume((10 * grid.lps_of(index)[..., 0]).astype(np.float32), grid.spacing, grid.origin, direction)


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1)])
def test_every_preset_puts_the_patient_left_at_the_end_of_x(flips: tuple[int, int, int]) -> None:
    volume = ramp(np.diag(np.array(flips, dtype=float)))
    centre = tuple(volume.lps_of((15.0, 20.0, 25.0)))
    mask = Volume(np.zeros(volume.shape, np.uint8), volume.spacing, volume.origin, volume.direction)
    mask.array[10:20, 15:25, 20:30] = 1
    crops = [
        presets.default(volume).voxels()[80, 80, 60:100],
        presets.local_path(volume).voxels()[80, 80, 20:140],
        presets.lesion_seed(volume, centre, 32.0).voxels()[80, 80],
        presets.lesion_mask(volume, mask, 1.5).voxels()[80, 80],
        presets.axial_slice(volume, 0).voxels()[256],
    ]
    for line in crops:
        steps = np.diff(line)
        assert steps.min() > -1e-4
        assert line[-1] > line[0]


@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(*[st.integers(2, 40)] * 3),
    spacing=st.tuples(*[st.floats(0.5, 5.0)] * 3),
    level=st.integers(-1500, 1500),
)
def test_any_grid_gives_a_finite_cube(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], level: int
) -> None:
    generator = np.random.default_rng(abs(level))
    array = (level + 50 * generator.standard_normal(shape)).astype(np.float32)
    cube = presets.default(Volume(array, spacing, (0.0, 0.0, 0.0), np.eye(3))).voxels()
    assert cube.shape == (160, 160, 160)
    assert cube.dtype == np.float32
    assert np.isfinite(cube).all()


def test_a_flat_volume_is_only_centred() -> None:
    flat = Volume(np.full((20, 20, 20), 40, np.int16), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
    assert np.abs(presets.default(flat).voxels()).max() == 0.0


def test_a_crop_that_leaves_the_volume_is_zero_there() -> None:
    volume = ramp(np.eye(3))
    corner = tuple(volume.lps_of((0.0, 0.0, 0.0)))
    crop = presets.lesion_seed(volume, corner, 64.0).voxels()
    assert np.all(crop[:70, :70, :70] == 0.0)
    assert np.any(crop[90:, 90:, 90:] != 0.0)


@settings(max_examples=15, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(0.6, 4.0)] * 3),
    place=st.tuples(*[st.floats(0.0, 0.95)] * 3),
    side=st.sampled_from([16, 33, 64]),
    turn=st.sampled_from(["identity", "mirrored", "oblique"]),
)
def test_a_seed_crop_is_the_crop_of_the_whole_scan_at_1_mm(
    spacing: tuple[float, float, float], place: tuple[float, float, float], side: int, turn: str
) -> None:
    generator = np.random.default_rng(0)
    angle = np.deg2rad(20)
    oblique = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    direction = {"identity": np.eye(3), "mirrored": np.diag([-1.0, -1.0, 1.0]), "oblique": oblique}[turn]
    volume = Volume(generator.normal(0, 300, (14, 17, 20)).astype(np.float32), spacing, (5.0, -70.0, 30.0), direction)
    seed = tuple(float(v) for v in volume.lps_of(np.array(place) * (np.array(volume.shape) - 1)))

    hu = np.clip(volume.array, -1000, 1000)
    scores = Volume((hu - hu.mean()) / hu.std(ddof=1), spacing, volume.origin, direction)
    image = sitk.DICOMOrient(scores.to_sitk(), "LPS")
    size = [max(1, round(n * s)) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    grid = (image.GetOrigin(), (1.0, 1.0, 1.0), image.GetDirection())
    whole = sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, *grid, 0.0)
    centre = whole.TransformPhysicalPointToContinuousIndex(seed)[::-1]
    padded = np.pad(sitk.GetArrayFromImage(whole), side)
    box = tuple(slice(round(c) - side // 2 + side, round(c) - side // 2 + 2 * side) for c in centre)
    cube = torch.from_numpy(np.ascontiguousarray(padded[box]))[None, None].float()
    expected = torch.nn.functional.interpolate(cube, size=(160,) * 3, mode="trilinear", align_corners=False)[0, 0]

    np.testing.assert_allclose(presets.lesion_seed(volume, seed, float(side)).voxels(), expected.numpy(), atol=1e-3)


def test_local_path_keeps_anatomy_that_the_default_crop_cuts_off() -> None:
    array = np.full((20, 20, 220), -1000, np.int16)
    array[:, :, :10] = 500
    wide = Volume(array, (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), np.eye(3))
    assert np.ptp(presets.default(wide).voxels()) == 0.0
    kept = presets.local_path(wide).voxels()
    bright = np.argwhere(kept > kept.max() - 0.1)
    assert bright[:, 2].max() == pytest.approx(10 / 220 * 160, abs=1.5)
    assert np.ptp(bright[:, 0]) + 1 == pytest.approx(20 / 220 * 160, abs=2)


def test_slices_carry_their_index_and_height() -> None:
    volume = ramp(np.diag([1.0, 1.0, -1.0]))
    scan = Scan(volume)
    indices = slice_range(scan.n_slices, step=10)
    assert list(indices) == [4, 14, 24]
    lowest = volume.origin[2] - 2.0 * (volume.shape[0] - 1)
    assert [scan.slice_height_mm(i) for i in indices] == pytest.approx([lowest + 2.0 * i for i in (4, 14, 24)])
    assert presets.axial_slice(scan, 4).voxels().shape == (512, 512)


def test_a_non_square_slice_is_padded_with_air() -> None:
    array = np.full((3, 20, 40), 50, np.int16)
    array[:, ::2] = 0
    volume = Volume(array, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
    pixels = presets.axial_slice(volume, 0).voxels()
    assert pixels[5, 256] == pytest.approx((-1000 - array.mean()) / array.std(ddof=1), rel=1e-4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda v, m: presets.lesion_seed(v, (900.0, 0.0, 0.0)), "outside the scan"),
        (lambda v, m: presets.lesion_seed(v, (0.0, 20.0, 20.0), 1.0), "use 4 to 512 mm"),
        (lambda v, m: presets.lesion_seed(v, (0.0, 20.0, 20.0), 9e9), "use 4 to 512 mm"),
        (lambda v, m: presets.lesion_mask(v, m), "no voxels"),
        (lambda v, m: presets.lesion_mask(v, ramp(np.eye(3), (5, 5, 5))), "not that of the scan"),
        (lambda v, m: presets.lesion_mask(v, m, 0.0), "above 0"),
        (lambda v, m: slice_range(30, 0), "1 or more"),
    ],
)
def test_input_that_a_preset_cannot_use_is_named(call, words: str) -> None:
    volume = ramp(np.eye(3))
    empty = Volume(np.zeros(volume.shape, np.uint8), volume.spacing, volume.origin, volume.direction)
    with pytest.raises(PreprocessError, match=words):
        call(volume, empty)


def test_nan_voxels_are_refused() -> None:
    volume = ramp(np.eye(3))
    volume.array[3, 3, 3] = np.nan
    with pytest.raises(PreprocessError, match="NaN"):
        presets.default(volume).voxels()


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("lesion_mask@1.5", "no lesion mask"),
        ("lesion_seed@64mm", "no seed and no lesion mask"),
        ("slice", "index of a slice"),
        ("as the encoder gives it", "not known here"),
    ],
)
def test_what_an_item_lacks_for_a_preset_is_named(label: str, words: str) -> None:
    with pytest.raises(PreprocessError, match=words):
        presets.crop_of(label, Subject(Scan(ramp(np.eye(3)))))


def test_a_label_gives_the_crop_of_its_preset() -> None:
    volume = ramp(np.eye(3))
    centre = tuple(float(v) for v in volume.lps_of((15.0, 20.0, 25.0)))
    for name, preset in presets.PRESETS.items():
        label = preset.label(1.5 if name == "lesion_mask" else 48.0)
        assert presets.read_label(label) == (preset, {"lesion_mask": 1.5, "lesion_seed": 48.0}.get(name, 0.0))
    crop = presets.crop_of("lesion_seed@48mm", Subject(Scan(volume), centre_lps=centre))
    np.testing.assert_array_equal(crop.voxels(), presets.lesion_seed(volume, centre, 48.0).voxels())
