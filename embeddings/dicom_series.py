"""DICOM slices, or frames of one file, as one series in order, or the reason why they are none.

Of several CT series in a folder one is read: localizers are left out; original slices go before derived ones such as
reformats; then the series with most slices, then the one with the thinnest. The note that says so names no UID.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.acquisition import scanner_settings
from embeddings.dicom_headers import DAMAGED, OF_DAMAGED_TAGS, ct_files
from embeddings.dicom_multiframe import Frame, frames_of, is_multiframe, read_frames
from embeddings.gantry_tilt import STEEPEST_DEGREES, Tilt, straightened, tilt_of
from embeddings.image_header import ImageError, ImageHeader, checked_header, triple

_SAME_PLACE_MM = 0.01
_UNEVEN_SHARE, _UNEVEN_MM = 0.05, 0.05  # positions in the headers are rounded
_LEAST_TILT_MM = 1.0


@dataclass(frozen=True)
class Series:
    """The slices of one series in the order of their position, and the grid that they make.

    Attributes:
        files: one a slice, along the direction's third column.
        frames: of a multi-frame file, the number of each slice's frame in it; None of slices in files of their own.
        rescale: slope and intercept of each slice.
        tilt: where the slices shift sideways; the header is that of the rectangular grid.
    """

    header: ImageHeader
    files: tuple[Path, ...]
    frames: tuple[int, ...] | None
    rescale: tuple[tuple[float, float], ...]
    tilt: Tilt | None

    @property
    def rescale_varies(self) -> bool:
        """Whether slices have slopes or intercepts of their own, or fractions of HU."""
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
        ImageError: no DICOM slices, no CT, one slice, slices that are missing, doubled, unevenly spaced, or of
            different sizes or directions.
    """
    try:
        return _find(path)
    except ImageError:
        raise
    except OF_DAMAGED_TAGS as error:  # pydicom reads a tag's value when it is asked for
        raise ImageError(path, DAMAGED) from error


def _find(path: Path) -> Series:
    files = ct_files(path)
    if not files:
        raise ImageError(path, "is a folder without DICOM slices: give the folder that holds the .dcm files itself")
    by_series: dict[str, list[tuple[Path, pydicom.Dataset]]] = {}
    for file, tags in files:
        if tags.get("Modality") == "CT" and "LOCALIZER" not in (tags.get("ImageType") or []):
            by_series.setdefault(str(tags.get("SeriesInstanceUID", "")), []).append((file, tags))
    if not by_series:
        kinds = ", ".join(sorted({str(tags.get("Modality", "unknown")) for _, tags in files}))
        raise ImageError(path, f"holds DICOM of modality {kinds}, no CT slices: give the folder of the CT series")
    best = max(by_series, key=lambda uid: _preference(uid, by_series[uid]))
    notes: tuple[str, ...] = ()
    if len(by_series) > 1:
        others = "; ".join(_in_words(group) for uid, group in by_series.items() if uid != best)
        notes = (
            f"{path.name} holds {len(by_series)} CT series: the one of {_in_words(by_series[best])} is read, "
            f"left out: {others}",
        )
    return _ordered(path, _slices_of(path, by_series[best]), notes)


def read_series_voxels(path: Path, series: Series) -> NDArray[np.generic]:
    """The voxels `[z, y, x]` in HU, on the grid of the series' header.

    Raises:
        ImageError: a slice that cannot be decoded.
    """
    voxels = _read_slices(path, series) if series.frames is None else _read_multiframe(series)
    if series.tilt is not None:
        if voxels.shape[0] != series.header.shape_zyx[0]:
            raise ImageError(path, f"holds {voxels.shape} voxels, not one slice a file: export it again")
        voxels = straightened(voxels, series.tilt, series.header.spacing[:2])
    return voxels


def _read_multiframe(series: Series) -> NDArray[np.generic]:
    assert series.frames is not None
    in_file: list[tuple[float, float]] = [(1.0, 0.0)] * len(series.frames)
    for place, frame in enumerate(series.frames):
        in_file[frame] = series.rescale[place]
    return read_frames(series.files[0], in_file)[list(series.frames)]


def _read_slices(path: Path, series: Series) -> NDArray[np.generic]:
    """GDCM applies slope and intercept of each slice."""
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([str(file) for file in series.files])
    if series.rescale_varies:  # otherwise the first slice's integer type would hold for all
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        raise ImageError(path, "has a slice whose pixels cannot be decoded: export the series again") from error


def _preference(uid: str, group: Sequence[tuple[Path, pydicom.Dataset]]) -> tuple[bool, int, float, str]:
    first = group[0][1]
    original = str((first.get("ImageType") or ["ORIGINAL"])[0]).upper() == "ORIGINAL"
    thickness = scanner_settings([tags for _, tags in group]).slice_thickness_mm or float("inf")
    return original, _n_slices(group), -thickness, uid


def _n_slices(group: Sequence[tuple[Path, pydicom.Dataset]]) -> int:
    return sum(int(tags.get("NumberOfFrames") or 1) for _, tags in group)


