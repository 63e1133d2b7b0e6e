"""Lesion masks as voxel images: one label or several, fractions, and 3D Slicer segmentations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings.imaging.image_header import ImageHeader
from embeddings.imaging.masks.mask_grid import Placement, place
from embeddings.imaging.masks.mask_labels import MaskLabel, choose_label, number_of, several
from embeddings.imaging.masks.slicer_segmentation import Segment
from flexict.volume import Volume


@dataclass(frozen=True)
class VoxelMask:
    """A mask whose header was read.

    Attributes:
        path: named in errors.
        wanted: number or name of the lesion's label; None where the mask must have only one.
        read: returns the voxels `[z, y, x]`, or `[z, y, x, layers]` of a 3D Slicer segmentation.
        segments: the segments of a 3D Slicer segmentation.
    """

    path: Path
    header: ImageHeader
    wanted: str | None
    read: Callable[[], NDArray[np.generic]] = field(repr=False)
    segments: tuple[Segment, ...] = ()

    @property
    def n_read(self) -> int:
        """Voxels that `inside` reads."""
        n_layers = 1 + max((segment.layer for segment in self.segments), default=0)
        return int(np.prod(self.header.shape_zyx, dtype=object)) * n_layers

    def check(self, grid: Volume) -> tuple[str, ...]:
        """Check by the header that the mask overlaps `grid` and has the label; returns notes for users.

        Raises:
            ImageError: no overlap, or no segment of that number or name.
        """
        return self._placement(grid).notes

    def inside(self, grid: Volume) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        """The lesion's voxels `[z, y, x]` on `grid`, and notes for users.

        Raises:
            ImageError: what `check` raises, a damaged file, several labels and none wanted, or none that matches.
        """
        placement = self._placement(grid)
        array = self.read()
        return placement.placed(self._of_segments(array) if self.segments else self._of_voxels(array))

    def _placement(self, grid: Volume) -> Placement:
        if self.segments and self.wanted is not None:
            self._wanted_segment(self.wanted)
        return place(self.path, self.header.grid(), grid)

    def _of_voxels(self, array: NDArray[np.generic]) -> NDArray[np.bool_]:
        """The label of a plain mask: the only value beside 0, the wanted one, or fractions of at least one half."""
        number = None if self.wanted is None else number_of(self.wanted)
        fractions = array.dtype.kind == "f" and float(array.min()) >= 0 and float(array.max()) <= 1
        if fractions and (self.wanted is None or number == 1):
            return np.greater_equal(array, 0.5)
        if number is not None and number != 0:
            inside = np.asarray(array == number)
            if inside.any():
                return inside
        inside = array != 0
        labels = [MaskLabel(float(value)) for value in np.unique(array[inside])]
        if self.wanted is not None:
            chosen = choose_label(self.path, "label", labels, self.wanted)
            return np.asarray(array == chosen.number)
        if len(labels) > 1:
            raise several(self.path, "label", labels)
        return inside

    def _of_segments(self, layers: NDArray[np.generic]) -> NDArray[np.bool_]:
        """The wanted segment, or the only one with voxels."""
        if self.wanted is not None:
            return self._wanted_segment(self.wanted).inside(layers)
        drawn = [one for one in self.segments if one.inside(layers).any()]
        if len(drawn) > 1:
            raise several(self.path, "segment", [one.label for one in drawn])
        if drawn or layers.shape[3] > 1:
            return drawn[0].inside(layers) if drawn else np.zeros(layers.shape[:3], dtype=np.bool_)
        return self._of_voxels(layers[..., 0])  # the voxels contradict the header

    def _wanted_segment(self, wanted: str) -> Segment:
        chosen = choose_label(self.path, "segment", [one.label for one in self.segments], wanted)
        return next(one for one in self.segments if one.label is chosen)
