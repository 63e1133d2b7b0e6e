"""Repeated slices of a folder, under other names or written again: each counts once."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pydicom

from embeddings.imaging.dicom.multiframe import is_multiframe
from embeddings.imaging.dicom.pixels import read_slices


def n_positions(slices: Iterable[pydicom.Dataset]) -> int:
    """Number of distinct slice positions; slices without a position count one each."""
    positions = [_numbers(tags, "ImagePositionPatient") for tags in slices]
    return len({position for position in positions if position}) + positions.count(())


def without_copies(path: Path, group: Sequence[tuple[Path, pydicom.Dataset]]) -> list[tuple[Path, pydicom.Dataset]]:
    """The files of one series without repeats: same bytes, or same position and same HU.

    All are kept where different images share a position, as two phases do, even under one SOP instance UID.

    Raises:
        ImageError: a slice that cannot be decoded.
    """
    kept: dict[object, tuple[Path, pydicom.Dataset]] = {}
    for file, tags in group:
        # Slices without a position are refused later; a series has one multi-frame file.
        key = "frames" if is_multiframe(tags) else _numbers(tags, "ImagePositionPatient") or file
        first, first_tags = kept.setdefault(key, (file, tags))
        if first == file or filecmp.cmp(file, first, shallow=False):
            continue
        axes, first_axes = (_numbers(one, "ImageOrientationPatient") for one in (tags, first_tags))
        same_axes = key != "frames" and axes == first_axes
        if not (same_axes and np.array_equal(read_slices(path, [file]), read_slices(path, [first]))):
            return list(group)
    return list(kept.values())


def _numbers(tags: pydicom.Dataset, name: str) -> tuple[str, ...]:
    """The values of a tag, rounded and as text; empty where there are none."""
    try:
        return tuple(f"{float(str(value)):.6g}" for value in tags.get(name) or ())
    except (TypeError, ValueError):
        return ()
