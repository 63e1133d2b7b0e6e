"""What is painted has the size asked for, whatever the grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexict.phantoms.grid import Grid, blend, coverage, ellipsoid, smooth_noise, tube


@settings(max_examples=25, deadline=None)
@given(
    field=st.tuples(*[st.floats(20, 90)] * 3),
    spacing=st.tuples(*[st.floats(1.5, 5)] * 3),
    corner=st.tuples(*[st.floats(-60, 60)] * 3),
    size=st.floats(0, 60),
)
def test_box_contains_exactly_the_voxels_between_its_corners(
    field: tuple[float, float, float],
    spacing: tuple[float, float, float],
    corner: tuple[float, float, float],
    size: float,
) -> None:
    grid = Grid.centred(field, spacing)
    low, high = np.array(corner), np.array(corner) + size
    inside = np.ones(grid.shape, dtype=bool)
    for axis, first, last in zip((grid.x, grid.y, grid.z), low, high, strict=True):
        inside &= (axis >= np.float32(first)) & (axis <= np.float32(last))
    found = np.zeros(grid.shape, dtype=bool)
    found[grid.box(low.astype(np.float32), high.astype(np.float32))] = True
    np.testing.assert_array_equal(found, inside)


@pytest.mark.parametrize(("spacing", "tolerance"), [(1.0, 0.03), (2.5, 0.08)])
def test_ellipsoid_has_its_volume(spacing: float, tolerance: float) -> None:
    grid = Grid.centred((90.0, 90.0, 90.0), (spacing,) * 3)
    turn = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    inside = coverage(ellipsoid(grid.points, (3.0, -2.0, 5.0), (30.0, 20.0, 15.0), turn), spacing)
    assert inside.sum() * spacing**3 == pytest.approx(4 / 3 * np.pi * 30 * 20 * 15, rel=tolerance)


def test_tube_has_the_volume_of_a_cylinder_with_round_ends() -> None:
    grid = Grid.centred((100.0, 100.0, 100.0), (1.5, 1.5, 1.5))
    points = np.array([[-20.0, -15.0, -10.0], [20.0, 15.0, 10.0]])
    box, inside = tube(grid, points, np.array([8.0, 8.0]))
    length = np.linalg.norm(points[1] - points[0])
    expected = np.pi * 64 * length + 4 / 3 * np.pi * 512
    assert inside.sum() * 1.5**3 == pytest.approx(expected, rel=0.03)
    assert inside.shape == np.zeros(grid.shape)[box].shape


def test_smooth_noise_is_the_same_tissue_on_every_grid() -> None:
    fine = Grid.centred((63.0, 63.0, 63.0), (3.0, 3.0, 3.0))
    coarse = Grid.centred((63.0, 63.0, 63.0), (9.0, 9.0, 9.0))
    a = smooth_noise(np.random.default_rng(4), fine, 8.0)
    b = smooth_noise(np.random.default_rng(4), coarse, 8.0)
    np.testing.assert_allclose(a[1::3, 1::3, 1::3], b, atol=1e-3)
    assert a.std() == pytest.approx(1.0, abs=0.25)


def test_blend_mixes_by_fraction() -> None:
    canvas = np.full(3, -100.0, dtype=np.float32)
    blend(canvas, np.array([0.0, 0.5, 1.0], dtype=np.float32), 50.0)
    np.testing.assert_allclose(canvas, [-100.0, -25.0, 50.0])
