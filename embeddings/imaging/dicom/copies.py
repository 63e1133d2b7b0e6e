"""Slices that lie in a folder more than once, under other names or written again: each counts once."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.imaging.dicom.multiframe import is_multiframe
from embeddings.imaging.image_header import ImageError

_Place = tuple[str, ...]


def n_places(slices: Iterable[pydicom.Dataset]) -> int:
    """At how many places slices lie; those without a position count one each."""
    places = [_place(tags) for tags in slices]
    return len({place for place in places if place}) + places.count(())


def without_copies(path: Path, group: Sequence[tuple[Path, pydicom.Dataset]]) -> list[tuple[Path, pydicom.Dataset]]:
    """The files of one series without those that repeat another: same bytes, or same place and same HU.

    All are kept where different images lie at one place, as of two phases, also under one SOP instance UID.

    Raises:
        ImageError: a slice that cannot be decoded.
    """
    kept: dict[object, tuple[Path, pydicom.Dataset]] = {}
    for file, tags in group:
        # Slices without a place will be refused; of multi-frame files a series has one.
        place = "frames" if is_multiframe(tags) else _place(tags) or file
        first, first_tags = kept.setdefault(place, (file, tags))
        if first == file or filecmp.cmp(file, first, shallow=False):
            continue
        alike = place != "frames" and _axes(tags) == _axes(first_tags)
        if not (alike and np.array_equal(_hu(path, file), _hu(path, first))):
            return list(group)
    return list(kept.values())


def _place(tags: pydicom.Dataset) -> _Place:
    """The position as text, mm; empty where there is none."""
    return _numbers(tags.get("ImagePositionPatient"))


def _axes(tags: pydicom.Dataset) -> _Place:
    return _numbers(tags.get("ImageOrientationPatient"))


def _numbers(values: Iterable[object] | None) -> _Place:
    try:
        return tuple(f"{float(str(value)):.6g}" for value in values or ())
    except (TypeError, ValueError):
        return ()


def _hu(path: Path, file: Path) -> NDArray[np.generic]:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    reader.SetImageIO("GDCMImageIO")
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        raise ImageError(path, "has a slice whose pixels cannot be decoded: export the series again") from error
