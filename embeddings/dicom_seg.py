"""A DICOM segmentation (PS3.3 A.51) as voxels of its CT: frames are placed by their position, not by their order."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.pixels import get_decoder, iter_pixels

from embeddings.image_header import ImageError, check_capacity
from flexict.volume import Volume

TAGS = (
    "Rows",
    "Columns",
    "NumberOfFrames",
    "BitsAllocated",
    "SamplesPerPixel",
    "SegmentationType",
    "MaximumFractionalValue",
    "SegmentSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
# Of a voxel: positions in headers are rounded, and slices may be a twentieth of their distance off.
_OFF_GRID = 0.1
_MOST_TIMES = 4  # the CT's voxels in a frame, and its slices in frames
_MOST_OTHER_BYTES = 2**27  # beside the pixels; a frame's place takes one or two kilobytes
_FARTHEST = 2**20  # voxels from the CT's first
_SEGMENTS_SHOWN = 8


@dataclass(frozen=True)
class Segmentation:
    """The frames of the one segment of a SEG file, and where they lie.

    Attributes:
        path: what errors name.
        shape: rows and columns of every frame.
        corners: `[frames, 3]`, LPS mm of the centre of each frame's first pixel.
        along_columns, along_rows: LPS mm from a pixel to the next column, and to the next row.
        inside_from: the least stored value that is inside: 1, or half of the highest fraction.
        packed: whether eight pixels share a byte.
    """

    path: Path
    file: Path
    shape: tuple[int, int]
    corners: NDArray[np.float64] = field(repr=False)
    along_columns: NDArray[np.float64] = field(repr=False)
    along_rows: NDArray[np.float64] = field(repr=False)
    inside_from: float
    packed: bool

    def check(self, grid: Volume) -> None:
        """That the frames lie on the slices of `grid`, by headers alone.

        Raises:
            ImageError: pixels between the voxels of the grid, another orientation, no frame in the scan, two
                frames at one place, or none beside another (the mask of a scan with thicker slices).
        """
        self._place(grid)

    def inside(self, grid: Volume) -> NDArray[np.bool_]:
        """The segment on `grid`, `[z, y, x]`; frames may come in any order, mirrored, and not for every slice.

        Raises:
            ImageError: what `check` raises, pixels that cannot be decoded, or a lesion that leaves the scan.
        """
        starts, column_step, row_step = self._place(grid)
        inside = np.zeros(grid.shape, dtype=np.bool_)
        n_outside = 0
        try:
            for start, frame in zip(starts, self._frames(), strict=True):
                row, column = np.nonzero(frame.reshape(self.shape) >= self.inside_from)
                index = start + row[:, None] * row_step + column[:, None] * column_step
                held = ((index >= 0) & (index < np.array(grid.shape))).all(axis=1)
                n_outside += len(held) - int(held.sum())
                inside[tuple(index[held].T)] = True
        except (RuntimeError, ValueError, AttributeError, KeyError, EOFError, struct.error) as error:
            raise ImageError(self.path, "has frames that cannot be decoded: save it again, uncompressed") from error
        if n_outside:
            raise ImageError(self.path, f"marks {n_outside:,} voxels outside its CT: give the CT that it was drawn on")
        return inside

    def _frames(self) -> Iterator[NDArray[np.uint8]]:
        if not self.packed:
            yield from iter_pixels(self.file, raw=True)
            return
        # pydicom 3.0 cannot give single frames that begin within a byte.
        stored = np.frombuffer(pydicom.dcmread(self.file, specific_tags=["PixelData"]).PixelData, dtype=np.uint8)
        size = self.shape[0] * self.shape[1]
        for start in range(0, len(self.corners) * size, size):
            first = start // 8
            bits = np.unpackbits(stored[first : -(-(start + size) // 8)], bitorder="little")
            yield bits[start - 8 * first :][:size]

    def _place(self, grid: Volume) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Each frame's first index `[frames, 3]` in z, y, x, and the steps of a column and a row, 1 or -1 each."""
        rows, columns = self.shape
        starts = grid.index_of(self.corners)
        steps = [grid.index_of(np.asarray(grid.origin) + step) for step in (self.along_columns, self.along_rows)]
        whole = [np.rint(step) for step in steps]
        reach = np.array([columns - 1, rows - 1])[:, None]
        off = np.abs(np.array(steps) - np.array(whole)) * reach
        if any(np.abs(step).sum() != 1 for step in whole) or whole[0] @ whole[1] != 0:
            raise ImageError(
                self.path, "has pixels or an orientation unlike the voxels of its CT: resample it to the CT's grid"
            )
        if off.max() > _OFF_GRID or np.abs(starts - np.rint(starts)).max() > _OFF_GRID:
            raise ImageError(self.path, "lies between the voxels of its CT: resample it to the CT's grid")
        axis = int(np.argmin(np.abs(whole[0]) + np.abs(whole[1])))
        plane = grid.array.size // grid.shape[axis]
        too_many = rows * columns > _MOST_TIMES * plane or len(starts) > _MOST_TIMES * grid.shape[axis]
        if too_many or np.abs(starts).max() > _FARTHEST:
            held = f"{len(starts)} frames of {columns} x {rows} pixels"
            raise ImageError(self.path, f"has {held}, far beyond its CT: export it again")
        self._check_slices(np.sort(np.rint(starts[:, axis])), grid.shape[axis])
        first, column_step, row_step = (np.rint(v).astype(np.int64) for v in (starts, whole[0], whole[1]))
        return first, column_step, row_step

    def _check_slices(self, slices: NDArray[np.float64], n_slices: int) -> None:
        if not ((slices >= 0) & (slices < n_slices)).any():
            raise ImageError(self.path, "has no frame inside its CT: give the CT that it was drawn on")
        gaps = np.diff(slices)
        if (gaps == 0).any():
            raise ImageError(self.path, "has two frames at the same place: export the lesion once")
        if len(gaps) and gaps.min() > 1:
            apart = f"{gaps.min():.0f} slices of its CT apart"
            raise ImageError(self.path, f"has frames {apart}, as of thicker slices: resample it to the CT's grid")


