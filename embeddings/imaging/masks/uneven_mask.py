"""Lesion masks on the grid of their CT, also where its slices were resampled from uneven distances.

A DICOM mask was drawn on the acquired slices, so it is placed on those first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from embeddings.imaging.masks.dicom_rtstruct import StructureSet
from embeddings.imaging.masks.dicom_seg import Segmentation
from embeddings.imaging.masks.voxel_mask import VoxelMask
from embeddings.imaging.uneven_slices import UnevenSlices
from flexict.volume import Volume

LesionMask = Segmentation | StructureSet | VoxelMask


def drawn_on(mask: LesionMask, grid: Volume, uneven: UnevenSlices | None) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """The lesion `[z, y, x]` on the grid of its CT, and notes for users. Raises what `inside` raises."""
    acquired, acquired_grid = _on_acquired_slices(mask, grid, uneven)
    inside, notes = acquired.inside(acquired_grid)
    return inside if uneven is None or acquired is mask else uneven.from_acquired_grid(inside), notes


def check_on(mask: LesionMask, grid: Volume, uneven: UnevenSlices | None) -> tuple[str, ...]:
    """Notes for users on the mask and the slices of its CT. Raises what the mask's `check` raises."""
    acquired, acquired_grid = _on_acquired_slices(mask, grid, uneven)
    return acquired.check(acquired_grid)


def _on_acquired_slices(mask: LesionMask, grid: Volume, uneven: UnevenSlices | None) -> tuple[LesionMask, Volume]:
    """A DICOM mask moved to the acquired slices, and their grid; other masks and even slices are unchanged."""
    if uneven is None or isinstance(mask, VoxelMask):
        return mask, grid
    if isinstance(mask, Segmentation):
        corners, all_corners = (uneven.on_acquired_grid(some, grid) for some in (mask.corners, mask.all_corners))
        return replace(mask, corners=corners, all_corners=all_corners), uneven.acquired_grid(grid)
    contours = tuple(uneven.on_acquired_grid(points, grid) for points in mask.contours)
    return replace(mask, contours=contours), uneven.acquired_grid(grid)
