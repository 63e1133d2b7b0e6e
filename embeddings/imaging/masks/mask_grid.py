"""A mask on its own grid, resampled to the grid of its CT.

Where the voxels of both coincide, in any order and direction of the axes, each voxel keeps its value. Elsewhere each
voxel of the CT takes the value of the nearest voxel of the mask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from embeddings.formatting import counted
from embeddings.imaging.image_header import ImageError, ImageHeader
from flexict.volume import Volume

# Of a voxel: origins and spacings in headers are rounded.
_OFF_GRID = 0.1
_UNNOTED_MM = 0.05
_ROUNDING = 0.5e-6
_APART = "lies outside its CT ({grids}): give the mask that was drawn on this CT"


@dataclass(frozen=True)
class Placement:
    """The position of a mask's voxels on the grid of its CT.

    Attributes:
        matrix, offset: index of the mask `[z, y, x]` = matrix @ index of the CT + offset; whole numbers where
            `lossless` holds.
        lossless: every voxel of one grid coincides with one of the other, or lies outside it.
        notes: what users should know, a sentence each.
    """

    path: Path
    shape: tuple[int, int, int]
    matrix: NDArray[np.float64] = field(repr=False)
    offset: NDArray[np.float64] = field(repr=False)
    lossless: bool
    notes: tuple[str, ...]

    def placed(self, inside: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        """The mask's voxels `[z, y, x]` on the CT's grid, and the notes with what of them was lost.

        Raises:
            ImageError: the mask has voxels, but none of them lies in a voxel of the CT.
        """
        same = self.shape == inside.shape and (self.matrix == np.eye(3)).all() and not self.offset.any()
        found = inside if same else self._nearest(inside)
        lost = int(inside.sum()) - int(found.sum()) if self.lossless else 0
        if not found.any() and inside.any():
            raise ImageError(self.path, "marks no voxel of its CT: give the mask that was drawn on this CT")
        return found, (*self.notes, outside_note(lost)) if lost else self.notes

    def _nearest(self, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The nearest voxel of the mask at every voxel of the CT that the lesion can reach."""
        found = np.zeros(self.shape, dtype=np.bool_)
        box = ndimage.find_objects(inside.view(np.uint8))
        if not box:
            return found
        ends = np.array([(axis.start - 0.5, axis.stop - 0.5) for axis in box[0]]).T
        corners = (_corners(ends) - self.offset) @ np.linalg.inv(self.matrix).T
        low = np.clip(np.floor(corners.min(axis=0)), 0, self.shape).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, self.shape).astype(int)
        if (high > low).all():
            found[tuple(map(slice, low, high))] = ndimage.affine_transform(
                inside.view(np.uint8),
                self.matrix,
                # Halfway between two voxels, as on a grid of twice the spacing, all are rounded in the same direction.
                self.matrix @ low + self.offset + _ROUNDING,
                tuple(high - low),
                order=0,
                mode="grid-constant",
            )
        return found


def outside_note(count: int) -> str:
    """The note on a lesion that extends beyond its CT."""
    what = counted(count, "voxel of the mask lies", "voxels of the mask lie")
    return f"{what} outside the CT: left out"


def place(path: Path, mask: Volume, grid: Volume) -> Placement:
    """The position of a mask's grid in the grid of its CT, from headers alone.

    Raises:
        ImageError: the two do not overlap.
    """
    start = mask.index_of(grid.lps_of((0.0, 0.0, 0.0)))
    matrix = np.stack([mask.index_of(grid.lps_of(tuple(unit))) - start for unit in np.eye(3)], axis=1)
    _check_overlap(path, mask, grid)
    whole, shift = np.rint(matrix), np.rint(start)
    moves = (np.abs(whole).sum(axis=0) == 1).all() and (np.abs(whole).sum(axis=1) == 1).all()
    if moves:
        # Compared where the two overlap: a mask may cover a small part of its CT.
        common = _common_corners(mask, grid)
        off = np.abs(common @ matrix.T + start - common @ whole.T - shift)
        if off.max() <= _OFF_GRID:
            off_mm = float(np.linalg.norm(off * np.array(mask.spacing[::-1]), axis=1).max())
            rounded = f"the mask is {off_mm:.2g} mm off the voxels of its CT, which is treated as rounding error"
            notes = (rounded,) if off_mm > _UNNOTED_MM else ()
            return Placement(path, grid.shape, whole, shift, True, notes)
    note = f"the mask is on another grid than its CT ({_grids(mask, grid)}): each CT voxel takes the nearest mask voxel"
    return Placement(path, grid.shape, matrix, start, False, (note,))


def _check_overlap(path: Path, mask: Volume, grid: Volume) -> None:
    for one, other in ((mask, grid), (grid, mask)):
        corners = other.index_of(one.lps_of(_corners(_whole_box(one.shape))))
        if (corners.max(axis=0) < -0.5).any() or (corners.min(axis=0) > np.array(other.shape) - 0.5).any():
            raise ImageError(path, _APART.format(grids=_grids(mask, grid, places=True)))


def _common_corners(mask: Volume, grid: Volume) -> NDArray[np.float64]:
    """Corner voxels of the part of the CT that the mask covers, as indices of the CT."""
    corners = grid.index_of(mask.lps_of(_corners(_whole_box(mask.shape, 0.0))))
    last = np.array(grid.shape) - 1.0
    return _corners(np.array([np.clip(corners.min(axis=0), 0, last), np.clip(corners.max(axis=0), 0, last)]))


def _grids(mask: Volume, grid: Volume, places: bool = False) -> str:
    words = [_words(one) for one in (mask, grid)]
    if places or words[0] == words[1]:
        starts = (" / ".join(f"{mm:.1f}" for mm in one.origin) for one in (mask, grid))
        words = [f"{word} from {start}" for word, start in zip(words, starts, strict=True)]
    return " against ".join(words)


def _words(grid: Volume) -> str:
    return ImageHeader(grid.shape, grid.spacing, "", grid.origin, grid.direction).describe()


def _whole_box(shape: tuple[int, int, int], edge: float = 0.5) -> NDArray[np.float64]:
    """First and last index of a grid, with the outer halves of its voxels."""
    return np.array([np.full(3, -edge), np.array(shape) - 1.0 + edge])


def _corners(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([(a, b, c) for a in box[:, 0] for b in box[:, 1] for c in box[:, 2]], dtype=np.float64)