def _in_words(group: Sequence[tuple[Path, pydicom.Dataset]]) -> str:
    settings = scanner_settings([tags for _, tags in group])
    thickness = f" of {settings.slice_thickness_mm:g} mm" if settings.slice_thickness_mm else ""
    kernel = f", kernel {settings.kernel}" if settings.kernel else ""
    return f"{_n_slices(group)} slices{thickness}{kernel}"


def _slices_of(path: Path, group: Sequence[tuple[Path, pydicom.Dataset]]) -> list[_Slice]:
    """The slices of a series with their places: one a file, or the frames of one file."""
    if any(is_multiframe(tags) for _, tags in group):
        if len(group) > 1:
            raise ImageError(path, f"holds a series in {len(group)} multi-frame files: leave one of them in the folder")
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
        raise ImageError(folder, "holds a single slice: give the folder of the whole series")
    sizes = {(int(s.tags.get("Rows") or 0), int(s.tags.get("Columns") or 0)) for s in slices}
    if {(len(s.place.position), len(s.place.axes), len(s.place.pixel_mm)) for s in slices} != {(3, 6, 2)}:
        raise ImageError(folder, "has slices with a damaged position or orientation: export the series again")
    positions, axes, pixels = (
        np.array([getattr(s.place, name) for s in slices]) for name in ("position", "axes", "pixel_mm")
    )
    if len(sizes) > 1 or np.ptp(axes, axis=0).max() > 1e-3 or np.ptp(pixels, axis=0).max() > 1e-3:
        raise ImageError(folder, "mixes slices of different size or orientation: leave one series in the folder")
    rows, columns = sizes.pop()
    along_x, along_y = axes[0, :3], axes[0, 3:]
    normal = np.cross(along_x, along_y)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    spacing_z = _even_spacing(folder, heights[order])
    positions = positions[order]
    pixel_mm = (float(pixels[0, 1]), float(pixels[0, 0]))  # PixelSpacing is row, column
    tilt = _tilt(folder, positions, np.column_stack([along_x, along_y, normal]), spacing_z, pixel_mm)
    start = np.zeros(2)
    if tilt is not None:
        columns, rows = columns + tilt.added[0], rows + tilt.added[1]
        start = np.array(tilt.start_mm(pixel_mm))
        notes = (*notes, f"its gantry was tilted by {tilt.degrees:.1f} degrees: resampled to a rectangular grid")
    header = ImageHeader(
        shape_zyx=(len(slices), rows, columns),
        spacing=(*pixel_mm, spacing_z),
        kind="DICOM",
        origin=triple(positions[0] + start[0] * along_x + start[1] * along_y),
        direction=np.column_stack([along_x, along_y, normal]),
        notes=notes,
        scanner=scanner_settings([s.tags for s in slices]),
    )
    in_order = [slices[i] for i in order]
    return Series(
        header=checked_header(folder, header),
        files=tuple(one.file for one in in_order),
        frames=None if in_order[0].frame is None else tuple(one.frame or 0 for one in in_order),
        rescale=tuple(one.place.rescale for one in in_order),
        tilt=tilt,
    )


def _tilt(
    folder: Path,
    positions: NDArray[np.float64],
    axes: NDArray[np.float64],
    spacing_z: float,
    pixel_mm: tuple[float, float],
) -> Tilt | None:
    """How ordered slices shift sideways; None where they do not.

    Raises:
        ImageError: they shift unevenly, or by more than any gantry tilts.
    """
    steps = np.arange(len(positions))[:, None]
    sideways = ((positions - positions[0]) @ axes)[:, :2]
    if np.abs(sideways).max() <= _LEAST_TILT_MM:
        return None
    shift = sideways[-1] / (len(positions) - 1)
    found = tilt_of((float(shift[0]), float(shift[1])), spacing_z, pixel_mm, len(positions))
    if np.abs(sideways - steps * shift).max() > _LEAST_TILT_MM or found.degrees > STEEPEST_DEGREES:
        raise ImageError(folder, "has slices that shift sideways unevenly: resample it to a rectangular grid")
    return found


def _even_spacing(folder: Path, heights: NDArray[np.float64]) -> float:
    """Distance between slices in mm, when it is the same for all."""
    if not np.isfinite(heights).all():
        raise ImageError(folder, "has slices without a finite position: export the series again")
    gaps = np.diff(heights)
    if gaps.min() < _SAME_PLACE_MM:
        raise ImageError(
            folder,
            f"has two slices at the same place ({heights[gaps.argmin()]:.1f} mm): leave one phase in it",
        )
    usual = float(np.median(gaps))
    missing = int(np.rint(gaps[gaps > 1.5 * usual] / usual - 1).sum())
    if missing:
        raise ImageError(
            folder,
            f"lacks {missing} slice{'s' if missing > 1 else ''} (the first gap is at "
            f"{heights[np.argmax(gaps > 1.5 * usual)]:.1f} mm): copy the series again, complete",
        )
    if np.abs(gaps - usual).max() > max(_UNEVEN_SHARE * usual, _UNEVEN_MM):
        raise ImageError(
            folder,
            f"has unevenly spaced slices ({gaps.min():.2f} to {gaps.max():.2f} mm): resample it evenly",
        )
    return float(heights[-1] - heights[0]) / (len(heights) - 1)
