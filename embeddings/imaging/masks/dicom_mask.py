"""Lesion masks in DICOM: a SEG or an RTSTRUCT file, or a folder that holds one of them."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, RTStructureSetStorage, SegmentationStorage

from embeddings.imaging.image_header import ImageError
from embeddings.imaging.masks import dicom_rtstruct, dicom_seg
from embeddings.imaging.masks.dicom_rtstruct import StructureSet
from embeddings.imaging.masks.dicom_seg import LABELMAP_STORAGE, Segmentation

_PREAMBLE = 128
_DAMAGED = "is a damaged DICOM file: copy or export it again"
# What pydicom raises of damaged files; OSError, which can be the disk's, is looked at by itself.
_UNREADABLE = (EOFError, struct.error, InvalidDicomError, BytesLengthException, RecursionError, NotImplementedError)
_WRONG_TAGS = (AttributeError, KeyError, IndexError, TypeError, ValueError, ArithmeticError)
# What 2^31 voxels take as fractions; a structure set is text, of which a contour needs some kilobytes.
_MOST_BYTES: dict[str, int] = {
    SegmentationStorage: 2**31,
    LABELMAP_STORAGE: 2**31,
    RTStructureSetStorage: 2**27,
}


def is_dicom_mask(path: Path) -> bool:
    """Whether a mask is to be read as DICOM: a folder, a name in .dcm or .ima, or a file that begins as DICOM does."""
    if path.is_dir() or path.name.lower().endswith((".dcm", ".ima")):
        return True
    try:
        with path.open("rb") as file:
            return file.read(_PREAMBLE + 4)[_PREAMBLE:] == b"DICM"
    except OSError:
        return False  # the reader will say what is wrong with it


def find_dicom_mask(path: Path, label: str | None = None) -> Segmentation | StructureSet:
    """The lesion that a SEG or RTSTRUCT file outlines, without its pixels.

    `label` is the number or name of its segment or ROI. Errors name `path`, and of the tags no more than the segments
    or ROIs to choose from.

    Raises:
        ImageError: no such file, none or several in a folder, a damaged file, or no segment or ROI to be chosen.
    """
    if not path.exists():
        raise ImageError(path, "does not exist: correct the path")
    file, kind, syntax = _one_file(path)
    most = _MOST_BYTES[kind]
    if file.stat().st_size > most:
        raise ImageError(path, f"is larger than any lesion mask ({most >> 20:,} MiB): save the lesion alone")
    if syntax == DeflatedExplicitVRLittleEndian:  # would be inflated in memory, whatever it inflates to
        raise ImageError(path, "is a deflated DICOM file, which is not read: save it uncompressed")
    reader = dicom_rtstruct if kind == RTStructureSetStorage else dicom_seg
    try:
        # The other tags are passed over: names, dates and UIDs never reach this program.
        tags = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(reader.TAGS))
        return reader.from_tags(path, file, tags, label)
    except ImageError:
        raise
    except OSError as error:
        if error.errno is not None:  # the disk's; pydicom raises OSError of a damaged sequence too
            raise
        raise ImageError(path, _DAMAGED) from error
    except _UNREADABLE as error:
        raise ImageError(path, _DAMAGED) from error
    except _WRONG_TAGS as error:
        what = "lacks tags that its kind of DICOM must have, or they are damaged: export it again"
        raise ImageError(path, what) from error


def is_structure_set(path: Path) -> bool:
    """Whether a mask is an RTSTRUCT, by name and meta information alone; False where it cannot be told."""
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
