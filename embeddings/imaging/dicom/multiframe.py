"""Enhanced (multi-frame) CT: the position of each frame and its rescaling to HU (DICOM PS3.3 A.38, C.7.6.16)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from embeddings.imaging.image_header import ImageError

TAGS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


@dataclass(frozen=True)
class Frame:
    """One frame: position and orientation in LPS mm, pixel size (row, column) in mm, slope and intercept."""

    position: tuple[float, ...]
    axes: tuple[float, ...]
    pixel_mm: tuple[float, ...]
    rescale: tuple[float, float]


def is_multiframe(tags: pydicom.Dataset) -> bool:
    """Whether a file has more than one frame, or functional groups for each frame."""
    return int(tags.get("NumberOfFrames") or 1) > 1 or "PerFrameFunctionalGroupsSequence" in tags


def frames_of(file: Path, tags: pydicom.Dataset) -> list[Frame]:
    """The frames in the order of the file.

    Raises:
        ImageError: fewer or more positions than frames, or a frame without position, orientation or pixel size.
    """
    per_frame = list(tags.get("PerFrameFunctionalGroupsSequence") or [])
    if len(per_frame) != int(tags.get("NumberOfFrames") or 1):
        n_frames = tags.get("NumberOfFrames")
        raise ImageError(file, f"has {n_frames} frames but positions for {len(per_frame)}: export it again")
    try:
        return [_frame(one, tags) for one in per_frame]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ImageError(
            file, "has frames without position, orientation or pixel size: convert it to NIfTI, as dcm2niix does"
        ) from error


def read_frames(file: Path, rescale: list[tuple[float, float]]) -> NDArray[np.generic]:
    """The frames `[n, rows, columns]` in HU, in the order of the file.

    Raises:
        ImageError: pixels that cannot be decoded, or fewer of them than the file claims.
    """
    tags = pydicom.dcmread(file, force=True)  # it may lack the preamble
    if "TransferSyntaxUID" not in tags.file_meta:
        is_implicit, is_little = tags.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        tags.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    syntax = tags.file_meta.TransferSyntaxUID
    try:
        if syntax.is_compressed and not syntax.is_encapsulated:  # deflated: could inflate to any size
            raise ImageError(file, f"is stored as {syntax.name}, which is not supported: save it uncompressed")
        stored = tags.pixel_array if not syntax.is_encapsulated else _decoded(file, tags)
    except ImageError:
        raise
    except Exception as error:  # whatever the decoders of pydicom raise
        raise ImageError(file, f"has pixels that cannot be decoded ({syntax.name}): export it again") from error
    if len(set(rescale)) == 1 and all(value.is_integer() for value in rescale[0]):
        slope, intercept = (int(value) for value in rescale[0])
        return np.asarray(stored.astype(np.int32) * slope + intercept)
    factors = np.array(rescale, dtype=np.float32)[:, :, None, None]
    return np.asarray(stored.astype(np.float32) * factors[:, 0] + factors[:, 1])


def _decoded(file: Path, tags: pydicom.Dataset) -> NDArray[np.generic]:
    """Stored values of compressed frames: GDCM decodes all syntaxes, but rescales by the first frame's values."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    reader.SetImageIO("GDCMImageIO")
    hu = sitk.GetArrayFromImage(reader.Execute()).astype(np.float64)
    first = frames_of(file, tags)[0].rescale
    return np.rint((hu - first[1]) / first[0])


def _frame(one: pydicom.Dataset, tags: pydicom.Dataset) -> Frame:
    position = functional_group(tags, one, "PlanePositionSequence").ImagePositionPatient
    axes = functional_group(tags, one, "PlaneOrientationSequence").ImageOrientationPatient
    pixels = functional_group(tags, one, "PixelMeasuresSequence").PixelSpacing
    values = functional_group(tags, one, "PixelValueTransformationSequence")
    rescale = (float(values.RescaleSlope), float(values.RescaleIntercept))
    return Frame(tuple(map(float, position)), tuple(map(float, axes)), tuple(map(float, pixels)), rescale)


def functional_group(tags: pydicom.Dataset, frame: pydicom.Dataset, name: str) -> pydicom.Dataset:
    """A functional group of a frame, its own or the one that all frames of the file share.

    Raises:
        KeyError, IndexError, TypeError: neither is there.
    """
    return (frame if name in frame else tags.SharedFunctionalGroupsSequence[0])[name].value[0]
