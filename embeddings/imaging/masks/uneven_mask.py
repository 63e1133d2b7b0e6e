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
    if uneven is None or isinstance(mask, VoxelMask):
        return mask.inside(grid)
    drawn, notes = _moved(mask, grid, uneven).inside(uneven.acquired_grid(grid))
    return uneven.from_acquired_grid(drawn), notes


def check_on(mask: LesionMask, grid: Volume, uneven: UnevenSlices | None) -> tuple[str, ...]:
    """Notes for users on the mask and the slices of its CT. Raises what the mask's `check` raises."""
    if uneven is None or isinstance(mask, VoxelMask):
        return mask.check(grid)
    return _moved(mask, grid, uneven).check(uneven.acquired_grid(grid))


def _moved(mask: Segmentation | StructureSet, grid: Volume, uneven: UnevenSlices) -> Segmentation | StructureSet:
    if isinstance(mask, Segmentation):
        corners, all_corners = (uneven.on_acquired_grid(some, grid) for some in (mask.corners, mask.all_corners))
        return replace(mask, corners=corners, all_corners=all_corners)
    return replace(mask, contours=tuple(uneven.on_acquired_grid(points, grid) for points in mask.contours))
