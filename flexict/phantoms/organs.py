"""Soft tissue of the simulated chest: body wall, mediastinum and its vessels, airways, upper abdomen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
Points = NDArray[np.float64]


def blood_hu(anatomy: Anatomy) -> float:
    """HU of blood: about 40, or 160 where contrast was given."""
    return 160.0 if anatomy.contrast else 40.0


def paint_body(hu: Array, grid: Grid, anatomy: Anatomy, rng: np.random.Generator) -> None:
    """Skin, fat and the muscles of the wall, into an array that holds air."""
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
    part = _level(grid, -1e4, top)
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
    np.maximum(liver, np.float32(27.0) - _column(x, y, 0.0, anatomy.spine_y), out=liver)
    blend(canvas, coverage(liver, edge), 58.0 + bonus)

    stomach = ellipsoid(local, (52.0, -12.0, anatomy.dome_left - 36.0), (36.0, 40.0, 30.0))
    np.maximum(stomach, below + 4.0, out=stomach)
    blend(canvas, coverage(stomach, edge), 45.0)
    bubble = np.maximum(stomach + 4.0, y + np.float32(24.0))
    blend(canvas, coverage(bubble, edge), AIR + 20.0)
    content = np.maximum(stomach + 4.0, np.float32(-24.0) - y)
    blend(canvas, coverage(content, edge), 22.0)

    spleen = ellipsoid(local, (80.0, 36.0, anatomy.dome_left - 40.0), (28.0, 38.0, 34.0))
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
        chamber = ellipsoid(local, at, (radii[0] * size * 1.15, radii[1] * size, radii[2] * size), axes)
        blend(canvas, coverage(np.maximum(chamber, above + 6.0), edge), blood)

    # Lymphatic and connective tissue between the great vessels, and the tissue beside the spine.
    core = grid.box(np.array([mid - 40, -50.0, -60.0]), np.array([mid + 40, 60.0, 125.0]))
    local = grid.crop(core)
    gap = mediastinum_half_width(anatomy, local.y, local.z)
    middle = np.maximum(np.abs(local.x - np.float32(mid)) - gap + 5.0, np.abs(local.y - 14.0) - 30.0)
    blend(hu[core], coverage(middle.astype(np.float32), edge) * np.float32(0.45), 35.0)

    s = anatomy.heart_scale
    spine = anatomy.spine_y
    descending = np.array([[mid + 20, spine - 18, z] for z in (38, 20, -20, -70, -140)], dtype=float)
    descending[:, 0] -= np.array([0, 0, 2, 8, 14])
    arch = np.array([[mid + 4, -22, -24], [mid - 8, -26, 2], [mid - 8, -20, 30], [mid + 2, -4, 48], [mid + 14, 16, 50]])
    aorta = np.vstack([arch, descending])
    widths = np.array([15, 15.5, 15, 13.5, 13, 12.5, 12, 12, 11, 10.5]) * s
    vena_cava = np.array([[mid - 25, -14, 75], [mid - 24, -12, 30], [mid - 24, -10, -18]], dtype=float)
    trunk = np.array([[mid + 14, -36, -16], [mid + 17, -26, 8], [mid + 10, -8, 12], [mid - 18, 0, 10]], dtype=float)
    left_artery = np.array([[mid + 17, -24, 10], [mid + 30, 0, 14], [mid + 36, 14, 8]], dtype=float)
    right_artery = np.array([[mid - 14, 0, 10], [mid - 36, 6, 4]], dtype=float)
    heads = [
        np.array([[mid - 2, -12, 50], [mid - 14, -12, 75], [mid - 20, -10, 125]], dtype=float),
        np.array([[mid + 6, -4, 52], [mid + 12, -4, 80], [mid + 16, -4, 125]], dtype=float),
        np.array([[mid + 13, 6, 54], [mid + 20, 10, 80], [mid + 32, 8, 125]], dtype=float),
        np.array([[mid - 25, -16, 72], [mid + 4, -28, 62], [mid + 26, -24, 82], [mid + 32, -20, 125]], dtype=float),
    ]
    for points, radius in [
        (vena_cava, np.full(3, 8.5 * s)),
        (trunk, np.array([13, 13, 11, 10]) * s),
        (left_artery, np.array([11, 9.5, 7]) * s),
        (right_artery, np.array([10, 8]) * s),
        *[(head, np.full(len(head), 5.5 * s)) for head in heads],
        (aorta, widths),
    ]:
        _paint_tube(hu, grid, points, radius, blood)
    oesophagus = np.array([[mid + 3, spine - 24, z] for z in (125, 40, -40)] + [[mid + 12, spine - 26, -100]])
    _paint_tube(hu, grid, oesophagus, np.full(4, 7.0), 35.0)


def paint_airways(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    """Trachea, carina, main and lobar bronchi: a wall of soft tissue round air."""
    mid, s = anatomy.midline, anatomy.heart_scale
    carina = [mid - 1, 12, 24]
    trachea = np.array([[mid, 0, 130], [mid - 1, 6, 70], carina], dtype=float)
    lines = [
        (trachea, np.array([9.0, 9.0, 8.5])),
        (
            np.array([carina, [mid - 22, 14, 8], [mid - 38, 16, -6], [mid - 48, 20, -30]]),
            np.array([7.5, 7, 5, 3.0]),
        ),
        (
            np.array([carina, [mid + 24, 16, 4], [mid + 40, 20, -8], [mid + 50, 24, -34]]),
            np.array([6.8, 6, 4.5, 2.8]),
        ),
        (
            np.array([[mid - 22, 14, 8], [mid - 40, 10, 16], [mid - 54, 8, 30]], dtype=float),
            np.array([5, 4, 2.4]),
        ),
        (
            np.array([[mid + 30, 17, 0], [mid + 44, 8, 10], [mid + 54, 2, 26]], dtype=float),
            np.array([4.5, 3.6, 2.2]),
        ),
        (
            np.array([[mid - 38, 16, -6], [mid - 48, 2, -16], [mid - 58, -14, -24]], dtype=float),
            np.array([4, 3, 2.0]),
        ),
    ]
    for points, radius in lines:
        _paint_tube(hu, grid, points, radius * s + 1.4, 15.0)
    for points, radius in lines:
        _paint_tube(hu, grid, points, radius * s, AIR + 5.0)


def _paint_tube(hu: Array, grid: Grid, points: Points, radii: Points, value: float) -> None:
    box, inside = tube(grid, points, radii)
    blend(hu[box], inside, value)


def _level(grid: Grid, low: float, high: float) -> tuple[slice, slice, slice]:
    return grid.box(np.array([-1e4, -1e4, low]), np.array([1e4, 1e4, high]))


def _column(x: Array, y: Array, at_x: float, at_y: float) -> Array:
    return np.asarray(np.sqrt(np.square(x - np.float32(at_x)) + np.square(y - np.float32(at_y))))
