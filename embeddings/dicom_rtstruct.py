"""A lesion outlined in a DICOM structure set (PS3.3 A.19) as voxels of its CT.

Convention: a voxel is inside where its centre is; a centre exactly on an outline may fall on either side.
Outlines on one slice are combined even-odd, so that an outline within another is a hole. The method is the
crossing-number test of matplotlib's `Path.contains_points`, in index coordinates of the CT, so that oblique and
mirrored grids need no rule of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from embeddings.image_header import ImageError
from flexict.volume import Volume

TAGS = ("StructureSetROISequence", "ROIContourSequence")
_CONTOUR_DATA = 0x30060050
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_LARGEST_CONTOUR = 2**22  # bytes: 80,000 points with all decimals
_OFF_PLANE = 0.1  # of the distance between slices
_MOST_TESTS = 2 * 10**10  # voxel centres times outline points, half a minute; a lesion takes 10^7


@dataclass(frozen=True)
class StructureSet:
    """The closed outlines of the lesion's ROI.

    Attributes:
        path: what errors name.
        contours: `[points, 3]` each, LPS mm.
    """

    path: Path
    contours: tuple[NDArray[np.float64], ...] = field(repr=False)

    def check(self, grid: Volume) -> None:
        """That the outlines lie on the slices of `grid`.

        Raises:
            ImageError: outlines tilted against the slices or outside the scan, several planes within a slice, or
                none beside another (drawn on another scan).
        """
        self._place(grid)

    def inside(self, grid: Volume) -> NDArray[np.bool_]:
        """The voxels `[z, y, x]` whose centres the outlines enclose.

        An outline belongs to the slice that it is nearest to, within half a spacing.

        Raises:
            ImageError: what `check` raises, or outlines too long to be tested.
        """
        axis, slices, outlines = self._place(grid)
        inside = np.zeros(grid.shape, dtype=np.bool_)
        planes = np.moveaxis(inside, axis, 0)
        boxes = [_box(outline, planes.shape[1:]) for outline in outlines]
        if sum(_size(box) * len(outline) for box, outline in zip(boxes, outlines, strict=True)) > _MOST_TESTS:
            raise ImageError(self.path, "has outlines of far too many points: simplify them, or give a mask of voxels")
        for index, box, outline in zip(slices, boxes, outlines, strict=True):
            planes[(index, *box)] ^= _enclosed(outline, box)
        return inside

    def _place(self, grid: Volume) -> tuple[int, NDArray[np.int64], list[NDArray[np.float64]]]:
        """The axis that the outlines stack along, their slices, and `[points, 2]` indices within the slice."""
        indices = [grid.index_of(contour) for contour in self.contours]
        uneven = np.max([np.ptp(points, axis=0) for points in indices], axis=0)
        flat = np.flatnonzero(uneven <= _OFF_PLANE)
        if not len(flat):
            raise ImageError(self.path, "has outlines tilted against the slices of its CT: draw them on this CT")
        axis = int(flat[0])  # z, where a tiny outline is flat every way
        heights = np.array([points[:, axis].mean() for points in indices])
        outlines = [np.delete(points, axis, axis=1) for points in indices]
        slices = np.rint(heights)
        last = np.delete(np.array(grid.shape), axis) - 1
        outside = (slices < 0) | (slices >= grid.shape[axis])
        # An outline at the edge of the voxels is half a voxel out, and rounded.
        outside |= np.array([bool((p < -1).any() or (p > last + 1).any()) for p in outlines])
        if outside.any():
            count = f"{int(outside.sum())} of {len(outside)}"
            raise ImageError(self.path, f"has {count} outlines outside its CT: give the CT that they were drawn on")
        levels = np.unique(slices)
        spread = max(float(np.ptp(heights[slices == level])) for level in levels)
        if spread > _OFF_PLANE:
            raise ImageError(self.path, "has several outlined planes within one slice of its CT: draw them on this CT")
        if len(levels) > 1 and np.diff(levels).min() > 1:
            apart = f"{np.diff(levels).min():.0f} slices of its CT apart"
            raise ImageError(self.path, f"has outlines {apart}, with none between: draw them on every slice of this CT")
        return axis, slices.astype(np.int64), outlines


def from_tags(path: Path, file: Path, tags: Dataset) -> StructureSet:
    """The outlines of the only ROI, or of the only one that has GTV in its name; `file` is not read again.

    Point markers are left out, and outlines of fewer than three points. ROIs are counted in errors, not named: a
    name may identify.

    Raises:
        ImageError: no ROI or several, open outlines, or none that encloses anything.
        AttributeError, KeyError, IndexError, TypeError, ValueError: tags that are missing or damaged.
    """
    names = {int(roi.ROINumber): str(roi.get("ROIName", "")) for roi in tags.get("StructureSetROISequence") or []}
    if not names:
        raise ImageError(path, "holds no ROI: draw the lesion, or export it again")
    tumours = [number for number, name in names.items() if "GTV" in name.upper()]
    chosen = list(names) if len(names) == 1 else tumours
    if len(chosen) != 1:
        raise ImageError(
            path,
            f"holds {len(names)} ROIs, {len(tumours)} of them with GTV in the name: save the lesion's alone, or name "
            "it GTV and no other",
        )
    contours = []
    for roi in tags.get("ROIContourSequence") or []:
        if int(roi.ReferencedROINumber) == chosen[0]:
            contours += [
                _points(path, contour) for contour in roi.get("ContourSequence") or [] if _is_closed(path, contour)
            ]
    closed = tuple(points for points in contours if len(points) >= 3)
    if not closed:
        raise ImageError(path, "has no closed outline in the lesion's ROI: draw it, or leave the mask out")
    return StructureSet(path, closed)


def _is_closed(path: Path, contour: Dataset) -> bool:
    kind = str(contour.ContourGeometricType)
    if kind not in (*_CLOSED, "POINT"):
        raise ImageError(path, "has open outlines, which enclose nothing: close them")
    return kind != "POINT"


def _points(path: Path, contour: Dataset) -> NDArray[np.float64]:
    """`[points, 3]` LPS mm, read from the stored text: pydicom's numbers take a hundred times the memory."""
    stored = contour.get_item(_CONTOUR_DATA).value or b""
    if not isinstance(stored, bytes):
        raise TypeError("the outline is no text")
    if len(stored) > _LARGEST_CONTOUR:
        raise ImageError(path, f"has an outline of more than {_LARGEST_CONTOUR >> 20} MiB: simplify it")
    text = stored.rstrip(b" \0")
    numbers = np.array([float(part) for part in text.split(b"\\")] if text else [], dtype=np.float64)
    if len(numbers) % 3 or not np.isfinite(numbers).all():
        raise ValueError("the outline is no list of points")
    return numbers.reshape(-1, 3)


def _box(outline: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The voxels whose centres the outline can enclose."""
    low = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    high = np.minimum(np.ceil(outline.max(axis=0)), np.array(shape) - 1).astype(int)
    first, second = (slice(int(a), int(b) + 1) for a, b in zip(low, high, strict=True))
    return first, second


def _size(box: tuple[slice, slice]) -> int:
    return max(box[0].stop - box[0].start, 0) * max(box[1].stop - box[1].start, 0)


def _enclosed(outline: NDArray[np.float64], box: tuple[slice, slice]) -> NDArray[np.bool_]:
    # Loaded only where a structure set is read: it takes as long as all the other readers together.
    from matplotlib.path import Path as Polygon

    rows, columns = np.mgrid[box]
    centres = np.column_stack([rows.ravel(), columns.ravel()])
    found = Polygon(np.vstack([outline, outline[:1]])).contains_points(centres)
    return np.asarray(found, dtype=np.bool_).reshape(rows.shape)
