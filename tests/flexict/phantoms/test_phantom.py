"""A phantom is a chest CT in LPS, and its truth is what its voxels say."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from flexict.errors import FlexiCTError
from flexict.phantoms import SCANNERS, Phantom, Scanner, chest_phantom
from flexict.volume import Volume

QUIET = Scanner("quiet", "soft", slice_thickness_mm=2.0, noise_hu=1.0, hu_offset=0.0)


@pytest.fixture(scope="module", params=[3, 4])
def healthy(request: pytest.FixtureRequest) -> Phantom:
    return chest_phantom(request.param, lesion=False, scanner=QUIET, spacing_mm=4.0)


def hu_at(ct: Volume, lps: tuple[float, float, float], half_mm: float = 8.0) -> float:
    """Median HU of a cube round an LPS point."""
    middle = ct.index_of(lps)
    half = half_mm / np.asarray(ct.spacing)[::-1]
    low, high = np.floor(middle - half).astype(int), np.ceil(middle + half).astype(int) + 1
    return float(np.median(ct.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]))


def test_same_seed_gives_the_same_voxels() -> None:
    first, again, other = (chest_phantom(seed, severity=0.5, spacing_mm=5.0) for seed in (11, 11, 12))
    np.testing.assert_array_equal(first.ct.array, again.ct.array)
    np.testing.assert_array_equal(first.mask.array, again.mask.array)
    assert first.truth == again.truth
    assert not np.array_equal(first.ct.array, other.ct.array)


def test_grid_has_the_requested_field_and_spacing() -> None:
    phantom = chest_phantom(1, spacing_mm=4.0, field_mm=(320.0, 260.0, 240.0))
    assert phantom.ct.shape == (60, 65, 80)
    assert phantom.ct.spacing == (4.0, 4.0, 4.0)
    assert phantom.ct.array.dtype == np.int16
    assert phantom.mask.array.dtype == np.uint8
    assert phantom.ct.same_grid(phantom.mask)


def test_liver_lies_on_the_patients_right_and_gastric_air_on_the_left(healthy: Phantom) -> None:
    assert 30 < hu_at(healthy.ct, (-60.0, 0.0, -92.0)) < 140
    left = healthy.ct.array[:, :, healthy.ct.shape[2] // 2 :]
    right = healthy.ct.array[:, :, : healthy.ct.shape[2] // 2]
    top = int(healthy.ct.index_of((0.0, 0.0, -80.0))[0])
    front = int(healthy.ct.index_of((0.0, -28.0, 0.0))[1])
    back = int(healthy.ct.index_of((0.0, -46.0, 0.0))[1])
    gas = [(half[top - 2 : top, back:front, 8:-8] < -600).sum() for half in (left, right)]
    assert gas[0] > 20
    assert gas[1] < 0.2 * gas[0]


def test_spine_is_behind_sternum_in_front_and_trachea_above(healthy: Phantom) -> None:
    bone = np.argwhere(healthy.ct.array > 160)
    lps = healthy.ct.lps_of(bone.astype(float))
    central = lps[(np.abs(lps[:, 0]) < 25) & (lps[:, 2] < 40)]
    behind, before = central[central[:, 1] > 30], central[central[:, 1] < -40]
    assert len(behind) > 5 * len(before) > 0
    assert hu_at(healthy.ct, (0.0, 4.0, 80.0), half_mm=2.0) < -600
    assert hu_at(healthy.ct, (0.0, 4.0, -60.0), half_mm=6.0) > -150


def test_right_lung_is_larger_because_the_heart_lies_left(healthy: Phantom) -> None:
    ct = healthy.ct
    lung = (ct.array < -500) & ~outside_air(ct.array)
    x = ct.lps_of(np.argwhere(lung).astype(float))[:, 0]
    right_ml, left_ml = (x < 0).sum() * ct.voxel_ml, (x > 0).sum() * ct.voxel_ml
    assert 900 < left_ml < right_ml < 3500


def test_tissues_have_realistic_hu(healthy: Phantom) -> None:
    ct = healthy.ct
    outside = outside_air(ct.array)
    assert np.median(ct.array[outside]) == pytest.approx(-1000, abs=5)
    lung = ndimage.binary_erosion((ct.array < -500) & ~outside, iterations=2)
    assert -910 < np.median(ct.array[lung]) < -780
    body = ~outside & (ct.array > -150)
    fat = body & (ct.array < -60)
    assert 0.05 < fat.sum() / body.sum() < 0.7
    assert np.percentile(ct.array, 99.9) > 250


def outside_air(array: np.ndarray) -> np.ndarray:
    """Air that touches a lateral border of the field."""
    labels, _ = ndimage.label(array < -500)
    edges = np.unique(np.concatenate([labels[:, 0, :].ravel(), labels[:, :, 0].ravel(), labels[:, :, -1].ravel()]))
    return np.isin(labels, edges[edges > 0])


@pytest.mark.parametrize(("seed", "severity"), [(1, 0.1), (2, 0.5), (3, 0.9)])
def test_truth_agrees_with_the_mask(seed: int, severity: float) -> None:
    phantom = chest_phantom(seed, severity=severity, scanner=SCANNERS["A"], spacing_mm=2.5)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(phantom.mask.to_sitk())
    truth = phantom.truth
    assert truth["volume_ml"] == pytest.approx(shape.GetPhysicalSize(1) / 1000.0)
    assert truth["diameter_mm"] == pytest.approx(2 * shape.GetEquivalentSphericalRadius(1), rel=1e-4)
    centroid = (truth["centroid_x"], truth["centroid_y"], truth["centroid_z"])
    assert centroid == pytest.approx(shape.GetCentroid(1), abs=1e-3)
    assert (truth["side"] == "right") == (shape.GetCentroid(1)[0] < 0)
    assert str(truth["lobe"]).startswith(str(truth["side"]))
    seen = phantom.ct.array[phantom.mask.array > 0].mean()
    assert seen == pytest.approx(truth["mean_hu"], abs=120)


def test_lesion_is_one_piece_brighter_than_the_lung_around_it() -> None:
    phantom = chest_phantom(8, severity=0.4, scanner=QUIET, spacing_mm=2.0)
    inside = phantom.mask.array > 0
    _, pieces = ndimage.label(inside, np.ones((3, 3, 3)))
    assert pieces == 1
    shell = ndimage.binary_dilation(inside, iterations=5) & ~ndimage.binary_dilation(inside, iterations=3)
    assert np.median(phantom.ct.array[inside]) > np.median(phantom.ct.array[shell]) + 150


def test_two_scanners_see_the_same_patient() -> None:
    a, b = (chest_phantom(5, severity=0.6, scanner=SCANNERS[name], spacing_mm=2.5) for name in "AB")
    assert a.ct.spacing == (2.5, 2.5, 3.0)
    assert b.ct.spacing == (2.5, 2.5, 2.5)
    assert a.truth["volume_ml"] == pytest.approx(b.truth["volume_ml"], rel=0.05)
    for name in ("lobe", "spiculation", "density", "sex", "effusion"):
        assert a.truth[name] == b.truth[name]
    for axis in "xyz":
        assert a.truth[f"centroid_{axis}"] == pytest.approx(b.truth[f"centroid_{axis}"], abs=1.0)


def test_tumour_grows_where_it_was_between_visits() -> None:
    first = chest_phantom(6, severity=0.5, scanner=QUIET, spacing_mm=4.0)
    later = chest_phantom(6, severity=0.5, scanner=QUIET, spacing_mm=4.0, visit=1, progression=0.12)
    assert later.mask.array.sum() > 1.2 * first.mask.array.sum()
    assert later.truth["severity"] == pytest.approx(0.62)
    centroids = np.array([[p.truth[f"centroid_{axis}"] for axis in "xyz"] for p in (first, later)])
    assert np.linalg.norm(centroids[0] - centroids[1]) < 12
    assert not np.array_equal(first.ct.array, later.ct.array)


def test_without_lesion_the_mask_is_empty(healthy: Phantom) -> None:
    assert not healthy.mask.array.any()
    assert healthy.truth["lesion"] is False
    assert healthy.truth["diameter_mm"] is None


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(FlexiCTError, match="severity"):
        chest_phantom(1, severity=1.5)
    with pytest.raises(FlexiCTError, match="positive"):
        chest_phantom(1, spacing_mm=0.0)
    with pytest.raises(FlexiCTError, match="lies outside a field"):
        chest_phantom(1, severity=0.1, spacing_mm=4.0, field_mm=(20.0, 20.0, 20.0))
