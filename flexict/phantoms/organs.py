"""Soft tissue of the simulated chest: body wall, mediastinum and its vessels, airways, upper abdomen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flexict.phantoms.anatomy import (
    Anatomy,
    body_distance,
    cavity_distance,
    diaphragm_height,
    heart_axes,
    heart_distance,
    mediastinum_half_width,
    muscle_distance,
)
from flexict.phantoms.grid import Array, Grid, blend, coverage, ellipsoid, smooth_noise, tube

AIR, FAT, MUSCLE, FLUID = -1000.0, -100.0, 50.0, 8.0


def blood_hu(anatomy: Anatomy) -> float:
    """HU of blood: about 40, or 160 where contrast was given."""
    return 160.0 if anatomy.contrast else 40.0


def paint_body(hu: Array, grid: Grid, anatomy: Anatomy, rng: np.random.Generator) -> None:
    """Skin, fat and the muscles of the wall, into an array filled with air."""
    edge = grid.edge_mm
    x, y, z = grid.x, grid.y, grid.z
    skin = body_distance(anatomy, x, y, z)
    blend(hu, coverage(skin, edge), 0.0)
    skin += np.float32(2.0)
    blend(hu, coverage(skin, edge), FAT)
    strands = smooth_noise(rng, grid, 12.0)
    muscle = muscle_distance(anatomy, x, y, z)
    # Fat planes between the muscles: thin sheets where smooth noise crosses zero.
    planes = np.clip(np.abs(strands) * np.float32(5.0), 0.55, 1.0)
    blend(hu, coverage(muscle, edge) * planes, MUSCLE + 5.0)
    inside = coverage(cavity_distance(anatomy, x, y, z), edge)
    blend(hu, inside, FAT + 5.0)


def paint_abdomen(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    """Diaphragm, liver (patient's right), spleen and stomach (left) below the domes."""
    top = max(anatomy.dome_right, anatomy.dome_left) + 5.0
    part = grid.box(np.array([-1e4, -1e4, -1e4]), np.array([1e4, 1e4, top]))
    local = grid.crop(part)
    canvas, edge = hu[part], grid.edge_mm
    x, y, z = local.x, local.y, local.z
    inner = cavity_distance(anatomy, x, y, z, offset=-3.0)
    depth = (z - diaphragm_height(anatomy, x, y)) * np.float32(0.8)
    below = np.maximum(inner, depth)
    blend(canvas, coverage(np.maximum(below, -np.float32(5.0) - below), edge), MUSCLE)
    bonus = 50.0 if anatomy.contrast else 0.0

    # The liver reaches across the midline in front and ends before the spine behind.
    limit = 22.0 - 0.55 * (y + 20.0) - 0.5 * np.maximum(anatomy.dome_right - 20.0 - z, 0.0)
    liver = np.maximum(below + 3.0, (x - limit.astype(np.float32)) * np.float32(0.8))
    np.maximum(liver, np.float32(27.0) - np.sqrt(np.square(x) + np.square(y - np.float32(anatomy.spine_y))), out=liver)
    blend(canvas, coverage(liver, edge), 58.0 + bonus)

    stomach = ellipsoid(local.points, (52.0, -12.0, anatomy.dome_left - 36.0), (36.0, 40.0, 30.0))
    np.maximum(stomach, below + 4.0, out=stomach)
    blend(canvas, coverage(stomach, edge), 45.0)
    bubble = np.maximum(stomach + 4.0, y + np.float32(24.0))
    blend(canvas, coverage(bubble, edge), AIR + 20.0)
    content = np.maximum(stomach + 4.0, np.float32(-24.0) - y)
    blend(canvas, coverage(content, edge), 22.0)

    spleen = ellipsoid(local.points, (80.0, 36.0, anatomy.dome_left - 40.0), (28.0, 38.0, 34.0))
    np.maximum(spleen, below + 4.0, out=spleen)
    blend(canvas, coverage(spleen, edge), 52.0 + 1.2 * bonus)


def paint_mediastinum(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    """Heart with its chambers, aorta, great vessels, oesophagus and paraspinal tissue."""
    edge, blood, mid = grid.edge_mm, blood_hu(anatomy), anatomy.midline
    part = grid.box(np.array([-95.0, -90.0, -115.0]), np.array([120.0, 70.0, 40.0]))
    local = grid.crop(part)
    canvas = hu[part]
    above = diaphragm_height(anatomy, local.x, local.y) - local.z
    heart = np.maximum(heart_distance(anatomy, local.x, local.y, local.z), above * np.float32(0.8))
    blend(canvas, coverage(heart + 3.0, edge), 45.0)
    centre, radii, axes = heart_axes(anatomy)
    for along, across, up, size in (
        (0.25, 0.28, 0.05, 0.42),
        (0.1, -0.42, -0.05, 0.38),
        (-0.5, 0.1, 0.2, 0.42),
    ):
        offset = along * radii[0] * axes[0] + across * radii[1] * axes[1] + up * radii[2] * axes[2]
        at = (centre[0] + offset[0], centre[1] + offset[1], centre[2] + offset[2])
        chamber = ellipsoid(local.points, at, (radii[0] * size * 1.15, radii[1] * size, radii[2] * size), axes)
        blend(canvas, coverage(np.maximum(chamber, above + 6.0), edge), blood)

    # Lymphatic and connective tissue between the great vessels, and the tissue beside the spine.
    core = grid.box(np.array([mid - 40, -50.0, -60.0]), np.array([mid + 40, 60.0, 125.0]))
    local = grid.crop(core)
    gap = mediastinum_half_width(anatomy, local.y, local.z)
    middle = np.maximum(np.abs(local.x - np.float32(mid)) - gap + 5.0, np.abs(local.y - 14.0) - 30.0)
    blend(hu[core], coverage(middle.astype(np.float32), edge) * np.float32(0.45), 35.0)

    spine = anatomy.spine_y
    # Each vessel is a line of points: x from the midline, y, z and radius.
    vessels: list[list[tuple[float, ...]]] = [
        [(-25, -14, 75, 8.5), (-24, -12, 30, 8.5), (-24, -10, -18, 8.5)],  # superior vena cava
        [(14, -36, -16, 13), (17, -26, 8, 13), (10, -8, 12, 11), (-18, 0, 10, 10)],  # pulmonary trunk
        [(17, -24, 10, 11), (30, 0, 14, 9.5), (36, 14, 8, 7)],  # left pulmonary artery
        [(-14, 0, 10, 10), (-36, 6, 4, 8)],  # right pulmonary artery
        # Arteries and veins of the head and arms.
        [(-2, -12, 50, 5.5), (-14, -12, 75, 5.5), (-20, -10, 125, 5.5)],
        [(6, -4, 52, 5.5), (12, -4, 80, 5.5), (16, -4, 125, 5.5)],
        [(13, 6, 54, 5.5), (20, 10, 80, 5.5), (32, 8, 125, 5.5)],
        [(-25, -16, 72, 5.5), (4, -28, 62, 5.5), (26, -24, 82, 5.5), (32, -20, 125, 5.5)],
        [  # aorta: arch, then its descending part beside the spine
            *((4, -22, -24, 15), (-8, -26, 2, 15.5), (-8, -20, 30, 15), (2, -4, 48, 13.5), (14, 16, 50, 13)),
            *((20, spine - 18, 38, 12.5), (20, spine - 18, 20, 12), (18, spine - 18, -20, 12)),
            *((12, spine - 18, -70, 11), (6, spine - 18, -140, 10.5)),
        ],
    ]
    for vessel in vessels:
        _paint_tube(hu, grid, anatomy, vessel, blood)
    oesophagus = np.array([[mid + 3, spine - 24, z] for z in (125, 40, -40)] + [[mid + 12, spine - 26, -100]])
    box, inside = tube(grid, oesophagus, np.full(4, 7.0))
    blend(hu[box], inside, 35.0)


def paint_airways(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    """Trachea, carina, main and lobar bronchi: a wall of soft tissue round air."""
    carina = (-1, 12, 24)
    bronchi = [
        [(0, 0, 130, 9.0), (-1, 6, 70, 9.0), (*carina, 8.5)],  # trachea
        [(*carina, 7.5), (-22, 14, 8, 7), (-38, 16, -6, 5), (-48, 20, -30, 3.0)],
        [(*carina, 6.8), (24, 16, 4, 6), (40, 20, -8, 4.5), (50, 24, -34, 2.8)],
        [(-22, 14, 8, 5), (-40, 10, 16, 4), (-54, 8, 30, 2.4)],
        [(30, 17, 0, 4.5), (44, 8, 10, 3.6), (54, 2, 26, 2.2)],
        [(-38, 16, -6, 4), (-48, 2, -16, 3), (-58, -14, -24, 2.0)],
    ]
    for line in bronchi:
        _paint_tube(hu, grid, anatomy, line, 15.0, wall=1.4)
    for line in bronchi:
        _paint_tube(hu, grid, anatomy, line, AIR + 5.0)


def _paint_tube(
    hu: Array, grid: Grid, anatomy: Anatomy, line: Sequence[Sequence[float]], value: float, wall: float = 0.0
) -> None:
    """A tube through points (x from the midline, y, z, radius), its radii scaled as the heart and `wall` mm thicker."""
    x, y, z, radii = np.array(line, dtype=float).T
    points = np.stack([x + anatomy.midline, y, z], axis=1)
    box, inside = tube(grid, points, radii * anatomy.heart_scale + wall)
    blend(hu[box], inside, value)
