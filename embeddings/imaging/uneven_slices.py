"""Slices of several spacings, as in older head CTs, and the even grid to which they are resampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flexict.volume import Volume

_ROUNDING = 0.05  # of the spacing: positions in headers are rounded


@dataclass(frozen=True)
class UnevenSlices:
    """The positions of the acquired slices, and the grid of their finest spacing.

    Attributes:
        heights_mm: of each acquired slice along the normal, ascending from 0.
        first_mm: of the grid's first slice; within half a spacing of 0. Slices of the finest part lie on the grid.
        spacing_mm: the finest distance.
        n_slices: of the grid.
        spacings_mm: the distances found, ascending.
    """

    heights_mm: tuple[float, ...] = field(repr=False)
    first_mm: float
    spacing_mm: float
    n_slices: int
    spacings_mm: tuple[float, ...]

    @classmethod
    def at(
        cls, heights_mm: NDArray[np.float64], finest_at: int, spacing_mm: float, spacings_mm: Sequence[float]
    ) -> UnevenSlices:
        """The grid through the slice `finest_at`, to within half a spacing of the outermost slices."""
        anchor = float(heights_mm[finest_at])
        before = round((anchor - float(heights_mm[0])) / spacing_mm)
        after = round((float(heights_mm[-1]) - anchor) / spacing_mm)
        return cls(
            tuple(map(float, heights_mm)),
            anchor - before * spacing_mm,
            spacing_mm,
            before + after + 1,
            tuple(sorted({float(f"{mm:.2g}") for mm in spacings_mm})),
        )

    def note(self) -> str:
        """The note for users on the resampling."""
        *others, widest = (f"{mm:g}" for mm in self.spacings_mm)
        return f"its slices are {', '.join(others)} and {widest} mm apart: resampled to {self.spacing_mm:.3g} mm"

    def resampled(self, voxels: NDArray[np.generic]) -> NDArray[np.generic]:
        """The acquired slices `[n, y, x]` on the even grid `[n_slices, y, x]`, linear between neighbours."""
        heights = np.array(self.heights_mm)
        made = np.empty((self.n_slices, *voxels.shape[1:]), dtype=voxels.dtype)
        for place, mm in enumerate(self._grid_mm()):
            nearest = int(np.abs(heights - mm).argmin())
            if not heights[0] < mm < heights[-1] or abs(heights[nearest] - mm) <= _ROUNDING * self.spacing_mm:
                made[place] = voxels[nearest]
                continue
            above = int(np.searchsorted(heights, mm))
            share = np.float32((mm - heights[above - 1]) / (heights[above] - heights[above - 1]))
            mixed = voxels[above - 1].astype(np.float32) * (1 - share) + voxels[above].astype(np.float32) * share
            made[place] = np.rint(mixed) if voxels.dtype.kind in "iu" else mixed
        return made

    def acquired_grid(self, grid: Volume) -> Volume:
        """A grid with one slice per acquired slice, to which the points of `on_acquired_grid` belong."""
        shape = (len(self.heights_mm), *grid.shape[1:])
        return Volume(np.broadcast_to(np.uint8(0), shape), grid.spacing, grid.origin, grid.direction)

    def on_acquired_grid(self, points_lps: NDArray[np.float64], grid: Volume) -> NDArray[np.float64]:
        """Points `[n, 3]` (LPS mm), moved along the normal so that acquired slices are evenly spaced.

        Args:
            grid: the even grid of the series.
        """
        normal = grid.direction[:, 2]
        along = (points_lps - np.asarray(grid.origin)) @ normal
        heights, last = np.array(self.heights_mm), len(self.heights_mm) - 1
        height = along + self.first_mm
        index = np.interp(height, heights, np.arange(len(heights)))
        index += np.minimum(height - heights[0], 0) / (heights[1] - heights[0])
        index += np.maximum(height - heights[last], 0) / (heights[last] - heights[last - 1])
        return np.asarray(points_lps + (index * grid.spacing[2] - along)[:, None] * normal)

    def from_acquired_grid(self, drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask `[n, y, x]` of the acquired slices on the even grid: each slice as the nearest acquired one."""
        heights = np.array(self.heights_mm)
        return drawn[np.abs(heights[None, :] - self._grid_mm()[:, None]).argmin(axis=1)]

    def _grid_mm(self) -> NDArray[np.float64]:
        return np.asarray(self.first_mm + self.spacing_mm * np.arange(self.n_slices), dtype=np.float64)
