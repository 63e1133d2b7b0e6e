"""Lesion masks in DICOM: a SEG or RTSTRUCT file, or a folder that contains one of them."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.misc import is_dicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, RTStructureSetStorage, SegmentationStorage

from embeddings.imaging.image_header import ImageError
from embeddings.imaging.masks import dicom_rtstruct, dicom_seg
from embeddings.imaging.masks.dicom_rtstruct import StructureSet
from embeddings.imaging.masks.dicom_seg import LABELMAP_STORAGE, Segmentation

_DAMAGED = "is a damaged DICOM file: copy or export it again"
# What pydicom raises on damaged files; OSError, which can come from the disk, is handled separately.
_UNREADABLE = (EOFError, struct.error, InvalidDicomError, BytesLengthException, RecursionError, NotImplementedError)
_WRONG_TAGS = (AttributeError, KeyError, IndexError, TypeError, ValueError, ArithmeticError)
# 2^31 voxels as fractions need this; a structure set is text, and a contour needs some kilobytes.
_MOST_BYTES: dict[str, int] = {
    SegmentationStorage: 2**31,
    LABELMAP_STORAGE: 2**31,
    RTStructureSetStorage: 2**27,
}


def is_dicom_mask(path: Path) -> bool:
    """Whether a mask is DICOM: a folder, a name ending in .dcm or .ima, or a file with the DICOM preamble."""
    if path.is_dir() or path.name.lower().endswith((".dcm", ".ima")):
        return True
    try:
        return is_dicom(path)
    except OSError:
        return False  # the reader reports what is wrong


def find_dicom_mask(path: Path, label: str | None = None) -> Segmentation | StructureSet:
    """The lesion that a SEG or RTSTRUCT file outlines, without its pixels.

    `label` is the number or name of its segment or ROI. Errors name `path` and the segments or ROIs to choose from,
    and no other content of the tags.

    Raises:
        ImageError: no such file, none or several in a folder, a damaged file, or no segment or ROI to be chosen.
    """
    if not path.exists():
        raise ImageError(path, "does not exist: correct the path")
    file, kind, syntax = _one_file(path)
    most = _MOST_BYTES[kind]
    if file.stat().st_size > most:
        raise ImageError(path, f"is larger than any lesion mask ({most >> 20:,} MiB): save the lesion alone")
    if syntax == DeflatedExplicitVRLittleEndian:  # could inflate to any size
        raise ImageError(path, "is a deflated DICOM file, which is not supported: save it uncompressed")
    reader = dicom_rtstruct if kind == RTStructureSetStorage else dicom_seg
    try:
        # No other tag is read: names, dates and UIDs never reach this program.
        tags = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(reader.TAGS))
        return reader.from_tags(path, file, tags, label)
    except ImageError:
        raise
    except (OSError, *_UNREADABLE) as error:
        if getattr(error, "errno", None) is not None:  # from the disk; pydicom raises OSError on a damaged sequence too
            raise
        raise ImageError(path, _DAMAGED) from error
    except _WRONG_TAGS as error:
        what = "lacks required DICOM tags, or they are damaged: export it again"
        raise ImageError(path, what) from error


def is_structure_set(path: Path) -> bool:
    """Whether a mask is an RTSTRUCT, by name and meta information alone; False where that is unknown."""
    try:
        return is_dicom_mask(path) and _one_file(path)[1] == RTStructureSetStorage
    except (ImageError, OSError):
        return False


def _one_file(path: Path) -> tuple[Path, str, str]:
    """The mask's file, its SOP class and its transfer syntax."""
    if not path.is_dir():
        found = _kind_of(path)
        if found is None:
            raise ImageError(path, "is not a DICOM SEG or RTSTRUCT file: give the file of the lesion mask")
        return path, *found
    masks = [
        (file, *kind)
        for file in sorted(path.iterdir())
        if file.is_file() and not file.name.startswith(".") and (kind := _kind_of(file)) is not None
    ]
    if len(masks) != 1:
        many = f"{len(masks)} DICOM SEG or RTSTRUCT files" if masks else "no DICOM SEG or RTSTRUCT file"
        raise ImageError(path, f"is a folder with {many}: give the file of the lesion mask itself")
    return masks[0]


def _kind_of(file: Path) -> tuple[str, str] | None:
    """SOP class and transfer syntax by the file's meta information, where it is a SEG or an RTSTRUCT."""
    try:
        meta = read_file_meta_info(file)
        kind, syntax = str(meta.get("MediaStorageSOPClassUID")), str(meta.get("TransferSyntaxUID"))
    except (*_UNREADABLE, *_WRONG_TAGS):
        return None
    return (kind, syntax) if kind in _MOST_BYTES else None
