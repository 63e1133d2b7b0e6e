"""Whether a file is DICOM, with or without its preamble, and whether another file may be a damaged slice."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import BinaryIO, Literal

from pydicom.datadict import dictionary_has_tag
from pydicom.valuerep import VR

_PREAMBLE = 128
_FIRST_GROUPS = (0x0002, 0x0008)  # file meta information, or the data set itself
_LONGEST_FIRST_VALUE = 1024
_VALUE_TYPES = {str(one).encode() for one in VR if len(one) == 2}
_SLICE_ENDINGS = (".dcm", ".dicom", ".dic", ".dc3", ".ima")
_UNFINISHED = (".part", ".partial", ".filepart", ".crdownload", ".download", ".tmp")
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"%PDF", b"PK\x03\x04")
_HEAD_BYTES = 4096


def begins_as_dicom(opened: BinaryIO) -> Literal["preamble", "element"] | None:
    """Whether a file begins with the DICOM preamble, or with a first element that GDCM accepts; None for others.

    The position in the file stays at its start.
    """
    head = opened.read(_PREAMBLE + 4)
    opened.seek(0)
    if head[_PREAMBLE:] == b"DICM":
        return "preamble"
    return "element" if _is_first_element(head) else None


def _is_first_element(head: bytes) -> bool:
    """A known tag of the first group, and a plausible length of its value."""
    if len(head) < 12:
        return False
    for order in "<>":
        group, element, length = struct.unpack(f"{order}HHI", head[:8])
        if group not in _FIRST_GROUPS or not (element == 0 or dictionary_has_tag(group << 16 | element)):
            continue
        if head[4:6] in _VALUE_TYPES:
            (length,) = struct.unpack(f"{order}H", head[6:8])  # 0 where the length follows in four bytes
        if length <= _LONGEST_FIRST_VALUE:
            return True
    return False


def n_lost_slices(others: Iterable[Path], slice_names: Iterable[str]) -> int:
    """How many files that are not DICOM may be remains of slices: empty, zeros, error pages, garbage.

    Documents, pictures and programs do not count.

    Args:
        slice_names: of the DICOM files of the folder.
    """
    names = [Path(name.lower()) for name in slice_names]
    endings = {*_SLICE_ENDINGS, *(name.suffix for name in names)} - {""}
    patterns = {_pattern(name) for name in names}
    return sum(_may_be_slice(file, endings, patterns) for file in others)


def _may_be_slice(file: Path, endings: Collection[str], patterns: Collection[str]) -> bool:
    name = Path(file.name.lower())
    if name.suffix in _UNFINISHED:
        name = Path(name.stem)
    if name.suffix in endings or _pattern(name) in patterns:
        return True
    if re.fullmatch(r"\.[a-z][a-z0-9]*", name.suffix) or not re.search(r"\d", name.name):
        return False  # names of slices contain numbers
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    return not (head.startswith(_PICTURES) or _is_text(head))


def _pattern(name: Path) -> str:
    """The name without its numbers, decimal or hexadecimal."""
    return re.sub(r"[0-9a-f]+", "#", name.name)


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", errors="ignore")
    return bool(text.strip()) and all(c.isprintable() or c in "\t\r\n\f\ufeff" for c in text)
