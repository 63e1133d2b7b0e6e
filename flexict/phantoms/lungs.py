"""Inside of the lungs: parenchyma, emphysema, fissures, branching vessels and pleural effusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flexict.phantoms.anatomy import Anatomy, fissures, lung_distance
from flexict.phantoms.grid import Array, Box, Grid, blend, coverage, sigmoid, smooth_noise, tube
from flexict.phantoms.organs import FLUID, blood_hu

# Vessel endings a lung; enough to look like a chest CT at 2 mm, few enough to draw in a tenth of a second.
ENDINGS = 210


def paint_lungs(hu: Array, grid: Grid, anatomy: Anatomy, rng: np.random.Generator) -> tuple[Box, Array]:
    """Both lungs with their vessels and any effusion; returns their box and the distance to them in it."""
    box = grid.box(
        np.array([-1.1 * anatomy.half_width, -1.2 * anatomy.half_depth, anatomy.base - 4.0]),
        np.array([1.1 * anatomy.half_width, 1.2 * anatomy.half_depth, anatomy.apex + 4.0]),
    )
    part = grid.crop(box)
    edge = grid.edge_mm
    distance = lung_distance(anatomy, part.x, part.y, part.z)
    air = smooth_noise(rng, part, 7.0)
    air *= np.float32(14.0)
    air += np.float32(anatomy.lung_hu)
    # Blood gathers in the dependent, posterior lung of a patient lying on the back.
    air += (part.y * 0.38 + 12.0 * np.exp((part.y - 80.0) / 22.0)).astype(np.float32)
    if anatomy.emphysema > 0:
        _clear_emphysema(air, part, anatomy, rng)
    oblique, horizontal = fissures(anatomy, part.x, part.y, part.z)
    sheet = coverage(np.abs(oblique) * np.float32(0.72) - np.float32(0.35), edge)
    right_front = (part.x < anatomy.midline) & (oblique > 0)
    np.maximum(sheet, coverage(np.abs(horizontal) - np.float32(0.3), edge) * right_front, out=sheet)
    blend(air, sheet * np.float32(0.35), -350.0)

    for side in (-1, 1):
        points, radii, parents = grow_vessels(anatomy, side, rng)
        where, inside = tube(part, points, radii, parents)
        blend(air[where], inside, blood_hu(anatomy) * 0.9)
    fluid = _effusion_distance(part, anatomy)
    if fluid is not None:
        blend(air, coverage(fluid, edge), FLUID)
        # Lung beside the fluid collapses a little.
        blend(air, coverage(fluid - np.float32(6.0), edge) * coverage(-fluid, edge) * np.float32(0.5), -250.0)
    blend(hu[box], coverage(distance, edge), air)
    return box, distance


def points_in_lung(
    anatomy: Anatomy, side: int, rng: np.random.Generator, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Random LPS points `[count, 3]` of one lung (side -1 right, 1 left) and their depths `[count]` in mm.

    They depend only on the anatomy, not on the grid, so that two scans of a patient agree.
    """
    low = np.array([0.0, -1.1 * anatomy.half_depth, anatomy.base])
    high = np.array([1.1 * anatomy.half_width, 1.1 * anatomy.half_depth, anatomy.apex])
    tries = rng.uniform(low, high, size=(count * 8, 3))
    tries[:, 0] = anatomy.midline + side * tries[:, 0]
    x, y, z = tries.astype(np.float32).T
    depth = -lung_distance(anatomy, x, y, z).astype(np.float64)
    kept = np.flatnonzero(depth > 1.0)[:count]
    return tries[kept], depth[kept]


def grow_vessels(
    anatomy: Anatomy, side: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """A vascular tree of one lung: points `[n, 3]`, radii `[n]` and the parent of each.

    Random endings are joined, nearest to the hilum first, to the point of the tree that keeps the total
    path from the hilum short; radii follow Murray's law in the number of endings downstream.
    """
    hilum = np.array([anatomy.midline + side * (30.0 if side < 0 else 33.0), 10.0, 2.0])
    ends, _ = points_in_lung(anatomy, side, rng, ENDINGS)
    ends = ends[np.argsort(np.linalg.norm(ends - hilum, axis=1))]
    size = 2 * len(ends) + 1
    points = np.empty((size, 3))
    way = np.empty(size)
    parents = np.zeros(size, dtype=np.intp)
    points[0], way[0], count = hilum, 0.0, 1
    for end in ends:
        gaps = np.linalg.norm(points[:count] - end, axis=1)
        nearest = int(np.argmin(gaps + 0.45 * way[:count]))
        bend = 0.5 * (points[nearest] + end) + rng.normal(0.0, 0.07 * gaps[nearest], size=3)
        for point, parent in ((bend, nearest), (end, count)):
            points[count], parents[count] = point, parent
            way[count] = way[parent] + float(np.linalg.norm(point - points[parent]))
            count += 1
    load = np.ones(size)
    for child in range(size - 1, 0, -1):
        load[parents[child]] += load[child]
    radii = np.clip(0.7 * np.power(load, 0.46), 0.6, 6.0)
    return points, radii, parents


def _clear_emphysema(air: Array, part: Grid, anatomy: Anatomy, rng: np.random.Generator) -> None:
    holes = smooth_noise(rng, part, 11.0)
    upper = sigmoid(part.z, 25.0, 25.0)
    threshold = (1.5 - 1.3 * anatomy.emphysema * upper).astype(np.float32)
    blend(air, np.clip((holes - threshold) * np.float32(2.5), 0.0, 1.0), -975.0)


def _effusion_distance(part: Grid, anatomy: Anatomy) -> Array | None:
    if anatomy.effusion_side is None:
        return None
    side = part.x < anatomy.midline if anatomy.effusion_side == "right" else part.x >= anatomy.midline
    # A meniscus: the fluid climbs along the wall.
    climb = 9.0 * np.exp(-np.square((np.abs(part.x - anatomy.midline) - 0.8 * anatomy.half_width) / 22.0))
    level = anatomy.half_depth * 0.86 - anatomy.effusion_depth * np.clip((80.0 - part.z) / 130.0, 0.0, 1.2)
    fluid = (level - climb - part.y).astype(np.float32)
    return np.where(side, fluid, np.float32(1e3))
