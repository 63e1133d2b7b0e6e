"""Lesion sizes against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from embeddings.imaging.masks.lesions import measure
from flexict.errors import FlexiCTError
from flexict.volume import Volume

Triple = tuple[float, float, float]


def mask_of(array: np.ndarray, spacing: Triple = (1, 1, 1), origin: Triple = (0, 0, 0), turned: float = 0.0) -> Volume:
    direction = Rotation.from_euler("zyx", [turned, turned / 2, 0.0]).as_matrix()
    return Volume(array.astype(np.uint8), spacing, origin, direction)


def test_a_ball_has_the_size_of_the_ball() -> None:
    spacing, radius = (0.8, 0.8, 2.0), 15.0
    z, y, x = np.mgrid[:21, :51, :51]
    inside = ((x - 25) * 0.8) ** 2 + ((y - 25) * 0.8) ** 2 + ((z - 10) * 2.0) ** 2 <= radius**2
    lesion = measure(mask_of(inside, spacing, (10.0, 20.0, -30.0)))
    assert lesion.volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.02)
    assert lesion.equivalent_diameter_mm == pytest.approx(2 * radius, rel=0.01)
    assert lesion.max_extent_mm == pytest.approx(2 * radius, rel=0.03)
    assert lesion.centroid_lps == pytest.approx((10 + 25 * 0.8, 20 + 25 * 0.8, -30 + 10 * 2.0))
    assert lesion.n_components == 1


def test_a_box_turned_in_space_keeps_its_diagonal_and_its_sides() -> None:
    array = np.zeros((12, 14, 16))
    array[2:7, 3:9, 4:11] = 1  # 5 x 6 x 7 voxels along z, y, x
    lesion = measure(mask_of(array, (2.0, 1.0, 3.0), turned=0.4))
    assert lesion.bounding_box_mm == (7 * 2.0, 6 * 1.0, 5 * 3.0)
    assert lesion.max_extent_mm == pytest.approx(np.hypot(np.hypot(6 * 2.0, 5 * 1.0), 4 * 3.0))
    assert lesion.n_voxels == 5 * 6 * 7
    assert lesion.volume_ml == pytest.approx(210 * 6 / 1000)


@settings(max_examples=40, deadline=None)
@given(
    voxels=st.sets(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=25),
    spacing=st.tuples(*[st.floats(0.3, 5.0)] * 3),
    turned=st.floats(-3.0, 3.0),
)
def test_extent_and_centroid_agree_with_brute_force(
    voxels: set[tuple[int, int, int]], spacing: tuple[float, float, float], turned: float
) -> None:
    array = np.zeros((8, 7, 9))
    for z, y, x in voxels:
        array[z, y, x] = 1
    mask = mask_of(array, spacing, (5.0, -6.0, 7.0), turned)
    points = np.array([mask.lps_of((float(z), float(y), float(x))) for z, y, x in voxels])
    lesion = measure(mask)
    assert lesion.max_extent_mm == pytest.approx(pdist(points).max() if len(points) > 1 else 0.0, abs=1e-6)
    assert lesion.centroid_lps == pytest.approx(tuple(points.mean(axis=0)), abs=1e-6)
    assert lesion.n_voxels == len(voxels)


def test_parts_that_touch_at_a_corner_are_one_and_apart_are_two() -> None:
    array = np.zeros((4, 4, 8))
    array[0, 0, 0] = array[1, 1, 1] = 1
    assert measure(mask_of(array)).n_components == 1
    array[3, 3, 7] = 1
    assert measure(mask_of(array)).n_components == 2


def test_a_mask_without_voxels_is_refused() -> None:
    with pytest.raises(FlexiCTError, match="no voxels"):
        measure(mask_of(np.zeros((3, 3, 3))))
