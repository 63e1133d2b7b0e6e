"""Slices of a CT in LPS order, cut along the three planes of its grid, and where they lie in millimetres.

A place in an item is given in *item millimetres*: mm along the grid's x, y and z from the item's centre. They are
what panels share; LPS is `centre + direction @ place`. On the screen a plane shows `across` to the right and `down`
downwards, each in item millimetres, turned where the head must be on top.

Slices are counted along the axes of the grid in LPS order, from the feet, the front and the patient's right: from 0
within the program, from 1 wherever people read a number (`slice_number`, and `sliceNumber` of geometry.js).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from flexict.errors import FlexiCTError
from flexict.volume import Volume

MOST_PIXELS = 320
# Where a browser names a place: msgspec refuses what is further away, and NaN.
Mm = Annotated[float, msgspec.Meta(ge=-5000.0, le=5000.0)]
Place = tuple[float, float, float]


class NoSliceError(FlexiCTError):
    """The browser asks for a slice that the scan does not have."""


@dataclass(frozen=True)
class Plane:
    """A plane of the viewer; axes are 0, 1, 2 for x, y, z.

    Attributes:
        through: axis that it is scrolled along.
        across, down: axes on the screen.
        turned: whether `down` runs against its axis, so that the head is on top.
        letters: patient's side at the left, right, top and bottom of the picture.
    """

    name: str
    through: int
    across: int
    down: int
    turned: bool
    letters: str


PLANES: Mapping[str, Plane] = {
    plane.name: plane
    for plane in (
        Plane("axial", 2, 0, 1, False, "RLAP"),
        Plane("coronal", 1, 0, 2, True, "RLHF"),
        Plane("sagittal", 0, 1, 2, True, "APHF"),
    )
}


class Region(msgspec.Struct, frozen=True, array_like=True):
    """A rectangle of a plane on the screen, item mm (within 5 m): only this part is cut, at a finer step.

    Raises ValueError where it has no area.
    """

    left: Mm
    top: Mm
    right: Mm
    bottom: Mm

    def __post_init__(self) -> None:
        if not (self.left < self.right and self.top < self.bottom):
            raise ValueError("a region without an area")


@dataclass(frozen=True)
class Slice:
    """A slice, or a region of one, as it is drawn.

    Attributes:
        pixels: `[rows, columns]` int16 HU, top row first.
        mask: the same, 1 in the lesion; None where no voxel of it is.
        left, top: item mm on the screen of the outer corner of the first pixel.
        pixel_mm: width and height of a pixel.
        step: voxels averaged into one pixel, across and down; (1, 1) is the scan's own resolution.
    """

    pixels: NDArray[np.int16]
    mask: NDArray[np.uint8] | None
    left: float
    top: float
    pixel_mm: tuple[float, float]
    step: tuple[int, int]


def slice_index(volume: Volume, plane: Plane, centre: Place, offset_mm: float) -> int:
    """The slice that lies `offset_mm` along the plane's axis from the centre (index x, y, z), or the scan's nearest."""
    index = centre[plane.through] + offset_mm / volume.spacing[plane.through]
    # Half way between two slices it is the upper one, as in geometry.js: Python's `round` would take the even one.
    return int(np.clip(np.floor(index + 0.5), 0, slice_count(volume, plane) - 1))


def slice_number(index: int) -> int:
    """The number that people read for a slice: the first along the axis is 1."""
    return index + 1


def slice_count(volume: Volume, plane: Plane) -> int:
    """How many slices a scan has in a plane."""
    return _count(volume, plane.through)


def place_to_lps(volume: Volume, centre: Place, place: Place) -> Place:
    """LPS mm of a place in item mm, for an item with its centre at an index x, y, z."""
    index = np.asarray(centre) + np.asarray(place) / np.asarray(volume.spacing)
    x, y, z = (float(v) for v in volume.lps_of(index[::-1]))
    return x, y, z


def lps_to_place(volume: Volume, centre: Place, lps: Place) -> Place:
    """The place in item mm of a point in LPS mm."""
    index = volume.index_of(lps)[::-1]
    x, y, z = (float(v) for v in (index - np.asarray(centre)) * np.asarray(volume.spacing))
    return x, y, z


def cut(
    volume: Volume,
    mask: Volume | None,
    plane: Plane,
    index: int,
    centre: Place,
    region: Region | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Slice:
    """A slice of a CT in LPS order, averaged in blocks where an edge would have more than `most_pixels`.

    Args:
        volume: CT in LPS order.
        mask: lesion on the same grid.
        index: slice along the plane's axis.
        centre: index x, y, z (fractional) of the item's centre.
        region: what to cut; the whole slice where None. A region beside the scan gives its nearest voxels.

    Raises:
        NoSliceError: a slice that the volume does not have.
    """
    count = slice_count(volume, plane)
    if not 0 <= index < count:
        raise NoSliceError(f"the scan has {count} {plane.name} slices, and no slice {slice_number(index)}")
    columns = _range(volume, plane.across, centre, None if region is None else (region.left, region.right))
    down = None if region is None else (region.top, region.bottom)
    if down is not None and plane.turned:
        down = (-down[1], -down[0])
    rows = _range(volume, plane.down, centre, down)
    step = (-(-len(columns) // most_pixels), -(-len(rows) // most_pixels))
    pixels = np.rint(_averaged(_plane(volume, plane, index, rows, columns), step))
    inside = None if mask is None else _plane(mask, plane, index, rows, columns) != 0
    shown = None
    if inside is not None and inside.any():
        # A lesion of one voxel must not be averaged away.
        shown = (_averaged(inside, step) > 0).astype(np.uint8)
    across_mm, down_mm = volume.spacing[plane.across], volume.spacing[plane.down]
    left = (columns.start - 0.5 - centre[plane.across]) * across_mm
    last = rows.stop - 0.5 - centre[plane.down]
    top = -last * down_mm if plane.turned else (rows.start - 0.5 - centre[plane.down]) * down_mm
    limits = np.iinfo(np.int16)
    return Slice(
        np.clip(pixels, limits.min, limits.max).astype(np.int16),
        shown,
        float(left),
        float(top),
        (across_mm * step[0], down_mm * step[1]),
        step,
    )


def _count(volume: Volume, axis: int) -> int:
    return volume.shape[2 - axis]


def _range(volume: Volume, axis: int, centre: Place, ends_mm: tuple[float, float] | None) -> range:
    """Voxels along an axis that touch the stretch between two item mm; at least one."""
    count = _count(volume, axis)
    if ends_mm is None:
        return range(count)
    first, last = (centre[axis] + mm / volume.spacing[axis] for mm in ends_mm)
    start = int(np.clip(np.floor(first + 0.5), 0, count - 1))
    return range(start, int(np.clip(np.ceil(last + 0.5), start + 1, count)))


def _plane(volume: Volume, plane: Plane, index: int, rows: range, columns: range) -> NDArray[np.generic]:
    where: list[slice | int] = [0, 0, 0]
    where[2 - plane.through] = index
    where[2 - plane.across] = slice(columns.start, columns.stop)
    where[2 - plane.down] = slice(rows.start, rows.stop)
    found = volume.array[tuple(where)]
    return found[::-1] if plane.turned else found


def _averaged(pixels: NDArray[np.generic], step: tuple[int, int]) -> NDArray[np.float32]:
    """Means of blocks of `step` (across, down) pixels; the last block of a row or column may be smaller."""
    found = np.asarray(pixels, dtype=np.float32)
    for axis, n in ((0, step[1]), (1, step[0])):
        if n > 1:
            starts = np.arange(0, found.shape[axis], n)
            counts = np.diff(np.append(starts, found.shape[axis]))
            sums = np.add.reduceat(found, starts, axis=axis)
            found = np.asarray(sums / np.expand_dims(counts, 1 - axis), dtype=np.float32)
    return found
