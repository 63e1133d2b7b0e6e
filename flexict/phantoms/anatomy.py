"""The shape of one simulated chest: body, thoracic cavity, lungs and their lobes.

Lengths are LPS mm: x to the patient's left, y to posterior, z to superior. Shapes are signed distances,
negative inside, written for any arrays that broadcast, so that the same function serves a whole grid and a
handful of points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from flexict.phantoms.grid import Array, bell, ellipsoid, sigmoid

Side = Literal["right", "left"]


@dataclass(frozen=True)
class Anatomy:
    """The measurements in which patients differ (mm unless stated otherwise)."""

    sex: Literal["F", "M"]
    half_width: float
    half_depth: float
    squareness: float
    asymmetry: float
    fat: float
    muscle: float
    base: float
    apex: float
    dome_right: float
    dome_left: float
    dome_drop: float
    mediastinum: float
    midline: float
    heart_scale: float
    heart_turn: float
    spine_y: float
    scoliosis: float
    rib_pitch: float
    rib_phase: float
    lung_hu: float
    contrast: bool
    emphysema: float
    effusion_side: Side | None
    effusion_depth: float

    @property
    def centre_y(self) -> float:
        """Where the axis of the polar shapes lies between sternum and spine."""
        return -4.0


def draw_anatomy(rng: np.random.Generator, severity: float) -> Anatomy:
    """A patient at random; only the chance of an effusion depends on the severity (0 to 1)."""
    sex: Literal["F", "M"] = "F" if rng.random() < 0.45 else "M"
    size = float(np.clip(rng.normal(0.94 if sex == "F" else 1.03, 0.035), 0.86, 1.1))
    height = size * float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.1))
    spare = rng.uniform(size=4)
    has_effusion = spare[0] < 0.05 + 0.25 * severity
    return Anatomy(
        sex=sex,
        half_width=116.0 * size * float(rng.normal(1.0, 0.02)),
        half_depth=82.0 * size * float(rng.normal(1.0, 0.05)),
        squareness=float(rng.uniform(2.2, 2.7)),
        asymmetry=float(rng.normal(0.0, 2.0)),
        fat=float(rng.gamma(3.0, 2.6) + 3.0),
        muscle=float(rng.uniform(8.0, 13.0) * (0.85 if sex == "F" else 1.05)),
        base=-104.0 * height,
        apex=100.0 * height,
        dome_right=-42.0 * height + float(rng.normal(0, 6)),
        dome_left=-53.0 * height + float(rng.normal(0, 6)),
        dome_drop=float(rng.uniform(40, 55)),
        mediastinum=float(rng.uniform(24, 31)) * size,
        midline=float(rng.normal(2.0, 2.5)),
        heart_scale=float(np.clip(rng.normal(0.96, 0.08), 0.78, 1.2)) * size,
        heart_turn=float(rng.normal(0.0, 0.12)),
        spine_y=58.0 * size + float(rng.normal(0, 2)),
        scoliosis=float(rng.normal(0.0, 3.0)),
        rib_pitch=float(rng.uniform(25.0, 29.0)) * height,
        rib_phase=float(rng.uniform()),
        lung_hu=float(np.clip(rng.normal(-855.0, 22.0), -900, -800)),
        contrast=bool(spare[1] < 0.35),
        emphysema=float(rng.uniform(0.3, 1.0)) if spare[2] < 0.22 else 0.0,
        effusion_side=("right" if spare[3] < 0.5 else "left") if has_effusion else None,
        effusion_depth=float(rng.uniform(12.0, 34.0)),
    )


def cavity_distance(anatomy: Anatomy, x: Array, y: Array, z: Array, offset: float | Array = 0.0) -> Array:
    """Distance to the inner surface of the rib cage, moved outwards by `offset` mm."""
    return _polar_distance(anatomy, x, y, z, narrowing=0.30, notch=15.0, offset=offset)


def muscle_distance(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """Distance to the outer surface of the chest wall's muscles."""
    from_back = np.arctan2(np.abs(x), y - np.float32(anatomy.centre_y))
    paraspinal = 15.0 * bell(from_back, 0.28, 0.28)
    flank = 7.0 * bell(from_back, 1.25, 0.5)
    pectoral = 10.0 * bell(np.pi - from_back, 0.75, 0.4)
    upper = sigmoid(z, 15.0, 14.0)
    thickness = (9.0 + anatomy.muscle + paraspinal).astype(np.float32)
    bulk = ((pectoral + flank) * (anatomy.muscle / 10.0)).astype(np.float32)
    return _polar_distance(
        anatomy, x, y, z, narrowing=0.10, notch=0.0, offset=thickness + bulk * upper.astype(np.float32)
    )


