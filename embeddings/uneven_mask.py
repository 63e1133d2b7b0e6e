"""DICOM masks on the slices that they were drawn on, also where those are resampled to an even grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from embeddings.dicom_rtstruct import StructureSet
from embeddings.dicom_seg import Segmentation
from embeddings.uneven_slices import UnevenSlices
from flexict.volume import Volume


def drawn_on(mask: Segmentation | StructureSet, grid: Volume, uneven: UnevenSlices | None) -> NDArray[np.bool_]:
    """The lesion `[z, y, x]` on the grid of its CT. Raises what the mask's `inside` raises."""
    if uneven is None:
        return mask.inside(grid)
    return uneven.from_acquired_grid(_moved(mask, grid, uneven).inside(uneven.acquired_grid(grid)))


def check_on(mask: Segmentation | StructureSet, grid: Volume, uneven: UnevenSlices | None) -> None:
    """That the mask lies on the slices of its CT. Raises what the mask's `check` raises."""
    if uneven is None:
        mask.check(grid)
    else:
        _moved(mask, grid, uneven).check(uneven.acquired_grid(grid))


def _moved(mask: Segmentation | StructureSet, grid: Volume, uneven: UnevenSlices) -> Segmentation | StructureSet:
    if isinstance(mask, Segmentation):
        return replace(mask, corners=uneven.on_acquired_grid(mask.corners, grid))
    return replace(mask, contours=tuple(uneven.on_acquired_grid(points, grid) for points in mask.contours))
