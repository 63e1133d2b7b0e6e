"""The headers of DICOM slices, read no further than the pixels, and whether the pixels can be there.

Errors name the folder and not the slice: names of slices may hold a patient's name or number.
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
# None: without meta information there is no compression.
_UNCOMPRESSED = (None, ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
_MOST_DEFLATED = 2**20  # a slice takes half of it, and it may inflate a thousandfold
DAMAGED = "holds a damaged DICOM file: copy or export the series again"
_ONE_FILE = "is one DICOM file: give the folder that holds the series"
# pydicom reads a tag's value when it is asked for, and raises whatever it meets.
OF_DAMAGED_TAGS = (
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
    """The DICOM files of a folder, by name, each with its technical tags, and how many others may be lost slices."""

    files: tuple[tuple[Path, pydicom.Dataset], ...]
    n_lost: int


def dicom_files(path: Path) -> DicomFiles:
    """The DICOM files of a folder (not of its sub-folders), or one multi-frame file.

    Raises:
        ImageError: a damaged file, fewer pixels than a slice claims, much that is deflated, one slice alone.
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
        if tags is None or not (tags.get("Modality") or tags.get("Rows")):  # neither: no more than a beginning
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
            # Forced: files without a preamble are DICOM too.
            tags = pydicom.dcmread(opened, force=True, stop_before_pixels=True, specific_tags=_TAGS)
            # Where it stopped, the pixels begin.
            n_bytes = file.stat().st_size - opened.tell()
    except ImageError:
        raise
    except (OSError, *OF_DAMAGED_TAGS) as error:
        if beginning == "element" and not isinstance(error, OSError):
            return None  # another kind of file, which begins alike
        raise ImageError(path, DAMAGED) from error
    _check_pixels(path, tags, n_bytes)
    return tags


def _refuse_much_deflated(path: Path, file: Path, opened: BinaryIO) -> None:
    """A deflated file is inflated as a whole, whatever it inflates to, before a tag of it can be read."""
    if file.stat().st_size > _MOST_DEFLATED:
        read_preamble(opened, force=True)
        meta = read_dataset(opened, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
        opened.seek(0)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            raise ImageError(
                path, f"holds deflated DICOM of more than {_MOST_DEFLATED >> 20} MiB: save it uncompressed"
            )


def _check_pixels(path: Path, tags: pydicom.Dataset, n_bytes: int) -> None:
    """Refuse a slice with fewer pixels than it claims, which GDCM fills with what it likes.

    Raises:
        ImageError: fewer bytes than rows x columns need, where they are not compressed.
    """
    if tags.file_meta.get("TransferSyntaxUID") not in _UNCOMPRESSED:
        return
    claimed = int(tags.get("Rows") or 0) * int(tags.get("Columns") or 0) * int(tags.get("BitsAllocated") or 16) // 8
    if tags.get("Modality") == "CT" and n_bytes < claimed * int(tags.get("NumberOfFrames") or 1):
        raise ImageError(path, "holds fewer pixels than its header claims: copy or export the series again")
