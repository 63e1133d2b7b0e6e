"""A folder of DICOM slices as one series in order, or the reason why it is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from embeddings.acquisition import DICOM_TAGS, scanner_settings
from embeddings.image_header import ImageError, ImageHeader, checked_header, triple

_TAGS = [
    "SeriesInstanceUID",
    "Modality",
    "ImageType",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "BitsAllocated",
    "RescaleSlope",
    "RescaleIntercept",
    *DICOM_TAGS,
]
_UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
_SAME_PLACE_MM = 0.01
_UNEVEN_SHARE, _UNEVEN_MM = 0.05, 0.05  # positions in the headers are rounded
_MOST_TILT_MM = 1.0


@dataclass(frozen=True)
class Series:
    """The slices of one series in the order of their position, and the grid that they make.

    Attributes:
        files: one a slice, along the direction's third column.
        rescale_varies: slices have slopes or intercepts of their own, or fractions of HU.
    """

    header: ImageHeader
    files: tuple[Path, ...]
    rescale_varies: bool


@dataclass(frozen=True)
class _Slice:
    file: Path
    tags: pydicom.Dataset


def find_series(folder: Path) -> Series:
    """The CT series of a folder (not of its sub-folders): the one with most slices where there are several.

    Raises:
        ImageError: no DICOM slices, no CT, enhanced multi-frame files, slices that are missing, doubled,
            unevenly spaced or tilted, or of different sizes.
    """
    slices = _slices_in(folder)
    if not slices:
        raise ImageError(folder, "is a folder without DICOM slices: give the folder that holds the .dcm files itself")
    by_series: dict[str, list[_Slice]] = {}
    for one in slices:
        if one.tags.get("Modality") == "CT" and "LOCALIZER" not in (one.tags.get("ImageType") or []):
            by_series.setdefault(str(one.tags.get("SeriesInstanceUID", "")), []).append(one)
    if not by_series:
        kinds = ", ".join(sorted({str(one.tags.get("Modality", "unknown")) for one in slices}))
        raise ImageError(folder, f"holds DICOM of modality {kinds}, no CT slices: give the folder of the CT series")
    uid = max(by_series, key=lambda name: (len(by_series[name]), name))
    chosen = by_series[uid]
    notes: tuple[str, ...] = ()
    if len(by_series) > 1:
        others = ", ".join(str(len(group)) for name, group in by_series.items() if name != uid)
        notes = (
            f"{folder.name} holds {len(by_series)} CT series: the one with most slices ({len(chosen)}, "
            f"{uid}) is read, those of {others} slices are left out",
        )
    return _ordered(folder, chosen, notes)


def read_series_voxels(folder: Path, series: Series) -> NDArray[np.generic]:
    """The voxels `[z, y, x]` in HU (GDCM applies slope and intercept of each slice).

    Raises:
        ImageError: a slice that cannot be decoded.
    """
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([str(file) for file in series.files])
    if series.rescale_varies:  # otherwise the first slice's integer type would hold for all
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        raise ImageError(folder, "has a slice whose pixels cannot be decoded: export the series again") from error


def _slices_in(folder: Path) -> list[_Slice]:
    found = []
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or file.name.upper() == "DICOMDIR" or not file.is_file():
            continue
        try:
            with file.open("rb") as opened:
                tags = pydicom.dcmread(opened, stop_before_pixels=True, specific_tags=_TAGS)
                # Where it stopped, the pixels begin.
                n_bytes = file.stat().st_size - opened.tell()
        except InvalidDicomError:
            continue  # a note or a licence beside the slices
        except (OSError, EOFError, ValueError, KeyError, NotImplementedError) as error:
            raise ImageError(file, "is a damaged DICOM file: copy or export the series again") from error
        _check_pixels(file, tags, n_bytes)
        found.append(_Slice(file, tags))
    return found


def _check_pixels(file: Path, tags: pydicom.Dataset, n_bytes: int) -> None:
    """Refuse a slice with fewer pixels than it claims, which GDCM fills with what it likes.

    Raises:
        ImageError: fewer bytes than rows x columns need, where they are not compressed.
    """
    if tags.file_meta.get("TransferSyntaxUID") not in _UNCOMPRESSED:
        return
    claimed = int(tags.get("Rows") or 0) * int(tags.get("Columns") or 0) * int(tags.get("BitsAllocated") or 16) // 8
    if tags.get("Modality") == "CT" and n_bytes < claimed * int(tags.get("NumberOfFrames") or 1):
        raise ImageError(file, "holds fewer pixels than its header claims: copy or export the series again")


def _ordered(folder: Path, slices: Sequence[_Slice], notes: tuple[str, ...]) -> Series:
    try:
        positions = np.array([[float(v) for v in s.tags.ImagePositionPatient] for s in slices])
        axes = np.array([[float(v) for v in s.tags.ImageOrientationPatient] for s in slices])
        pixels = np.array([[float(v) for v in s.tags.PixelSpacing] for s in slices])
        sizes = {(int(s.tags.Rows), int(s.tags.Columns)) for s in slices}
        rescale = {(float(s.tags.get("RescaleSlope", 1)), float(s.tags.get("RescaleIntercept", 0))) for s in slices}
    except (AttributeError, TypeError, ValueError) as error:
        if any(int(s.tags.get("NumberOfFrames") or 1) > 1 for s in slices):
            raise ImageError(
                folder, "holds enhanced (multi-frame) DICOM: convert it to NIfTI, as dcm2niix does"
            ) from error
        raise ImageError(folder, "has slices without position, orientation or size: export the series again") from error
    if len(slices) < 2:
        raise ImageError(folder, "holds a single slice: give the folder of the whole series")
    if positions.shape[1:] != (3,) or axes.shape[1:] != (6,) or pixels.shape[1:] != (2,):
        raise ImageError(folder, "has slices with a damaged position or orientation: export the series again")
    if len(sizes) > 1 or np.ptp(axes, axis=0).max() > 1e-3 or np.ptp(pixels, axis=0).max() > 1e-3:
        raise ImageError(folder, "mixes slices of different size or orientation: leave one series in the folder")
    rows, columns = sizes.pop()
    along_x, along_y = axes[0, :3], axes[0, 3:]
    normal = np.cross(along_x, along_y)
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    spacing_z = _even_spacing(folder, heights[order])
    positions = positions[order]
    drift = positions - positions[0] - np.outer(heights[order] - heights[order][0], normal)
    if np.abs(drift).max() > _MOST_TILT_MM:
        raise ImageError(folder, "has a tilted gantry (its slices shift sideways): resample it to a rectangular grid")
    header = ImageHeader(
        shape_zyx=(len(slices), rows, columns),
        spacing=(float(pixels[0, 1]), float(pixels[0, 0]), spacing_z),  # PixelSpacing is row, column
        kind="DICOM",
        origin=triple(positions[0]),
        direction=np.column_stack([along_x, along_y, normal]),
        notes=notes,
        scanner=scanner_settings([s.tags for s in slices]),
    )
    fractional = any(not value.is_integer() for pair in rescale for value in pair)
    return Series(
        header=checked_header(folder, header),
        files=tuple(slices[i].file for i in order),
        rescale_varies=len(rescale) > 1 or fractional,
    )


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
