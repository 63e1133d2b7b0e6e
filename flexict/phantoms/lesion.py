"""The lung tumour: a sphere deformed by lobulation and spikes, from ground glass to solid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexict.phantoms.anatomy import Anatomy, lobe_of
from flexict.phantoms.grid import Array, Grid, blend, coverage, smooth_noise
from flexict.phantoms.lungs import points_in_lung


@dataclass(frozen=True)
class Lesion:
    """A tumour before it is imaged.

    Attributes:
        centre: LPS mm.
        side, lobe: where it lies, for example "right" and "right upper".
        radius: mm of the sphere it is made from.
        solid: fraction of the radius that is solid, 0 (pure ground glass) to 1.
        spiculation: 0 (smooth) to 1 (long, many spikes).
        lobulation: 0 to 1.
        necrosis: fraction of the radius that is necrotic, 0 when none.
        invasion: mm it may reach beyond the lung.
        directions, sharpness, heights: unit vectors `[k, 3]`, concentration and relative height of the bumps.
        texture_seed: seed of the texture within.
    """

    centre: tuple[float, float, float]
    side: str
    lobe: str
    pleural: bool
    radius: float
    solid: float
    spiculation: float
    lobulation: float
    necrosis: float
    invasion: float
    directions: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    heights: NDArray[np.float64]
    texture_seed: int

    @property
    def margin(self) -> str:
        """Its margin as a radiologist describes it: smooth, lobulated or spiculated."""
        if self.spiculation > 0.45:
            return "spiculated"
        return "lobulated" if self.lobulation > 0.45 else "smooth"

    @property
    def density(self) -> str:
        """Its attenuation as a radiologist describes it: ground-glass, part-solid or solid."""
        if self.solid < 0.3:
            return "ground-glass"
        return "part-solid" if self.solid < 0.75 else "solid"


def draw_lesion(anatomy: Anatomy, rng: np.random.Generator, severity: float, progression: float = 0.0) -> Lesion:
    """A tumour whose size, spiculation and density rise with the severity, each with noise of its own.

    The place is chosen for `severity` and the tumour grown to `severity + progression` (both within 0 to 1),
    so that it keeps its place from an earlier scan.
    """
    noise = rng.standard_normal(6)
    chance = rng.uniform(size=4)
    count_lobes, count_spikes = 9, 40
    directions = rng.standard_normal((count_lobes + count_spikes, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    heights = np.abs(rng.normal(0.55, 0.3, size=count_lobes + count_spikes))
    heights[:count_lobes] *= rng.choice([-1.0, 1.0], size=count_lobes)
    spike_sharpness = rng.uniform(70.0, 180.0, size=count_spikes)
    texture_seed = int(rng.integers(2**31))
    side = -1 if chance[0] < 0.57 else 1
    at, pleural = _place(anatomy, side, rng, _radius(severity, noise[0]), touches=bool(chance[1] < 0.3))

    grown = float(np.clip(severity + progression, 0.0, 1.0))
    radius = _radius(grown, noise[0])
    spiculation = float(np.clip(0.05 + 0.8 * grown + 0.16 * noise[1], 0.0, 1.0))
    lobulation = float(np.clip(0.45 + 0.18 * noise[2] + 0.15 * grown, 0.0, 1.0))
    solid = float(np.clip(0.28 + 0.85 * grown + 0.17 * noise[3], 0.0, 1.0))
    necrotic = radius > 20.0 and solid > 0.8 and chance[2] < 0.65
    amplitude = np.concatenate(
        [np.full(count_lobes, 0.28 * lobulation), np.full(count_spikes, 1.15 * max(spiculation - 0.12, 0.0))]
    )
    return Lesion(
        centre=at,
        side="right" if side < 0 else "left",
        lobe=lobe_of(anatomy, at),
        pleural=pleural,
        radius=radius,
        solid=solid,
        spiculation=spiculation,
        lobulation=lobulation,
        necrosis=float(np.clip(0.5 + 0.1 * noise[4], 0.3, 0.7)) if necrotic else 0.0,
        invasion=float(12.0 * np.clip((grown - 0.7) / 0.3, 0.0, 1.0)),
        directions=directions,
        sharpness=np.concatenate([np.full(count_lobes, 5.0), spike_sharpness]),
        heights=heights * amplitude,
        texture_seed=texture_seed,
    )


def paint_lesion(hu: Array, grid: Grid, lesion: Lesion, lung: Array) -> NDArray[np.uint8]:
    """Draw the tumour into `hu`; returns its mask.

    Args:
        hu: `[z, y, x]`, changed in place.
        grid: the grid of `hu`.
        lesion: what to draw.
        lung: distance to the lung on the same grid; the tumour ends `invasion` mm beyond it.

    The mask contains the voxels that the tumour at least half fills (always at least one).
    """
    mask = np.zeros(hu.shape, dtype=np.uint8)
    reach = lesion.radius * 2.2 + grid.edge_mm
    centre = np.array(lesion.centre)
    box = grid.box(centre - reach, centre + reach)
    part = grid.crop(box)
    x, y, z = (axis - np.float32(c) for axis, c in zip((part.x, part.y, part.z), lesion.centre, strict=True))
    rho = np.sqrt(np.square(x) + np.square(y) + np.square(z))
    surface = _surface(lesion, x, y, z, rho)
    distance = rho - surface
    np.maximum(distance, lung[box] - np.float32(lesion.invasion), out=distance)
    inside = coverage(distance, grid.edge_mm)
    if inside.size and not (inside >= 0.5).any():
        inside.flat[int(np.argmin(rho))] = 1.0
    mask[box] = inside >= 0.5

    rng = np.random.default_rng(lesion.texture_seed)
    inner = rho / np.maximum(surface, np.float32(1.0))

    def texture(mean_hu: float, cell_mm: float, std_hu: float) -> Array:
        noise = smooth_noise(rng, part, cell_mm, lesion.centre, 90.0)
        return np.float32(mean_hu) + noise * np.float32(std_hu)

    glass = texture(-660.0 + 330.0 * lesion.solid, 5.0, 35.0)
    tissue = texture(12.0 + 38.0 * lesion.solid, 6.0, 9.0)
    core = np.clip((np.float32(lesion.solid * 1.12) - inner) * np.float32(6.0) + 0.5, 0.0, 1.0)
    matter = glass + (tissue - glass) * (core if lesion.solid < 0.85 else np.float32(1.0))
    if lesion.necrosis > 0:
        hollow = np.clip((np.float32(lesion.necrosis) - inner) * np.float32(5.0), 0.0, 1.0)
        matter = matter + hollow * (np.float32(6.0) - matter)
    # Vessels remain visible within ground glass.
    blend(hu[box], inside, np.maximum(matter, hu[box]) if lesion.solid < 0.75 else matter)
    return mask


def _surface(lesion: Lesion, x: Array, y: Array, z: Array, rho: Array) -> Array:
    """Distance in mm from the centre to the surface in the direction of every voxel."""
    turn = np.float32(1.0) / np.maximum(rho, np.float32(1e-3))
    ux, uy, uz = x * turn, y * turn, z * turn
    relative = np.ones(rho.shape, dtype=np.float32)
    for direction, sharpness, height in zip(lesion.directions, lesion.sharpness, lesion.heights, strict=True):
        if height == 0.0:
            continue
        a, b, c = direction.astype(np.float32)
        relative += np.float32(height) * np.exp(np.float32(sharpness) * (a * ux + b * uy + c * uz - np.float32(1.0)))
    return np.clip(relative, 0.55, 2.1) * np.float32(lesion.radius)


def _radius(severity: float, noise: float) -> float:
    diameter = 7.0 * (76.0 / 7.0) ** severity * np.exp(0.25 * noise)
    return float(np.clip(diameter, 5.0, 84.0)) / 2.0


def _place(
    anatomy: Anatomy, side: int, rng: np.random.Generator, radius: float, *, touches: bool
) -> tuple[tuple[float, float, float], bool]:
    """A centre deep enough for the tumour, or the deepest point found; whether it touches the pleura."""
    points, depth = points_in_lung(anatomy, side, rng, 400)
    wanted = (0.6 * radius, 0.95 * radius) if touches else (1.25 * radius + 3.0, np.inf)
    fits = np.flatnonzero((depth >= wanted[0]) & (depth <= wanted[1]))
    chosen = int(fits[0]) if fits.size else int(np.argmax(depth))
    x, y, z = (float(v) for v in points[chosen])
    return (x, y, z), bool(depth[chosen] < radius)
