"""Vessels, emphysema and effusion inside the lungs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from flexict.phantoms.anatomy import Anatomy, draw_anatomy, lung_distance
from flexict.phantoms.grid import Array, Grid
from flexict.phantoms.lungs import grow_vessels, paint_lungs

GRID = Grid.centred((300.0, 230.0, 250.0), (5.0, 5.0, 5.0))


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    drawn = draw_anatomy(np.random.default_rng(2), 0.0)
    return replace(drawn, emphysema=0.0, effusion_side=None)


def lungs_of(anatomy: Anatomy) -> tuple[Array, np.ndarray]:
    hu = np.full(GRID.shape, 50.0, dtype=np.float32)
    paint_lungs(hu, GRID, anatomy, np.random.default_rng(7))
    return hu, lung_distance(anatomy, GRID.x, GRID.y, GRID.z) < -5


@pytest.mark.parametrize("side", [-1, 1])
def test_vessels_are_one_tree_that_thins_outwards(anatomy: Anatomy, side: int) -> None:
    points, radii, parents = grow_vessels(anatomy, side, np.random.default_rng(0))
    assert np.all(parents[1:] < np.arange(1, len(points)))
    assert np.all(radii <= radii[parents])
    assert radii[0] > 4 * radii.min()
    assert np.all(side * (points[2::2, 0] - anatomy.midline) > 0)


def test_emphysema_empties_the_upper_lung_most(anatomy: Anatomy) -> None:
    healthy, inside = lungs_of(anatomy)
    sick, _ = lungs_of(replace(anatomy, emphysema=1.0))
    upper = inside & (GRID.z > 20)
    lower = inside & (GRID.z < -20)
    assert (healthy[inside] < -940).mean() < 0.01
    assert (sick[upper] < -940).mean() > 0.05
    assert (sick[upper] < -940).mean() > 2 * (sick[lower] < -940).mean()


@pytest.mark.parametrize("side", ["right", "left"])
def test_effusion_is_fluid_in_the_dependent_part_of_its_side(anatomy: Anatomy, side: str) -> None:
    dry, inside = lungs_of(anatomy)
    wet, _ = lungs_of(replace(anatomy, effusion_side=side, effusion_depth=30.0))
    gained = inside & (dry < -600) & (np.abs(wet - 8.0) < 25)
    z, y, x = np.nonzero(gained)
    assert gained.sum() * 0.125 > 50
    assert np.all((GRID.x.ravel()[x] < anatomy.midline) == (side == "right"))
    assert GRID.y.ravel()[y].mean() > 35
    assert GRID.z.ravel()[z].mean() < 10