def body_distance(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """Distance to the skin."""
    from_back = np.arctan2(np.abs(x), y - np.float32(anatomy.centre_y))
    front = np.pi - from_back
    layer = anatomy.fat * (1.0 + 0.3 * np.cos(2 * from_back + 0.4) - 0.3 * bell(front, 0.0, 0.3))
    groove = -6.0 * bell(from_back, 0.0, 0.16)
    offset = (14.0 + anatomy.muscle + 7.0 + layer + groove).astype(np.float32)
    if anatomy.sex == "F":
        breast = (14.0 + 0.8 * anatomy.fat) * bell(front, 0.72, 0.36)
        level = bell(z, -18.0, 46.0)
        offset = offset + breast.astype(np.float32) * level.astype(np.float32)
    return _polar_distance(anatomy, x, y, z, narrowing=0.03, notch=0.0, offset=offset)


def diaphragm_height(anatomy: Anatomy, x: Array, y: Array) -> Array:
    """z of the upper surface of the diaphragm above each (x, y); the right dome is higher."""
    back = np.square((y + 16.0) / 72.0)
    right = anatomy.dome_right - anatomy.dome_drop * (np.square((x + 57.0) / 58.0) + back)
    left = anatomy.dome_left - anatomy.dome_drop * (np.square((x - 60.0) / 58.0) + back)
    saddle = min(anatomy.dome_right, anatomy.dome_left) - 14.0 - anatomy.dome_drop * back
    height = np.maximum(np.maximum(right, left), saddle - 0.1 * np.abs(x))
    return np.maximum(height, np.float32(anatomy.base)).astype(np.float32)


def mediastinum_half_width(anatomy: Anatomy, y: Array, z: Array) -> Array:
    """Half of the gap between the lungs: narrow behind the sternum, wide at the hila, spine-wide behind."""
    middle = (anatomy.mediastinum - 8.0) * bell(y, 4.0, 36.0)
    spine = 15.0 * bell(y, anatomy.spine_y, 24.0)
    hilum = 6.0 * bell(z, 8.0, 22.0) * bell(y, 10.0, 22.0)
    inlet = 9.0 / (1.0 + np.exp(-(z - 62.0) / 12.0)) * bell(y, 5.0, 50.0)
    return (7.0 + middle + spine * 0.8 + hilum + inlet).astype(np.float32)


def heart_axes(anatomy: Anatomy) -> tuple[tuple[float, float, float], tuple[float, float, float], np.ndarray]:
    """Centre, radii and principal directions of the heart; its apex points left, forward and down."""
    turn = 0.62 + anatomy.heart_turn
    long_axis = np.array([np.cos(turn) * 0.90, -np.sin(turn) * 0.90, -0.44])
    long_axis /= np.linalg.norm(long_axis)
    side_axis = np.cross(long_axis, [0.0, 0.0, 1.0])
    side_axis /= np.linalg.norm(side_axis)
    scale = anatomy.heart_scale
    centre = (anatomy.midline + 18.0 * scale, -24.0, -42.0 * scale)
    return (
        centre,
        (62.0 * scale, 43.0 * scale, 46.0 * scale),
        np.stack([long_axis, side_axis, np.cross(long_axis, side_axis)]),
    )


def heart_distance(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """Distance to the pericardium."""
    return ellipsoid((x, y, z), *heart_axes(anatomy))


def lung_distance(anatomy: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """Distance to the surface of the two lungs (both together; the sign of x - midline gives the side)."""
    distance = cavity_distance(anatomy, x, y, z, offset=-2.0)
    across = x - np.float32(anatomy.midline)
    gap = mediastinum_half_width(anatomy, y, z)
    # The left lung leaves space for the aortic arch and the descending aorta.
    room = 7.0 * bell(y - anatomy.spine_y, -14.0, 18.0)
    left = np.asarray(gap + np.where(z < 45.0, room, room + 2.0), dtype=np.float32)
    np.maximum(distance, np.where(across < 0, gap, left) - np.abs(across), out=distance)
    np.maximum(distance, (diaphragm_height(anatomy, x, y) - z) * np.float32(0.8), out=distance)
    top = (
        anatomy.apex
        - 24.0 * np.square((np.abs(across) - 0.42 * anatomy.half_width) / 42.0)
        - 26.0 * np.square((y - 12.0) / 48.0)
    ).astype(np.float32)
    np.maximum(distance, (z - top) * np.float32(0.7), out=distance)
    np.maximum(distance, np.float32(2.0) - heart_distance(anatomy, x, y, z), out=distance)
    return distance


def fissures(anatomy: Anatomy, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """Heights in mm above the oblique fissure and (right lung only) above the horizontal one."""
    left = x > anatomy.midline
    middle = np.where(left, -8.0, -16.0)
    wave = 4.0 * np.sin(x / 23.0 + anatomy.rib_phase * 6.0)
    oblique = z - (middle + 0.95 * (y - 4.0) + wave)
    horizontal = z - (-2.0 + 0.12 * (y + 30.0) - wave)
    return np.asarray(oblique, np.float32), np.asarray(horizontal, np.float32)


def lobe_of(anatomy: Anatomy, point: tuple[float, float, float]) -> str:
    """Name of the lobe that contains an LPS point, for example "right upper"."""
    x, y, z = (np.array([value], dtype=np.float32) for value in point)
    oblique, horizontal = fissures(anatomy, x, y, z)
    side = "right" if point[0] < anatomy.midline else "left"
    if oblique[0] < 0:
        return f"{side} lower"
    if side == "right" and horizontal[0] < 0:
        return "right middle"
    return f"{side} upper"


def _polar_distance(
    anatomy: Anatomy, x: Array, y: Array, z: Array, *, narrowing: float, notch: float, offset: float | Array
) -> Array:
    """Distance to a rounded tube round the z axis whose radius depends on the angle and on z.

    The radial excess is divided by the length of the surface's gradient, which makes it a distance to first
    order. `narrowing` is the fraction lost at the apex; `notch` the depth of the spine's groove.
    """
    dy = y - np.float32(anatomy.centre_y)
    rho = np.sqrt(np.square(x) + np.square(dy)) + np.float32(1e-3)
    theta = np.arctan2(dy, x)
    radius = _outline(anatomy, theta, notch)
    slope = (_outline(anatomy, theta + 0.01, notch) - _outline(anatomy, theta - 0.01, notch)) / 0.02
    steep = 1.0 / np.sqrt(1.0 + np.square(slope / np.maximum(radius, 20.0)))
    rise = np.clip((z - anatomy.base) / (anatomy.apex - anatomy.base), 0.0, 1.15)
    keep = 1.0 - narrowing * np.square(np.maximum(rise - 0.3, 0.0) / 0.7)
    keep = keep - 0.06 * np.square(np.maximum(0.25 - rise, 0.0) / 0.25)
    radius = radius.astype(np.float32)
    distance = rho - radius * keep.astype(np.float32)
    distance = distance - np.asarray(offset, dtype=np.float32)
    distance *= steep.astype(np.float32)
    return np.asarray(distance)


def _outline(anatomy: Anatomy, theta: Array, notch: float) -> Array:
    power = anatomy.squareness
    width = anatomy.half_width + anatomy.asymmetry * np.sign(np.cos(theta)) * np.square(np.cos(theta))
    ellipse = (np.abs(np.cos(theta) / width) ** power + np.abs(np.sin(theta) / anatomy.half_depth) ** power) ** (
        -1.0 / power
    )
    behind = np.square((theta - np.pi / 2) / 0.3)
    sternum = 5.0 * np.exp(-np.square((theta + np.pi / 2) / 0.35))
    return np.asarray(ellipse - notch * np.exp(-behind) - sternum, dtype=np.float32)
