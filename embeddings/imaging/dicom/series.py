"""DICOM slices, or frames of one file, as one ordered series, or the reason why they cannot be one.

Of several CT series in a folder one is read: localizers are left out; original slices are preferred to derived ones
such as reformats; then the series with the most slices, then the one with the thinnest. The note on that choice
contains no UID. A repeated slice is read once. Files that may be lost slices are counted, and the scan is refused
unless the series states that it is complete without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from embeddings.formatting import counted
from embeddings.imaging.acquisition import scanner_settings
from embeddings.imaging.dicom.copies import n_positions, without_copies
from embeddings.imaging.dicom.gantry_tilt import Tilt, straightened, tilt_along
from embeddings.imaging.dicom.headers import DAMAGED, DAMAGED_TAG_ERRORS, dicom_files
from embeddings.imaging.dicom.multiframe import Frame, frames_of, is_multiframe, read_frames
from embeddings.imaging.dicom.padding import Padding, padding_of, without_padding
from embeddings.imaging.dicom.pixels import read_slices
from embeddings.imaging.dicom.slice_spacing import Evidence, spacing_of
from embeddings.imaging.image_header import ImageError, ImageHeader, checked_header, triple
from embeddings.imaging.plausible_hu import AIR_HU, padding_value
from embeddings.imaging.uneven_slices import UnevenSlices


@dataclass(frozen=True)
class Series:
    """The slices of one series in the order of their position, and the grid they form.

    Attributes:
        files: one per slice, along the direction's third column.
        frames: the frame number of each slice in a multi-frame file; None where each slice is a file.
        rescale: slope and intercept of each slice.
        padding: what each slice declares as padding, HU.
        tilt: of slices that shift sideways; the header is that of the rectangular grid.
    """

    header: ImageHeader
    files: tuple[Path, ...]
    frames: tuple[int, ...] | None
    rescale: tuple[tuple[float, float], ...]
    padding: tuple[Padding | None, ...]
    tilt: Tilt | None

    @property
    def rescale_varies(self) -> bool:
        """Whether slices differ in slope or intercept, or have fractions of HU."""
        fractional = any(not value.is_integer() for pair in self.rescale for value in pair)
        return fractional or len(set(self.rescale)) > 1


@dataclass(frozen=True)
class _Slice:
    file: Path
    tags: pydicom.Dataset
    frame: int | None
    place: Frame


def find_series(path: Path) -> Series:
    """The CT series of a folder (not of its sub-folders), or of one multi-frame file; see the top of this file.

    Raises:
        ImageError: no DICOM slices, no CT, a single slice, slices that are missing or unreadable, different slices at
            one position, irregular spacing, or different sizes or directions.
    """
    try:
        return _find(path)
    except ImageError:
        raise
    except DAMAGED_TAG_ERRORS as error:  # pydicom parses a tag when it is read
        raise ImageError(path, DAMAGED) from error


def _find(path: Path) -> Series:
    found = dicom_files(path)
    if not found.files:
        what = f"contains {_lost(found.n_lost)} and no DICOM" if found.n_lost else "is a folder without DICOM"
        raise ImageError(path, f"{what} slices: give the folder that contains the .dcm files themselves")
    by_series: dict[str, list[tuple[Path, pydicom.Dataset]]] = {}
    for file, tags in found.files:
        if tags.get("Modality") == "CT" and "LOCALIZER" not in (tags.get("ImageType") or []):
            by_series.setdefault(str(tags.get("SeriesInstanceUID", "")), []).append((file, tags))
    if not by_series:
        kinds = ", ".join(sorted({str(tags.get("Modality") or "unknown") for _, tags in found.files}))
        raise ImageError(path, f"contains DICOM of modality {kinds}, no CT slices: give the folder of the CT series")
    best = max(by_series, key=lambda uid: _preference(uid, by_series[uid]))
    notes: tuple[str, ...] = ()
    if len(by_series) > 1:
        others = "; ".join(_in_words(group) for uid, group in by_series.items() if uid != best)
        notes = (
            f"{path.name} contains {len(by_series)} CT series: the one of {_in_words(by_series[best])} is read, "
            f"left out: {others}",
        )
    group = without_copies(path, by_series[best])
    n_copies = len(by_series[best]) - len(group)
    if n_copies:
        are = "is a copy" if n_copies == 1 else "are copies"
        notes = (*notes, f"{n_copies} of its files {are} of another: each slice is read once")
    n_lost = found.n_lost + sum(not tags.get("Modality") for _, tags in found.files)
    if n_lost:
        notes = (*notes, _without(path, n_lost, group))
    return _ordered(path, _slices_of(path, group), notes)


def _lost(n: int) -> str:
    return f"{counted(n, 'file')} that cannot be read as DICOM slices"


def _without(path: Path, n_lost: int, group: Sequence[tuple[Path, pydicom.Dataset]]) -> str:
    """The note on files that are left out.

    Raises:
        ImageError: they may be slices of the series.
    """
    if not _is_complete(group):
        raise ImageError(
            path,
            f"contains {_lost(n_lost)} (empty, damaged or of another kind) beside {_n_slices(group)} slices: copy the "
            "complete series again, or move other files out of the folder",
        )
    are = "is" if n_lost == 1 else "are"
    return f"{_lost(n_lost)} {are} left out: the series states {len(group)} images, and all are present"


def _is_complete(group: Sequence[tuple[Path, pydicom.Dataset]]) -> bool:
    """Whether the slices belong to one acquisition and are as many as it states."""
    stated = {(str(tags.get("AcquisitionNumber")), str(tags.get("ImagesInAcquisition"))) for _, tags in group}
    return len(stated) == 1 and stated.pop()[1] == str(len(group))


def read_series_voxels(path: Path, series: Series) -> NDArray[np.generic]:
    """The voxels `[z, y, x]` in HU, on the grid of the series' header.

    Raises:
        ImageError: a slice that cannot be decoded.
    """
    if series.frames is None:
        voxels = read_slices(path, series.files, as_float=series.rescale_varies)
    else:
        voxels = _read_multiframe(series, series.frames)
    if len(voxels) != len(series.files):
        raise ImageError(path, f"contains {voxels.shape} voxels, not one slice per file: export it again")
    voxels = without_padding(voxels, series.padding)
    uneven, tilt = series.header.uneven, series.tilt
    if uneven is None and tilt is None:
        return voxels
    undeclared = padding_value(voxels)
    if undeclared is not None:  # else it would be averaged with tissue
        voxels[voxels == undeclared] = AIR_HU
    if uneven is not None:
        voxels = uneven.resampled(voxels)
    if tilt is not None:
        voxels = straightened(voxels, tilt, series.header.spacing[:2])
    return voxels


def _read_multiframe(series: Series, frames: tuple[int, ...]) -> NDArray[np.generic]:
    in_file: list[tuple[float, float]] = [(1.0, 0.0)] * len(frames)
    for frame, rescale in zip(frames, series.rescale, strict=True):
        in_file[frame] = rescale
    return read_frames(series.files[0], in_file)[list(frames)]


def _preference(uid: str, group: Sequence[tuple[Path, pydicom.Dataset]]) -> tuple[bool, int, float, str]:
    first = group[0][1]
    original = str((first.get("ImageType") or ["ORIGINAL"])[0]).upper() == "ORIGINAL"
    thickness = scanner_settings([tags for _, tags in group]).slice_thickness_mm or float("inf")
    return original, _n_slices(group), -thickness, uid


def _n_slices(group: Sequence[tuple[Path, pydicom.Dataset]]) -> int:
    frames = sum(int(tags.get("NumberOfFrames") or 1) for _, tags in group if is_multiframe(tags))
    return frames + n_positions(tags for _, tags in group if not is_multiframe(tags))


def _in_words(group: Sequence[tuple[Path, pydicom.Dataset]]) -> str:
    settings = scanner_settings([tags for _, tags in group])
    thickness = f" of {settings.slice_thickness_mm:g} mm" if settings.slice_thickness_mm else ""
    kernel = f", kernel {settings.kernel}" if settings.kernel else ""
    return f"{_n_slices(group)} slices{thickness}{kernel}"


def _slices_of(path: Path, group: Sequence[tuple[Path, pydicom.Dataset]]) -> list[_Slice]:
    """The slices of a series with their positions: one per file, or the frames of one file."""
    if any(is_multiframe(tags) for _, tags in group):
        if len(group) > 1:
            raise ImageError(path, f"contains a series in {len(group)} multi-frame files: leave one in the folder")
        file, tags = group[0]
        return [_Slice(file, tags, number, frame) for number, frame in enumerate(frames_of(file, tags))]
    try:
        return [
            _Slice(
                file,
                tags,
                None,
                Frame(
                    tuple(float(v) for v in tags.ImagePositionPatient),
                    tuple(float(v) for v in tags.ImageOrientationPatient),
                    tuple(float(v) for v in tags.PixelSpacing),
                    (float(tags.get("RescaleSlope", 1)), float(tags.get("RescaleIntercept", 0))),
                ),
            )
            for file, tags in group
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise ImageError(path, "has slices without position, orientation or size: export the series again") from error


def _ordered(folder: Path, slices: Sequence[_Slice], notes: tuple[str, ...]) -> Series:
    if len(slices) < 2:
        raise ImageError(folder, "contains a single slice: give the folder of the whole series")
    sizes = {(int(s.tags.get("Rows") or 0), int(s.tags.get("Columns") or 0)) for s in slices}
    if {(len(s.place.position), len(s.place.axes), len(s.place.pixel_mm)) for s in slices} != {(3, 6, 2)}:
        raise ImageError(folder, "has slices with a damaged position or orientation: export the series again")
    positions, axes, pixels = (
        np.array([getattr(s.place, name) for s in slices]) for name in ("position", "axes", "pixel_mm")
    )
    if len(sizes) > 1 or np.ptp(axes, axis=0).max() > 1e-3 or np.ptp(pixels, axis=0).max() > 1e-3:
        raise ImageError(folder, "mixes slices of different size or orientation: keep only one series in the folder")
    rows, columns = sizes.pop()
    along_x, along_y = axes[0, :3], axes[0, 3:]
    normal = np.cross(along_x, along_y)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    in_order, positions, heights = [slices[i] for i in order], positions[order], heights[order]
    spacing = spacing_of(folder, heights, lambda: _evidence(in_order))
    uneven = spacing if isinstance(spacing, UnevenSlices) else None
    spacing_z = spacing if isinstance(spacing, float) else spacing.spacing_mm
    n_slices = len(slices) if uneven is None else uneven.n_slices
    pixel_mm = (float(pixels[0, 1]), float(pixels[0, 0]))  # PixelSpacing is row, column
    axes_lps = np.column_stack([along_x, along_y, normal])
    tilt = tilt_along(folder, (positions - positions[0]) @ axes_lps, spacing_z, pixel_mm, n_slices)
    start = np.zeros(3)
    if uneven is not None:
        notes = (*notes, uneven.note())
        start[2] = uneven.first_mm
    if tilt is not None:
        columns, rows = columns + tilt.added[0], rows + tilt.added[1]
        start[:2] = tilt.start_mm(pixel_mm) + np.array(tilt.shift_mm) * start[2] / spacing_z
        notes = (*notes, f"its gantry was tilted by {tilt.degrees:.1f} degrees: resampled to a rectangular grid")
    header = ImageHeader(
        shape_zyx=(n_slices, rows, columns),
        spacing=(*pixel_mm, spacing_z),
        kind="DICOM",
        origin=triple(positions[0] + axes_lps @ start),
        direction=axes_lps,
        notes=notes,
        scanner=scanner_settings([s.tags for s in slices]),
        uneven=uneven,
    )
    return Series(
        header=checked_header(folder, header),
        files=tuple(one.file for one in in_order),
        frames=None if in_order[0].frame is None else tuple(one.frame or 0 for one in in_order),
        rescale=tuple(one.place.rescale for one in in_order),
        padding=tuple(padding_of(one.tags, one.place.rescale) for one in in_order),
        tilt=tilt,
    )


def _evidence(in_order: Sequence[_Slice]) -> Evidence:
    """The instance numbers and thickness that separate slices state; frames of one file are complete."""
    thickness = [scanner_settings([one.tags]).slice_thickness_mm for one in in_order]
    try:
        numbers = tuple(int(one.tags.InstanceNumber) for one in in_order)
    except DAMAGED_TAG_ERRORS:
        numbers = None  # optional evidence
    if in_order[0].frame is not None:
        numbers = tuple(range(len(in_order)))
    return Evidence(numbers, tuple(mm or float("nan") for mm in thickness))