def from_tags(path: Path, file: Path, tags: Dataset) -> Segmentation:
    """The segmentation that the tags describe; sizes are checked against the file's before anything is reserved.

    Raises:
        ImageError: not binary or fractional, several segments, no frames, or more than the file can hold.
        AttributeError, KeyError, IndexError, TypeError, ValueError: tags that are missing or damaged.
    """
    numbers = [int(segment.SegmentNumber) for segment in tags.SegmentSequence]
    if len(numbers) != 1:
        shown = ", ".join(map(str, numbers[:_SEGMENTS_SHOWN])) + (", ..." if len(numbers) > _SEGMENTS_SHOWN else "")
        raise ImageError(path, f"holds {len(numbers)} segments ({shown}): save the segment of the lesion alone")
    kind, bits = str(tags.SegmentationType), int(tags.BitsAllocated)
    if (kind, bits) not in (("BINARY", 1), ("BINARY", 8), ("FRACTIONAL", 8)) or int(
        tags.get("SamplesPerPixel", 1)
    ) != 1:
        raise ImageError(path, "is neither a binary nor a fractional segmentation: save it as one of them")
    rows, columns, n_frames = int(tags.Rows), int(tags.Columns), int(tags.get("NumberOfFrames") or 1)
    frames = list(tags.get("PerFrameFunctionalGroupsSequence") or [])
    if n_frames < 1 or rows < 1 or columns < 1 or len(frames) != n_frames:
        raise ImageError(path, f"claims {n_frames} frames and places {len(frames)}: export it again")
    syntax = read_file_meta_info(file).TransferSyntaxUID
    stored = file.stat().st_size * (8 // bits)
    check_capacity(path, n_frames * rows * columns, 1, stored, compressed=syntax.is_compressed)
    if not syntax.is_compressed and file.stat().st_size > n_frames * rows * columns * bits // 8 + _MOST_OTHER_BYTES:
        raise ImageError(path, "is far larger than the frames that its header claims: export it again")
    if (syntax.is_compressed and bits == 1) or not syntax.is_little_endian:
        raise ImageError(path, f"is stored as {syntax.name}, in which it is not read: save it uncompressed")
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise ImageError(path, f"is compressed as {syntax.name}, which is not read: save it uncompressed")
    shared = tags.SharedFunctionalGroupsSequence[0] if tags.get("SharedFunctionalGroupsSequence") else Dataset()

    def group(frame: Dataset, name: str) -> Dataset:
        holder = frame if name in frame else shared
        return holder[name].value[0]

    referred = {int(group(one, "SegmentIdentificationSequence").ReferencedSegmentNumber) for one in frames}
    if referred != set(numbers):
        raise ImageError(path, "has frames of segments that it does not describe: export it again")
    corners = _numbers([group(one, "PlanePositionSequence").ImagePositionPatient for one in frames], 3)
    axes = _numbers([group(one, "PlaneOrientationSequence").ImageOrientationPatient for one in frames], 6)
    pixels = _numbers([group(one, "PixelMeasuresSequence").PixelSpacing for one in frames], 2)
    if np.ptp(axes, axis=0).max() > 1e-3 or np.ptp(pixels, axis=0).max() > 1e-3:
        raise ImageError(path, "mixes frames of different orientation or spacing: resample it to the CT's grid")
    row_mm, column_mm = pixels[0]
    highest = float(tags.MaximumFractionalValue) if kind == "FRACTIONAL" else 0.0
    if kind == "FRACTIONAL" and not 1 <= highest <= 255:
        raise ValueError("the highest fraction is no 8-bit number")
    return Segmentation(
        path=path,
        file=file,
        shape=(rows, columns),
        corners=corners,
        along_columns=axes[0, :3] * column_mm,
        along_rows=axes[0, 3:] * row_mm,
        inside_from=highest / 2 if kind == "FRACTIONAL" else 1,
        packed=bits == 1,
    )


def _numbers(values: list[object], width: int) -> NDArray[np.float64]:
    """`[n, width]` finite numbers."""
    found = np.array(values, dtype=np.float64)
    if found.shape != (len(values), width) or not np.isfinite(found).all():
        raise ValueError("not the numbers of a place in space")
    return found
