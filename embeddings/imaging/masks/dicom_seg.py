"""A DICOM segmentation (PS3.3 A.51) as voxels of its CT: frames are placed by their position, not by their order.

Binary and fractional segmentations have frames for each segment; each pixel of a label map is the number of a segment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.pixels import get_decoder, iter_pixels

from embeddings.imaging.dicom.multiframe import functional_group
from embeddings.imaging.image_header import MOST_VOXELS, ImageError, check_capacity
from embeddings.imaging.masks.mask_grid import outside_note, place
from embeddings.imaging.masks.mask_labels import MaskLabel, anonymous, choose_label
from flexict.volume import Volume

LABELMAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"  # Label Map Segmentation Storage, which pydicom 3.0 lacks
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
_MOST_OTHER_BYTES = 2**27  # beside the pixels; a frame's position takes one or two kilobytes
_FARTHEST = 2**20  # voxels from the CT's first voxel
_LEAST_GAP_MM = 0.05
_SKEW = 0.01
_THICKER = 1.5  # times the CT's distance of slices
_SAME_POSITION = "has two frames at the same position: export the lesion once"
_KINDS = (("BINARY", 1), ("BINARY", 8), ("FRACTIONAL", 8), ("LABELMAP", 8), ("LABELMAP", 16))


@dataclass(frozen=True)
class Segmentation:
    """The frames of one segment of a SEG file, and their positions.

    Attributes:
        path: named in errors.
        shape: rows and columns of every frame.
        frames: their numbers in the file.
        corners: `[frames, 3]`, LPS mm of the centre of each frame's first pixel.
        all_corners: the same for every frame in the file; their distances give the distance of its slices.
        along_columns, along_rows: LPS mm from a pixel to the next column, and to the next row.
        slice_mm: distance of slices that the file states; None where it does not.
        inside_from, inside_to: lowest and highest stored value inside the segment: 1, half of the highest fraction, or
            the number of the segment.
        packed: whether eight pixels share a byte.
    """

    path: Path
    file: Path
    shape: tuple[int, int]
    frames: tuple[int, ...] = field(repr=False)
    corners: NDArray[np.float64] = field(repr=False)
    all_corners: NDArray[np.float64] = field(repr=False)
    along_columns: NDArray[np.float64] = field(repr=False)
    along_rows: NDArray[np.float64] = field(repr=False)
    slice_mm: float | None
    inside_from: float
    inside_to: float
    packed: bool

    @property
    def n_read(self) -> int:
        """Pixels that `inside` reads."""
        return len(self.frames) * self.shape[0] * self.shape[1]

    def check(self, grid: Volume) -> tuple[str, ...]:
        """Check by headers alone that the frames lie in `grid`; returns notes for users.

        Raises:
            ImageError: no frame in the scan, two frames at one position, or frames that are not a regular stack.
        """
        return () if self._aligned(grid) is not None else place(self.path, self._own_grid()[0], grid).notes

    def inside(self, grid: Volume) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
        """The segment on `grid`, `[z, y, x]`; frames may come in any order, mirrored, and not for every slice.

        Also returns notes for users. Where frames lie between the voxels of `grid`, the nearest pixels are taken.

        Raises:
            ImageError: what `check` raises, pixels that cannot be decoded, or no pixel of the lesion in the scan.
        """
        aligned = self._aligned(grid)
        if aligned is None:
            own, slices = self._own_grid()
            placement = place(self.path, own, grid)
            drawn = np.zeros(own.shape, dtype=np.bool_)
            for index, frame in zip(slices, self._marked(), strict=True):
                drawn[index] = frame
            return placement.placed(drawn)
        starts, column_step, row_step = aligned
        inside = np.zeros(grid.shape, dtype=np.bool_)
        n_outside = n_inside = 0
        for start, frame in zip(starts, self._marked(), strict=True):
            row, column = np.nonzero(frame)
            index = start + row[:, None] * row_step + column[:, None] * column_step
            in_grid = ((index >= 0) & (index < np.array(grid.shape))).all(axis=1)
            n_inside += int(in_grid.sum())
            n_outside += int((~in_grid).sum())
            inside[tuple(index[in_grid].T)] = True
        if n_outside and not n_inside:
            raise ImageError(self.path, "marks no voxel of its CT: give the mask that was drawn on this CT")
        return inside, (outside_note(n_outside),) if n_outside else ()

    def _marked(self) -> Iterator[NDArray[np.bool_]]:
        """Each frame's pixels `[rows, columns]` that are inside."""
        try:
            for frame in self._frames():
                yield ((frame >= self.inside_from) & (frame <= self.inside_to)).reshape(self.shape)
        except (RuntimeError, ValueError, AttributeError, KeyError, EOFError, struct.error) as error:
            raise ImageError(self.path, "has frames that cannot be decoded: save it again, uncompressed") from error

    def _frames(self) -> Iterator[NDArray[np.integer]]:
        if not self.packed:
            yield from iter_pixels(self.file, raw=True, indices=list(self.frames))
            return
        # pydicom 3.0 cannot return single frames that begin within a byte.
        stored = np.frombuffer(pydicom.dcmread(self.file, specific_tags=["PixelData"]).PixelData, dtype=np.uint8)
        size = self.shape[0] * self.shape[1]
        for number in self.frames:
            start = number * size
            first = start // 8
            bits = np.unpackbits(stored[first : -(-(start + size) // 8)], bitorder="little")
            yield bits[start - 8 * first :][:size]

    def _aligned(self, grid: Volume) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
        """Each frame's first index `[frames, 3]` in z, y, x, and the steps of a column and a row, 1 or -1 each.

        None where the pixels lie between the voxels of `grid`, or the frames are those of thicker slices.
        """
        rows, columns = self.shape
        starts = grid.index_of(self.corners)
        steps = [grid.index_of(np.asarray(grid.origin) + step) for step in (self.along_columns, self.along_rows)]
        whole = [np.rint(step) for step in steps]
        if np.abs(starts).max() > _FARTHEST:
            raise ImageError(self.path, "has frames far beyond its CT: export it again")
        if any(np.abs(step).sum() != 1 for step in whole) or whole[0] @ whole[1] != 0:
            return None
        reach = np.array([columns - 1, rows - 1])[:, None]
        off = np.abs(np.array(steps) - np.array(whole)) * reach
        if off.max() > _OFF_GRID or np.abs(starts - np.rint(starts)).max() > _OFF_GRID:
            return None
        axis = int(np.argmin(np.abs(whole[0]) + np.abs(whole[1])))
        plane = grid.array.size // grid.shape[axis]
        if rows * columns > _MOST_TIMES * plane or len(starts) > _MOST_TIMES * grid.shape[axis]:
            size = f"{len(starts)} frames of {columns} x {rows} pixels"
            raise ImageError(self.path, f"has {size}, far beyond its CT: export it again")
        slices = np.sort(np.rint(starts[:, axis]))
        if not ((slices >= 0) & (slices < grid.shape[axis])).any():
            raise ImageError(self.path, "has no frame inside its CT: give the CT that it was drawn on")
        if (np.diff(slices) == 0).any():
            raise ImageError(self.path, _SAME_POSITION)
        gaps = np.diff(np.unique(np.rint(grid.index_of(self.all_corners)[:, axis])))
        if len(gaps) and gaps.min() > 1:
            if self.slice_mm is not None and self.slice_mm > _THICKER * grid.spacing[2 - axis]:
                return None
            # Lesions of one slice each, or slices left out: the file does not say which.
            apart = f"{gaps.min():.0f} slices of its CT apart, with none between"
            raise ImageError(self.path, f"has frames {apart}: draw the lesion on every slice of this CT")
        first, column_step, row_step = (np.rint(v).astype(np.int64) for v in (starts, whole[0], whole[1]))
        return first, column_step, row_step

    def _slice_distance(self, normal: NDArray[np.float64]) -> float:
        """Distance of the slices in mm: that of the frames where it is constant, else what the file states."""
        gaps = np.diff(np.sort(self.all_corners @ normal))
        gaps = gaps[gaps >= _LEAST_GAP_MM]
        least = float(gaps.min(initial=np.inf))
        if len(gaps) > 1 and np.ptp(gaps) <= _OFF_GRID * least:
            return least
        if self.slice_mm is None:
            raise ImageError(self.path, "does not state the spacing of its slices: resample it to the CT's grid")
        # Frames further apart belong to separate lesions: the space between them is not inside.
        return least if least < _THICKER * self.slice_mm else self.slice_mm

    def _own_grid(self) -> tuple[Volume, NDArray[np.int64]]:
        """The grid of the frames themselves, without voxels, and each frame's slice in it.

        Raises:
            ImageError: frames that are not stacked at right angles and at equal distances, or too many slices.
        """
        pixel_mm = [float(np.linalg.norm(step)) for step in (self.along_columns, self.along_rows)]
        across, down = self.along_columns / pixel_mm[0], self.along_rows / pixel_mm[1]
        normal = np.cross(across, down)
        if abs(np.linalg.norm(normal) - 1) > _SKEW:
            raise ImageError(self.path, "has skewed rows and columns: resample it to the CT's grid")
        offset = self.corners - self.corners[int(np.argmin(self.corners @ normal))]
        drift = np.abs(np.column_stack([offset @ across / pixel_mm[0], offset @ down / pixel_mm[1]]))
        heights = offset @ normal
        gaps = np.diff(np.sort(heights))
        if len(gaps) and gaps.min() < _LEAST_GAP_MM:
            raise ImageError(self.path, _SAME_POSITION)
        slice_mm = self._slice_distance(normal)
        slices = np.rint(heights / slice_mm)
        if drift.max() > _OFF_GRID or np.abs(heights / slice_mm - slices).max() > _OFF_GRID:
            raise ImageError(self.path, "has frames in no regular stack: resample it to the CT's grid")
        shape = (int(slices.max()) + 1, *self.shape)
        if int(np.prod(shape, dtype=object)) > MOST_VOXELS:
            raise ImageError(self.path, f"has frames over {shape[0]:,} slices, far beyond its CT: export it again")
        corner = self.corners[int(np.argmin(heights))]
        x, y, z = (float(mm) for mm in corner)
        zeros = np.broadcast_to(np.uint8(0), shape)
        axes = np.column_stack([across, down, normal / np.linalg.norm(normal)])
        return Volume(zeros, (pixel_mm[0], pixel_mm[1], slice_mm), (x, y, z), axes), slices.astype(np.int64)


def from_tags(path: Path, file: Path, tags: Dataset, wanted: str | None = None) -> Segmentation:
    """The segment that `wanted` gives by number or label, else the only one (or the only one that has frames).

    Sizes are checked against the file's before memory is reserved.

    Raises:
        ImageError: not a binary, fractional or label map segmentation, several segments and none wanted, or none that
            matches, no frames, or more than the file can contain.
        AttributeError, KeyError, IndexError, TypeError, ValueError: tags that are missing or damaged.
    """
    kind, bits = str(tags.SegmentationType), int(tags.BitsAllocated)
    if (kind, bits) not in _KINDS or int(tags.get("SamplesPerPixel", 1)) != 1:
        raise ImageError(path, "is not a binary, fractional or label map segmentation: save it as one of them")
    rows, columns, n_frames = int(tags.Rows), int(tags.Columns), int(tags.get("NumberOfFrames") or 1)
    frames = list(tags.get("PerFrameFunctionalGroupsSequence") or [])
    if n_frames < 1 or rows < 1 or columns < 1 or len(frames) != n_frames:
        raise ImageError(path, f"has {n_frames} frames but positions for {len(frames)}: export it again")
    _check_storage(path, file, n_frames * rows * columns, bits)
    group = partial(functional_group, tags)
    labels = [
        MaskLabel(int(one.SegmentNumber), str(one.get("SegmentLabel", "")))
        for one in tags.SegmentSequence
        if int(one.SegmentNumber) != 0 or kind != "LABELMAP"  # 0 is the background of a label map
    ]
    if not labels:
        raise ImageError(path, "contains no segment: draw the lesion, or export it again")
    if kind == "LABELMAP":
        segment = choose_label(path, "segment", anonymous(labels, wanted), wanted)
        chosen = list(range(n_frames))
    else:
        of_frame = [int(group(one, "SegmentIdentificationSequence").ReferencedSegmentNumber) for one in frames]
        if not set(of_frame) <= {int(label.number) for label in labels}:
            raise ImageError(path, "has frames of segments that it does not describe: export it again")
        drawn = [label for label in labels if label.number in of_frame]
        only = drawn[0] if wanted is None and len(drawn) == 1 else None
        segment = only or choose_label(path, "segment", anonymous(labels, wanted), wanted)
        chosen = [index for index, number in enumerate(of_frame) if number == segment.number]
        if not chosen:
            missing = f"has no frame of the segment {segment.number:.0f}"
            raise ImageError(path, f"{missing}: draw the lesion, or leave the mask out")
    some = [frames[index] for index in chosen]
    corners = _numbers([group(one, "PlanePositionSequence").ImagePositionPatient for one in frames], 3)
    axes = _numbers([group(one, "PlaneOrientationSequence").ImageOrientationPatient for one in some], 6)
    measures = [group(one, "PixelMeasuresSequence") for one in some]
    pixels = _numbers([one.PixelSpacing for one in measures], 2)
    if np.ptp(axes, axis=0).max() > 1e-3 or np.ptp(pixels, axis=0).max() > 1e-3:
        raise ImageError(path, "mixes frames of different orientation or spacing: resample it to the CT's grid")
    row_mm, column_mm = pixels[0]
    if not (row_mm > 0 and column_mm > 0 and min(np.linalg.norm(axes[0, :3]), np.linalg.norm(axes[0, 3:])) > 0):
        raise ValueError("invalid pixel spacing or axes")
    highest = float(tags.MaximumFractionalValue) if kind == "FRACTIONAL" else 0.0
    if kind == "FRACTIONAL" and not 1 <= highest <= 255:
        raise ValueError("the highest fraction is not an 8-bit number")
    lowest = {"BINARY": 1.0, "FRACTIONAL": highest / 2, "LABELMAP": segment.number}[kind]
    return Segmentation(
        path=path,
        file=file,
        shape=(rows, columns),
        frames=tuple(chosen),
        corners=corners[chosen],
        all_corners=corners,
        along_columns=axes[0, :3] * column_mm,
        along_rows=axes[0, 3:] * row_mm,
        slice_mm=_slice_mm(measures[0]),
        inside_from=lowest,
        inside_to=segment.number if kind == "LABELMAP" else np.inf,
        packed=bits == 1,
    )


def _check_storage(path: Path, file: Path, n_pixels: int, bits: int) -> None:
    """Refuse more pixels than the file can contain, a file far too large for them, and unsupported compressions."""
    syntax = read_file_meta_info(file).TransferSyntaxUID
    size = file.stat().st_size
    check_capacity(path, -(-n_pixels * bits // 8), 1, size, compressed=syntax.is_compressed)
    if not syntax.is_compressed and size > n_pixels * bits // 8 + _MOST_OTHER_BYTES:
        raise ImageError(path, "is far larger than the frames that its header claims: export it again")
    if (syntax.is_compressed and bits == 1) or not syntax.is_little_endian:
        raise ImageError(path, f"is stored as {syntax.name}, which is not supported here: save it uncompressed")
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise ImageError(path, f"is compressed as {syntax.name}, which is not supported: save it uncompressed")


def _slice_mm(measures: Dataset) -> float | None:
    """The distance of slices that the file states."""
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        found = abs(float(measures.get(name) or 0.0))
        if _LEAST_GAP_MM <= found < np.inf:
            return found
    return None


def _numbers(values: list[object], width: int) -> NDArray[np.float64]:
    """`[n, width]` finite numbers."""
    found = np.array(values, dtype=np.float64)
    if found.shape != (len(values), width) or not np.isfinite(found).all():
        raise ValueError("invalid position, orientation or spacing")
    return found
