"""A box of a scan, resized to the input of an encoder: its voxels, the mask on its grid, and its place in the patient.

Torch is imported where it is needed: callers that ask only where a crop lies need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flexict.presets.preprocess import Array, Scan, cut, in_lps_order, mask_at
from flexict.volume import Volume

Mask = NDArray[np.uint8]
Indices = tuple[int, int, int]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Placement:
    """An input's voxels in LPS space, and the box of the patient that it was made from.

    Attributes:
        shape: voxels of the input along z, y, x; a slice has one along z.
        spacing: mm between its voxel centres along x, y, z.
        origin: LPS mm of the centre of its first voxel.
        direction: `[3, 3]`, as of a `Volume`: that of the scan in LPS order.
        box_corner: LPS mm of the outer corner of the box, where x, y and z begin.
        box_mm: edges of the box along x, y, z.
    """

    shape: tuple[int, int, int]
    spacing: Triple
    origin: Triple
    direction: NDArray[np.float64]
    box_corner: Triple
    box_mm: Triple

    def lps_of(self, index_zyx: NDArray[np.floating] | Triple) -> NDArray[np.float64]:
        """LPS mm `[..., 3]` of (fractional) indices `[..., 3]` of the input, given as z, y, x."""
        along = np.asarray(index_zyx, dtype=np.float64)[..., ::-1] * np.asarray(self.spacing)
        return np.asarray(along @ self.direction.T + np.asarray(self.origin))


@dataclass(frozen=True)
class Crop:
    """A box on a grid that starts at the first voxel of the scan in LPS order. Indices are z, y, x.

    Attributes:
        spacing: mm between the voxels of the grid along x, y, z.
        first: index of the box's first voxel; negative where the box begins before the scan.
        counts: voxels of the box.
        size: voxels of the input to which the box is resized; 1 along z for a slice.
        cut: the normalised voxels of `(first, counts)`, padded where the scan ends.
        align_corners: whether the centres of the corner voxels of box and input coincide, not their outer faces.
    """

    scan: Scan
    spacing: Triple
    first: Indices
    counts: Indices
    size: Indices
    cut: Callable[[Indices, Indices], Array]
    align_corners: bool = False

    @property
    def _is_slice(self) -> bool:
        return self.size[0] == 1

    def voxels(self) -> Array:
        """The input `[z, y, x]`, or `[y, x]` of a slice, in standard deviations."""
        box = self.cut(self.first, self.counts)
        if box.shape == self.size:
            return box
        return self._interpolated(box, "bilinear" if self._is_slice else "trilinear", self.align_corners)

    def mask(self, mask: Volume) -> Mask:
        """The lesion on the grid of `voxels`, nearest voxels: 1 in it, 0 elsewhere and beyond the scan.

        Args:
            mask: on the grid of the scan, other than 0 in the lesion.
        """
        if self._is_slice:
            index, *first = self.first
            plane = (in_lps_order(mask).array[index] != 0).astype(np.uint8)
            box = cut(plane[None], (0, *first), self.counts, fill=0)
        else:
            box = cut(mask_at(mask, self.spacing[0]), self.first, self.counts, fill=0)
        if self.align_corners:
            nearest = [np.rint(np.linspace(0, n - 1, m)).astype(int) for n, m in zip(box.shape, self.size, strict=True)]
            return np.ascontiguousarray(box[np.ix_(*nearest)])
        return self._interpolated(box, "nearest-exact").astype(np.uint8)

    @property
    def placement(self) -> Placement:
        """Where the input and its box lie in the patient, LPS mm."""
        image = self.scan.oriented
        step = np.array(self.spacing)
        first, counts, size = (np.array(zyx[::-1]) for zyx in (self.first, self.counts, self.size))
        # A single voxel fills its axis.
        centred = self.align_corners & (counts > 1)
        spacing = step * np.where(centred, (counts - 1) / np.maximum(size - 1, 1), counts / size)
        begin = step * (first - 0.5)
        direction = np.array(image.GetDirection(), dtype=np.float64).reshape(3, 3)

        def lps(along: NDArray[np.float64]) -> Triple:
            return _triple(np.array(image.GetOrigin()) + direction @ along)

        first_centre = np.where(centred, step * first, begin + spacing / 2)
        return Placement(self.size, _triple(spacing), lps(first_centre), direction, lps(begin), _triple(step * counts))

    def _interpolated(self, box: NDArray[np.generic], mode: str, align_corners: bool | None = None) -> Array:
        """The box at the size of the input, float32; without its first axis if it is a slice."""
        import torch
        import torch.nn.functional as F

        size = self.size[1:] if self._is_slice else self.size
        x = torch.from_numpy(np.ascontiguousarray(box[0] if self._is_slice else box, dtype=np.float32))
        return F.interpolate(x[None, None], size=size, mode=mode, align_corners=align_corners)[0, 0].numpy()


def _triple(values: Sequence[float] | NDArray[np.float64]) -> Triple:
    x, y, z = (float(v) for v in values)
    return x, y, z
