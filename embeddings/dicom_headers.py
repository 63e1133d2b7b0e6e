"""The headers of DICOM slices, read no further than the pixels, and whether the pixels can be there.

Errors name the folder and not the slice: names of slices may hold a patient's name or number.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from embeddings.acquisition import DICOM_TAGS
from embeddings.dicom_multiframe import TAGS as MULTIFRAME_TAGS
from embeddings.dicom_multiframe import is_multiframe
from embeddings.image_header import ImageError

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
    *MULTIFRAME_TAGS,
]
_UNCOMPRESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
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


def ct_files(path: Path) -> list[tuple[Path, pydicom.Dataset]]:
    """The DICOM files of a folder (not of its sub-folders), or one multi-frame file, with their technical tags.

    Raises:
        ImageError: a damaged file, fewer pixels than a slice claims, much that is deflated, one slice alone.
    """
    found: list[tuple[Path, pydicom.Dataset]] = []
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.name.startswith(".") or file.name.upper() == "DICOMDIR" or not file.is_file():
            continue
        try:
            with file.open("rb") as opened:
                _refuse_much_deflated(path, file, opened)
                tags = pydicom.dcmread(opened, stop_before_pixels=True, specific_tags=_TAGS)
                # Where it stopped, the pixels begin.
                n_bytes = file.stat().st_size - opened.tell()
        except InvalidDicomError as error:
            if file == path:
                raise ImageError(path, _ONE_FILE) from error
            continue  # a note or a licence beside the slices
        except ImageError:
            raise
        except (OSError, *OF_DAMAGED_TAGS) as error:
            raise ImageError(path, DAMAGED) from error
        if file == path and not is_multiframe(tags):
            raise ImageError(path, _ONE_FILE)
        _check_pixels(path, tags, n_bytes)
        found.append((file, tags))
    return found


def _refuse_much_deflated(path: Path, file: Path, opened: BinaryIO) -> None:
    """A deflated file is inflated as a whole, whatever it inflates to, before a tag of it can be read."""
    if file.stat().st_size > _MOST_DEFLATED:
        syntax = read_file_meta_info(file).get("TransferSyntaxUID")
        opened.seek(0)
        if syntax == DeflatedExplicitVRLittleEndian:
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
