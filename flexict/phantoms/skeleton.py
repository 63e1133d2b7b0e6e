"""Bones of the simulated chest: spine, ribs, sternum, shoulder blades and collar bones."""

from __future__ import annotations

import numpy as np

from flexict.phantoms.anatomy import Anatomy, cavity_distance
from flexict.phantoms.grid import Array, Grid, bell, blend, coverage, ellipsoid, sigmoid, tube

CORTICAL, MARROW, CARTILAGE, DISC, CORD = 750.0, 240.0, 110.0, 85.0, 25.0


def paint_skeleton(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    """All bones, over the soft tissue in `hu` `[z, y, x]`."""
    _paint_ribs(hu, grid, anatomy)
    _paint_sternum(hu, grid, anatomy)
    _paint_shoulders(hu, grid, anatomy)
    _paint_spine(hu, grid, anatomy)


def _paint_ribs(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    """Ribs as bands on the cage's surface that descend from the spine to the front, all in one expression.

    A rib runs where the height above its oblique course is a whole number of pitches; the distance to that
    course and the distance to the cage's surface make an elliptical cross-section.
    """
    x, y = grid.x, grid.y
    wall = cavity_distance(anatomy, x, y, grid.z, offset=5.5)
    from_back = np.arctan2(np.abs(x), y - np.float32(anatomy.centre_y))
    drop = 62.0 * np.square(np.sin(np.clip(from_back - 0.15, 0.0, np.pi) / 2.0))
    # Costal cartilage climbs again towards the sternum.
    drop = drop - 26.0 * np.square(np.clip(from_back - 2.25, 0.0, 1.0) / 0.75)
    phase = (grid.z + drop.astype(np.float32)) / np.float32(anatomy.rib_pitch) + np.float32(anatomy.rib_phase)
    height = (phase - np.rint(phase)) * np.float32(anatomy.rib_pitch)
    section = np.sqrt(np.square(wall * np.float32(1.0 / 4.0)) + np.square(height * np.float32(1.0 / 7.0)))
    bone = (section - np.float32(1.0)) * np.float32(4.0)
    # Ribs end beside the spine and the sternum.
    ends = np.maximum(14.0 - np.abs(x), (from_back - 2.72) * 80.0).astype(np.float32)
    np.maximum(bone, ends, out=bone)
    is_cartilage = sigmoid(from_back, 2.3, 0.04)
    shell = (CORTICAL + (CARTILAGE - CORTICAL) * is_cartilage).astype(np.float32)
    core = (MARROW + (CARTILAGE - MARROW) * is_cartilage).astype(np.float32)
    inside = coverage(bone, grid.edge_mm)
    within = coverage(bone + np.float32(1.8), grid.edge_mm)
    blend(hu, inside, shell + within * (core - shell))


def _paint_sternum(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    box = grid.box(np.array([-40.0, -150.0, -55.0]), np.array([40.0, -30.0, 80.0]))
    part = grid.crop(box)
    wall = cavity_distance(anatomy, part.x, part.y, part.z, offset=6.5)
    width = 14.0 + 9.0 / (1.0 + np.exp(-(part.z - 42.0) / 5.0))
    plate = np.maximum(np.abs(wall) - 5.5, np.abs(part.x) - width.astype(np.float32))
    np.maximum(plate, np.abs(part.z - 12.0) - 58.0, out=plate)
    joint = bell(part.z, 40.0, 2.0) * 0.7
    _paint_bone(hu[box], plate, grid.edge_mm, shell=420.0, core=150.0, rind=2.0, keep=(1.0 - joint).astype(np.float32))


def _paint_shoulders(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    for side in (-1.0, 1.0):
        tilt = 0.62
        normal = np.array([side * np.sin(tilt), np.cos(tilt), 0.22])
        normal /= np.linalg.norm(normal)
        flat = np.cross(normal, [0.0, 0.0, 1.0])
        flat /= np.linalg.norm(flat)
        centre = (side * 0.72 * anatomy.half_width, anatomy.centre_y + anatomy.half_depth * 0.98 + 8.0, 62.0)
        reach = np.array([52.0, 45.0, 66.0])
        box = grid.box(np.array(centre) - reach, np.array(centre) + reach)
        part = grid.crop(box)
        blade = ellipsoid(part.points, centre, (42.0, 4.0, 58.0), np.stack([flat, normal, np.cross(flat, normal)]))
        outside = np.float32(12.0) - cavity_distance(anatomy, part.x, part.y, part.z)
        np.maximum(blade, outside, out=blade)
        _paint_bone(hu[box], blade, grid.edge_mm, shell=520.0, core=330.0, rind=1.5)
        collar = np.array(
            [
                [side * 22, -0.62 * anatomy.half_depth, 84],
                [side * 62, -0.66 * anatomy.half_depth, 98],
                [side * 118, -0.2 * anatomy.half_depth, 118],
            ]
        )
        spot, inside = tube(grid, collar, np.array([8.0, 6.5, 6.0]))
        blend(hu[spot], inside, 480.0)


def _paint_spine(hu: Array, grid: Grid, anatomy: Anatomy) -> None:
    centre_y = anatomy.spine_y + 4.0
    box = grid.box(np.array([-52.0, centre_y - 30, -1e4]), np.array([52.0, centre_y + 75, 1e4]))
    part = grid.crop(box)
    canvas, edge = hu[box], grid.edge_mm
    rise = part.z / np.float32(110.0)
    x = part.x - np.float32(anatomy.scoliosis) * np.sin(rise * 2.2)
    y = part.y - np.float32(centre_y) + np.float32(7.0) * np.square(rise)
    grow = (1.0 - 0.14 * rise).astype(np.float32)
    phase = part.z / np.float32(anatomy.rib_pitch * 0.92) + np.float32(anatomy.rib_phase)
    level = np.abs(phase - np.rint(phase))
    pitch = np.float32(anatomy.rib_pitch * 0.92)
    half = 0.5 * pitch - 3.0

    waist = 1.0 - 0.08 * np.cos(level * 2 * np.pi)
    body = (np.sqrt(np.square(x / 17.5) + np.square(y / 14.0)) - grow * waist) * np.float32(14.0)
    blend(canvas, coverage(body, edge), DISC)
    vertebra = np.maximum(body, level * pitch - half)
    _paint_bone(canvas, vertebra, edge, shell=430.0, core=190.0, rind=2.2)

    lamina = np.maximum(
        np.abs(np.sqrt(np.square(x / 1.15) + np.square(y - 23.0)) - 11.0) - 3.0, level * pitch - 0.38 * pitch
    )
    spinous = np.maximum(np.abs(x) - 3.0, np.abs(y - 44.0 - 4.0 * level) - 12.0)
    np.maximum(spinous, level * pitch - 0.30 * pitch, out=spinous)
    transverse = np.maximum(np.abs(y - 24.0 - 0.25 * np.abs(x)) - 4.5, np.abs(np.abs(x) - 22.0) - 12.0)
    transverse = np.maximum(transverse, level * pitch - 0.24 * pitch)
    arch = np.minimum(np.minimum(lamina, spinous), transverse).astype(np.float32)
    _paint_bone(canvas, arch, edge, shell=520.0, core=300.0, rind=2.0)
    canal = np.sqrt(np.square(x) + np.square(y - 22.0)) - np.float32(8.0)
    blend(canvas, coverage(canal.astype(np.float32), edge), CORD)


def _paint_bone(
    canvas: Array,
    distance: Array,
    edge_mm: float,
    *,
    shell: float,
    core: float,
    rind: float,
    keep: Array | float = 1.0,
) -> None:
    distance = distance.astype(np.float32)
    within = coverage(distance + np.float32(rind), edge_mm)
    blend(canvas, coverage(distance, edge_mm) * keep, np.float32(shell) + within * np.float32(core - shell))
