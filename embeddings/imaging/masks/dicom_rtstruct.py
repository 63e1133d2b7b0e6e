"""A lesion outlined in a DICOM structure set (PS3.3 A.19) as voxels of its CT.

Convention: a voxel is inside if its centre is; a centre exactly on an outline may fall on either side. On one slice an
outline within another is a hole, outlines side by side or overlapping are one area, and an outline that was drawn twice
counts once (see `outlines`); outlines of the type CLOSEDPLANAR_XOR are combined even-odd, as the standard says. All
computations use index coordinates of the CT, so that oblique and mirrored grids need no special rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from embeddings.imaging.image_header import ImageError
from embeddings.imaging.masks.mask_labels import MaskLabel, anonymous, choose_label, several
from embeddings.imaging.masks.outlines import combined, filled
from flexict.volume import Volume

TAGS = ("StructureSetROISequence", "ROIContourSequence")
_CONTOUR_DATA = 0x30060050
_XOR = "CLOSEDPLANAR_XOR"
_CLOSED = ("CLOSED_PLANAR", _XOR)
_LARGEST_CONTOUR = 2**22  # bytes: 80,000 points with all decimals
_OFF_PLANE = 0.1  # of the distance between slices
_FARTHEST = 2**20  # voxels from the CT's first voxel
_MOST_TESTS = 2 * 10**9  # rows that outlines cross, and pairs of points on one slice: a minute; a lesion needs 10^6


@dataclass(frozen=True)
class StructureSet:
    """The closed outlines of the lesion's ROI.

    Attributes:
        path: named in errors.
        contours: `[points, 3]` each, LPS mm.
        even_odd: whether outlines that overlap cancel each other.
    """

    path: Path
    contours: tuple[NDArray[np.float64], ...] = field(repr=False)
    even_odd: bool = False

    @property
    def n_read(self) -> int:
        """Voxels that `inside` reads: none, the outlines are known."""
        return 0

    def check(self, grid: Volume) -> tuple[str, ...]:
        """Check that the outlines lie on the slices of `grid`; returns notes for users.

        Raises:
            ImageError: outlines tilted against the slices or all outside the scan, several planes within a slice, or
                none beside another (drawn on another scan).
        """
        return self._position(grid)[3]

    def inside(self, grid: Volume) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        """The voxels `[z, y, x]` whose centres the outlines enclose, and notes for users.

        An outline belongs to the nearest slice, within half a spacing. Parts outside the scan are cut off.

        Raises:
            ImageError: what `check` raises, or outlines with too many points.
        """
        axis, slices, outlines, notes = self._position(grid)
        inside = np.zeros(grid.shape, dtype=np.bool_)
        planes = np.moveaxis(inside, axis, 0)
        shape = (planes.shape[1], planes.shape[2])
        on_slice = {index: [outlines[n] for n in np.flatnonzero(slices == index)] for index in np.unique(slices)}
        if sum(_tests(some, shape) for some in on_slice.values()) > _MOST_TESTS:
            raise ImageError(self.path, "has outlines with too many points: simplify them, or give a mask of voxels")
        for index, some in on_slice.items():
            if self.even_odd:
                planes[index] = np.logical_xor.reduce([filled(outline, shape) for outline in some])
            else:
                planes[index] = combined(some, shape)
        return inside, notes

    def _position(self, grid: Volume) -> tuple[int, NDArray[np.int64], list[NDArray[np.float64]], tuple[str, ...]]:
        """The stacking axis of the outlines, their slices, `[points, 2]` indices within the slice, and notes.

        Outlines entirely outside the scan are left out.
        """
        indices = [grid.index_of(contour) for contour in self.contours]
        if max(np.abs(points).max() for points in indices) > _FARTHEST:
            raise ImageError(self.path, "has outlines far beyond its CT: export it again")
        uneven = np.max([np.ptp(points, axis=0) for points in indices], axis=0)
        flat = np.flatnonzero(uneven <= _OFF_PLANE)
        if not len(flat):
            raise ImageError(self.path, "has outlines tilted against the slices of its CT: draw them on this CT")
        axis = int(flat[0])  # z, where a tiny outline is flat along every axis
        heights = np.array([points[:, axis].mean() for points in indices])
        outlines = [np.delete(points, axis, axis=1) for points in indices]
        slices = np.rint(heights)
        levels = np.unique(slices)
        spread = max(float(np.ptp(heights[slices == level])) for level in levels)
        if spread > _OFF_PLANE:
            raise ImageError(self.path, "has several outlined planes within one slice of its CT: draw them on this CT")
        if len(levels) > 1 and np.diff(levels).min() > 1:
            apart = f"{np.diff(levels).min():.0f} slices of its CT apart"
            raise ImageError(self.path, f"has outlines {apart}, with none between: draw them on every slice of this CT")
        last = np.delete(np.array(grid.shape), axis) - 1
        off_slices = (slices < 0) | (slices >= grid.shape[axis])
        outside = off_slices | np.array([bool(((p.max(0) < 0) | (p.min(0) > last)).any()) for p in outlines])
        # An outline around the edge voxels is half a voxel outside, plus rounding.
        beyond = outside | np.array([bool((p < -1).any() or (p > last + 1).any()) for p in outlines])
        if outside.all():
            count = f"{len(outside)} of {len(outside)}"
            raise ImageError(self.path, f"has {count} outlines outside its CT: give the CT that they were drawn on")
        notes = [*_beyond_note(beyond), *_gap_note(slices, outlines)]
        kept = np.flatnonzero(~outside)
        return axis, slices[kept].astype(np.int64), [outlines[n] for n in kept], tuple(notes)


def _beyond_note(beyond: NDArray[np.bool_]) -> list[str]:
    if not beyond.any():
        return []
    count = f"{int(beyond.sum())} of {len(beyond)} outlines"
    return [f"{count} of the lesion extend beyond the CT and are cut at its edge: check that this CT is the right one"]


def _gap_note(slices: NDArray[np.float64], outlines: list[NDArray[np.float64]]) -> list[str]:
    """Slices without an outline between two slices whose outlines overlap; two separate lesions do not count."""
    n_skipped, levels = 0, np.unique(slices)
    for below, above in pairwise(levels):
        if above - below > 1:
            one, two = (np.concatenate([outlines[n] for n in np.flatnonzero(slices == z)]) for z in (below, above))
            if ((one.min(0) <= two.max(0)) & (two.min(0) <= one.max(0))).all():
                n_skipped += int(above - below) - 1
    if not n_skipped:
        return []
    what = f"{n_skipped} slice{'s' if n_skipped > 1 else ''} between outlined ones"
    return [f"the lesion has no outline on {what}, so no voxel there: outline it if it was missed"]


def _tests(outlines: list[NDArray[np.float64]], shape: tuple[int, int]) -> float:
    """Upper bound of the tests for one slice: rows that each outline crosses, pairs of points, pairs of outlines."""
    points = np.array([len(outline) for outline in outlines], dtype=np.float64)
    rows = [min(float(np.ptp(outline[:, 0])) + 1, shape[0]) for outline in outlines]
    return float(points @ rows + points.sum() ** 2 - (points**2).sum() + 500.0 * (len(points) ** 2 - len(points)))


def from_tags(path: Path, file: Path, tags: Dataset, wanted: str | None = None) -> StructureSet:
    """The outlines of the lesion's ROI; `file` is not read again.

    The ROI is the one that `wanted` gives by number or name; else the only one, or of those with GTV in their name the
    only one that has outlines. Point markers and outlines of fewer than three points are left out. Errors show the
    numbers of ROIs, and names only where they are made of common words: a name may identify a person.

    Raises:
        ImageError: no ROI or several, open outlines, or none that encloses an area.
        AttributeError, KeyError, IndexError, TypeError, ValueError: tags that are missing or damaged.
    """
    names = {int(roi.ROINumber): str(roi.get("ROIName", "")) for roi in tags.get("StructureSetROISequence") or []}
    if not names:
        raise ImageError(path, "contains no ROI: draw the lesion, or export it again")
    labels = [MaskLabel(number, name) for number, name in names.items()]
    if wanted is not None:
        chosen = int(choose_label(path, "ROI", anonymous(labels, wanted), wanted).number)
    elif len(labels) == 1:
        chosen = int(labels[0].number)
    else:
        tumours = [int(label.number) for label in labels if "GTV" in label.name.upper()]
        drawn = [
            number for number in tumours if any(len(_points(path, contour)) >= 3 for contour in _contours(tags, number))
        ]
        if len(tumours) > 1 and not drawn:
            raise ImageError(path, "has no closed outline in its GTVs: draw the lesion, or leave the mask out")
        if len(tumours) != 1 and len(drawn) != 1:
            raise several(path, "ROI", anonymous(labels), f", {len(tumours)} of them with GTV in the name")
        chosen = (drawn or tumours)[0]
    closed = []
    for contour in _contours(tags, chosen):
        kind = str(contour.ContourGeometricType)
        if kind not in _CLOSED:
            raise ImageError(path, "has open outlines, which enclose nothing: close them")
        points = _points(path, contour)
        if len(points) >= 3:
            closed.append((points, kind))
    if not closed:
        raise ImageError(path, "has no closed outline in the lesion's ROI: draw it, or leave the mask out")
    return StructureSet(path, tuple(points for points, _ in closed), any(kind == _XOR for _, kind in closed))


def _contours(tags: Dataset, number: int) -> list[Dataset]:
    """The contours of a ROI that are more than point markers."""
    return [
        contour
        for roi in tags.get("ROIContourSequence") or []
        if int(roi.ReferencedROINumber) == number
        for contour in roi.get("ContourSequence") or []
        if str(contour.ContourGeometricType) != "POINT"
    ]


def _points(path: Path, contour: Dataset) -> NDArray[np.float64]:
    """`[points, 3]` LPS mm, parsed from the stored text: pydicom's numbers need a hundred times the memory."""
    stored = contour.get_item(_CONTOUR_DATA).value or b""
    if not isinstance(stored, bytes):
        raise TypeError("the outline is not text")
    if len(stored) > _LARGEST_CONTOUR:
        raise ImageError(path, f"has an outline of more than {_LARGEST_CONTOUR >> 20} MiB: simplify it")
    text = stored.rstrip(b" \0")
    numbers = np.array([float(part) for part in text.split(b"\\")] if text else [], dtype=np.float64)
    if len(numbers) % 3 or not np.isfinite(numbers).all():
        raise ValueError("the outline is not a list of points")
    return numbers.reshape(-1, 3)
