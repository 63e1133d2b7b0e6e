"""The headers of DICOM slices, read up to the pixels, and whether the file is long enough for the pixels.

Errors name the folder and not the slice: file names may contain a patient's name or number.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_dataset, read_preamble
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from embeddings.imaging.acquisition import DICOM_TAGS
from embeddings.imaging.dicom.multiframe import TAGS as MULTIFRAME_TAGS
from embeddings.imaging.dicom.multiframe import is_multiframe
from embeddings.imaging.dicom.padding import TAGS as PADDING_TAGS
from embeddings.imaging.dicom.recognition import begins_as_dicom, n_lost_slices
from embeddings.imaging.image_header import ImageError

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
    "InstanceNumber",
    "AcquisitionNumber",
    "ImagesInAcquisition",
    *DICOM_TAGS,
    *MULTIFRAME_TAGS,
    *PADDING_TAGS,
]
# None: files without meta information are not compressed.
_UNCOMPRESSED = (None, ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
_MOST_DEFLATED = 2**20  # a slice takes half of this, and may inflate a thousandfold
DAMAGED = "contains a damaged DICOM file: copy or export the series again"
_ONE_FILE = "is one DICOM file: give the folder that contains the series"
# pydicom parses a tag when it is read, and raises any of these on damaged bytes.
DAMAGED_TAG_ERRORS = (
    EOFError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    ArithmeticError,
    NotImplementedError,
    RecursionError,
    struct.error,
    BytesLengthException,
)


@dataclass(frozen=True)
class DicomFiles:
    """The DICOM files of a folder, by name, each with its technical tags, and the number of possible lost slices."""

    files: tuple[tuple[Path, pydicom.Dataset], ...]
    n_lost: int


def dicom_files(path: Path) -> DicomFiles:
    """The DICOM files of a folder (not of its sub-folders), or one multi-frame file.

    Raises:
        ImageError: a damaged file, fewer pixels than a slice claims, a large deflated file, one slice alone.
    """
    found: list[tuple[Path, pydicom.Dataset]] = []
    others: list[Path] = []
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.name.startswith(".") or file.name.upper() == "DICOMDIR" or not file.is_file():
            continue
        tags = _tags(path, file)
        if file == path and (tags is None or not is_multiframe(tags)):
            raise ImageError(path, _ONE_FILE)
        if tags is not None and tags.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
            continue
        if tags is None or not (tags.get("Modality") or tags.get("Rows")):  # neither: only the first elements are there
            others.append(file)
        else:
            found.append((file, tags))
    return DicomFiles(tuple(found), n_lost_slices(others, [file.name for file, _ in found]))


def _tags(path: Path, file: Path) -> pydicom.Dataset | None:
    """The technical tags of a file; None where it is not DICOM."""
    beginning = None
    try:
        with file.open("rb") as opened:
            beginning = begins_as_dicom(opened)
            if beginning is None:
                return None
            _refuse_much_deflated(path, file, opened)
            # force=True: files without a preamble are DICOM too.
            tags = pydicom.dcmread(opened, force=True, stop_before_pixels=True, specific_tags=_TAGS)
            # The pixels begin where it stopped.
            n_bytes = file.stat().st_size - opened.tell()
    except ImageError:
        raise
    except (OSError, *DAMAGED_TAG_ERRORS) as error:
        if beginning == "element" and not isinstance(error, OSError):
            return None  # another kind of file with a similar beginning
        raise ImageError(path, DAMAGED) from error
    _check_pixels(path, tags, n_bytes)
    return tags


def _refuse_much_deflated(path: Path, file: Path, opened: BinaryIO) -> None:
    """pydicom inflates a deflated file as a whole, to any size, before it reads a tag."""
    if file.stat().st_size > _MOST_DEFLATED:
        read_preamble(opened, force=True)
        meta = read_dataset(opened, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
        opened.seek(0)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            raise ImageError(
                path, f"contains deflated DICOM of more than {_MOST_DEFLATED >> 20} MiB: save it uncompressed"
            )


def _check_pixels(path: Path, tags: pydicom.Dataset, n_bytes: int) -> None:
    """Refuse a slice with fewer pixels than it claims, which GDCM fills with arbitrary values.

    Raises:
        ImageError: fewer bytes than rows x columns need, where they are not compressed.
    """
    if tags.file_meta.get("TransferSyntaxUID") not in _UNCOMPRESSED:
        return
    claimed = int(tags.get("Rows") or 0) * int(tags.get("Columns") or 0) * int(tags.get("BitsAllocated") or 16) // 8
    if tags.get("Modality") == "CT" and n_bytes < claimed * int(tags.get("NumberOfFrames") or 1):
        raise ImageError(path, "contains fewer pixels than its header claims: copy or export the series again")
