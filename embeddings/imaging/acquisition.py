"""How a scan was acquired, as far as its file states it: the grid, and the scanner settings of DICOM.

These are possible confounders of a stage gradient. Nothing here can identify a patient, a place or a device: no names,
dates, UIDs, institution, station or serial numbers are read.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TypeVar

import numpy as np
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from embeddings.imaging.image_header import ImageHeader, ScannerSettings
from embeddings.missing_values import is_missing
from embeddings.records import AcquisitionRecord

T = TypeVar("T")

DICOM_TAGS = ("SliceThickness", "Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "KVP")
_LONGEST_TEXT = 64  # the limit of a DICOM long string
_THICKEST_MM = 100.0
_MOST_KVP = 500.0
# A tenth of a micrometre: equal spacings stay equal through the roundings of the formats.
_DECIMALS = 4


def scanner_settings(slices: Sequence[Dataset]) -> ScannerSettings:
    """The most frequent settings of a series; several values of one tag are joined by a comma."""
    return ScannerSettings(
        slice_thickness_mm=_commonest(slices, "SliceThickness", lambda value: _number(value, _THICKEST_MM)),
        manufacturer=_commonest(slices, "Manufacturer", _text),
        scanner_model=_commonest(slices, "ManufacturerModelName", _text),
        kernel=_commonest(slices, "ConvolutionKernel", _text),
        kvp=_commonest(slices, "KVP", lambda value: _number(value, _MOST_KVP)),
    )


def acquisition_of(case_id: str, header: ImageHeader) -> AcquisitionRecord:
    """The acquisition of a case from its image's header, lengths in mm.

    Slices lie along the axis that the DICOM series stacks; of other files, along the axis closest to the
    patient's. Where rows and columns differ in distance, the in-plane spacing is their geometric mean. Where slices
    have several spacings, the finest is given, and the number acquired.
    """
    axis = 2 if header.kind == "DICOM" else int(np.argmax(np.abs(header.direction[2])))
    in_plane = [spacing for position, spacing in enumerate(header.spacing) if position != axis]
    return AcquisitionRecord(
        case_id=case_id,
        spacing_xy_mm=round(math.sqrt(in_plane[0] * in_plane[1]), _DECIMALS),
        spacing_z_mm=round(header.spacing[axis], _DECIMALS),
        n_slices=header.shape_zyx[2 - axis] if header.uneven is None else len(header.uneven.heights_mm),
        **asdict(header.scanner),
    )


def _commonest(slices: Iterable[Dataset], tag: str, read: Callable[[object], T | None]) -> T | None:
    found: Counter[T] = Counter()
    for one in slices:
        try:
            value = read(one.get(tag))
        except (TypeError, ValueError):
            # An unreadable tag counts as missing: no vector depends on it.
            continue
        if value is not None:
            found[value] += 1
    return max(found, key=lambda value: (found[value], str(value)), default=None)


def _text(value: object) -> str | None:
    parts = value if isinstance(value, MultiValue | list | tuple) else [value]
    words = ", ".join(" ".join(str(part).split()) for part in parts if part is not None)
    shown = "".join(c for c in words if not unicodedata.category(c).startswith("C"))
    shown = shown[:_LONGEST_TEXT].strip(" ,")
    return None if is_missing(shown) else shown


def _number(value: object, most: float) -> float | None:
    if value is None or value == "":
        return None
    number = round(float(str(value)), _DECIMALS)
    return number if 0 < number <= most else None
