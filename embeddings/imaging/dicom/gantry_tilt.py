"""Slices of a tilted gantry shift sideways along the stack; this module resamples them to a rectangular grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.imaging.image_header import ImageError
from embeddings.imaging.plausible_hu import AIR_HU

STEEPEST_DEGREES = 45.0
LEAST_TILT_MM = 1.0


@dataclass(frozen=True)
class Tilt:
    """The shift of each slice against the previous one, and the grid that contains all of them.

    Attributes:
        shift_mm: per slice, along the direction of rows and columns (x, y).
        slice_mm: distance between slices, along their normal.
        added: columns and rows (x, y) that the rectangular grid has in addition to those of a slice.
    """

    shift_mm: tuple[float, float]
    slice_mm: float
    added: tuple[int, int]

    @property
    def degrees(self) -> float:
        """Angle between the stack and the slices' normal."""
        return math.degrees(math.atan2(math.hypot(*self.shift_mm), self.slice_mm))

    def start_mm(self, pixel_mm: tuple[float, float]) -> tuple[float, float]:
        """Start of the rectangular grid relative to the first slice's first pixel (x, y)."""
        starts = (
            -n * mm if shift < 0 else 0.0 for n, mm, shift in zip(self.added, pixel_mm, self.shift_mm, strict=True)
        )
        x, y = starts
        return x, y


def tilt_of(shift_mm: tuple[float, float], slice_mm: float, pixel_mm: tuple[float, float], n_slices: int) -> Tilt:
    """The tilt of a stack; lengths in mm, along x and y of the slices."""
    total = [abs(shift) * (n_slices - 1) for shift in shift_mm]
    x, y = (math.ceil(mm / pixel - 1e-6) for mm, pixel in zip(total, pixel_mm, strict=True))
    return Tilt(shift_mm, slice_mm, (x, y))


def tilt_along(
    folder: Path,
    offsets: NDArray[np.float64],
    spacing_z: float,
    pixel_mm: tuple[float, float],
    n_slices: int,
) -> Tilt | None:
    """The sideways shift of ordered slices; None where there is none.

    Args:
        offsets: `[n, 3]` mm from the first slice, along its rows, its columns and the normal.
        spacing_z, n_slices: of the even grid.

    Raises:
        ImageError: they shift unevenly, or by more than any gantry tilt.
    """
    sideways, heights = offsets[:, :2], offsets[:, 2:]
    if np.abs(sideways).max() <= LEAST_TILT_MM:
        return None
    per_mm = sideways[-1] / heights[-1]
    shift = per_mm * spacing_z
    found = tilt_of((float(shift[0]), float(shift[1])), spacing_z, pixel_mm, n_slices)
    if np.abs(sideways - heights * per_mm).max() > LEAST_TILT_MM or found.degrees > STEEPEST_DEGREES:
        raise ImageError(folder, "has slices that shift sideways unevenly: resample it to a rectangular grid")
    return found


def straightened(voxels: NDArray[np.generic], tilt: Tilt, pixel_mm: tuple[float, float]) -> NDArray[np.generic]:
    """The slices `[z, y, x]` in HU on the rectangular grid, linear within each slice, air outside them."""
    image = sitk.GetImageFromArray(voxels.astype(np.float32))
    image.SetSpacing((*pixel_mm, tilt.slice_mm))
    shear = sitk.AffineTransform(3)
    a, b = (shift / tilt.slice_mm for shift in tilt.shift_mm)
    shear.SetMatrix((1, 0, -a, 0, 1, -b, 0, 0, 1))
    columns, rows, slices = image.GetSize()
    found = sitk.Resample(
        image,
        (columns + tilt.added[0], rows + tilt.added[1], slices),
        shear,
        sitk.sitkLinear,
        (*tilt.start_mm(pixel_mm), 0.0),
        image.GetSpacing(),
        image.GetDirection(),
        float(AIR_HU),
    )
    array = sitk.GetArrayFromImage(found)
    return np.rint(array).astype(np.int32) if voxels.dtype.kind in "iu" else array
