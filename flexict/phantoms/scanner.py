"""How a scanner images the anatomy: kernel, slice thickness, noise and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from flexict.phantoms.grid import Array, Grid

Kernel = Literal["soft", "sharp"]


@dataclass(frozen=True)
class Scanner:
    """A scanner and its reconstruction.

    Attributes:
        name: as in the cohort's `scanner` column.
        kernel: "soft" smooths the image and its noise, "sharp" enhances edges and gives fine-grained noise.
        slice_thickness_mm: full width at half maximum of the slice profile, and the least slice spacing.
        noise_hu: standard deviation of the noise in the middle of the body.
        hu_offset: error of the calibration, added everywhere inside the body.
    """

    name: str
    kernel: Kernel
    slice_thickness_mm: float
    noise_hu: float
    hu_offset: float


SCANNERS = {
    "A": Scanner("A", "soft", slice_thickness_mm=3.0, noise_hu=14.0, hu_offset=0.0),
    "B": Scanner("B", "sharp", slice_thickness_mm=2.0, noise_hu=30.0, hu_offset=6.0),
}


def draw_scanner(rng: np.random.Generator, spacing_mm: float) -> Scanner:
    """A scanner at random whose slices are no thicker than `spacing_mm`, so the grid stays isotropic."""
    kernel: Kernel = "sharp" if rng.random() < 0.4 else "soft"
    low, high = (20.0, 45.0) if kernel == "sharp" else (8.0, 22.0)
    return Scanner(
        name="random",
        kernel=kernel,
        slice_thickness_mm=float(rng.uniform(0.4, 1.0) * spacing_mm),
        noise_hu=float(rng.uniform(low, high)),
        hu_offset=float(rng.normal(0.0, 5.0)),
    )


def scan(hu: Array, grid: Grid, scanner: Scanner, rng: np.random.Generator) -> np.ndarray:
    """Image `hu` `[z, y, x]` with `scanner`; returns int16 HU in [-1024, 3071].

    The noise passes through the same filters as the anatomy, as in filtered back-projection, and is scaled so
    that `noise_hu` remains after them. It is strongest where the body is thickest.
    """
    in_plane = _in_plane_taps(scanner.kernel, grid.spacing[0])
    through = _gaussian_taps(scanner.slice_thickness_mm / 2.355 / grid.spacing[2])
    gain = float(np.linalg.norm(in_plane)) ** 2 * float(np.linalg.norm(through))
    centre_weight = 0.45 + 0.55 * np.exp(-np.square(grid.x / 130.0) - np.square(grid.y / 100.0))
    image = rng.standard_normal(hu.shape, dtype=np.float32)
    image *= (centre_weight * scanner.noise_hu / gain).astype(np.float32)
    image += hu
    for axis, taps in ((0, through), (1, in_plane), (2, in_plane)):
        if len(taps) > 1:
            image = ndimage.correlate1d(image, taps, axis=axis, mode="nearest")
    # The calibration of air is exact by definition; tissue carries the error.
    image += np.clip((image + 1000.0) * np.float32(1 / 900.0), 0.0, 1.0) * np.float32(scanner.hu_offset)
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def _gaussian_taps(sigma: float) -> np.ndarray:
    reach = int(np.ceil(2.5 * sigma)) if sigma > 0.15 else 0
    taps = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / max(sigma, 1e-6)))
    return np.asarray(taps / taps.sum())


def _in_plane_taps(kernel: Kernel, spacing_mm: float) -> np.ndarray:
    if kernel == "soft":
        return _gaussian_taps(1.1 / spacing_mm)
    blurred = _gaussian_taps(max(1.6 / spacing_mm, 0.5))
    taps = -0.35 * blurred
    taps[len(taps) // 2] += 1.35
    return np.asarray(taps)
