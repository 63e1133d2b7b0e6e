"""The distances between the slices of a DICOM series: even, with several spacings, or with missing slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings.imaging.image_header import WIDEST_SPACING_MM, ImageError
from embeddings.imaging.uneven_slices import UnevenSlices

_SAME_PLACE_MM = 0.01
_UNEVEN_SHARE, _UNEVEN_MM = 0.05, 0.05  # positions in the headers are rounded
_LEAST_GAPS = 3  # in a part with its own spacing; fewer may be misplaced slices
_MOST_RATIO = 5.0  # of the widest to the finest spacing: the resampled volume grows by it
_AS_THICK = 0.75  # of the thickness that grows in proportion to the spacing


@dataclass(frozen=True)
class Evidence:
    """What the slices, in the order of their position, state about themselves.

    Attributes:
        instance_numbers: None where a slice has none.
        thickness_mm: NaN where a slice does not state it.
    """

    instance_numbers: tuple[int, ...] | None
    thickness_mm: tuple[float, ...]


@dataclass(frozen=True)
class _Part:
    """Gaps `start` to `stop` (exclusive) with one spacing."""

    start: int
    stop: int
    mm: float

    @property
    def n(self) -> int:
        return self.stop - self.start


def spacing_of(folder: Path, heights: NDArray[np.float64], evidence: Callable[[], Evidence]) -> float | UnevenSlices:
    """The distance between slices in mm where it is constant; else how to resample them evenly.

    Args:
        heights: mm along the slices' normal, ascending.
        evidence: what the slices say, which only uneven ones are asked.

    Raises:
        ImageError: two slices at one position, missing slices, or irregular distances.
    """
    if not np.isfinite(heights).all():
        raise ImageError(folder, "has slices without a finite position: export the series again")
    gaps = np.diff(heights)
    if gaps.min() < _SAME_PLACE_MM:
        raise ImageError(
            folder,
            f"has two different slices at the same position ({heights[gaps.argmin()]:.1f} mm): keep only one phase",
        )
    usual = float(np.median(gaps))
    if np.abs(gaps - usual).max() <= _tolerance(usual):
        return float(heights[-1] - heights[0]) / len(gaps)
    parts = _parts(gaps)
    finest = min((part for part in parts if part.n >= _LEAST_GAPS), key=lambda part: part.mm, default=None)
    if finest is not None and _is_pattern(parts, finest.mm):
        missing = _missing_by_evidence(parts, finest, evidence())
        if missing is None:
            widest = max(part.mm for part in parts)
            raise ImageError(
                folder,
                f"has slices {finest.mm:.3g} mm apart and others {widest:.3g} mm apart, and it is not known "
                "whether slices are missing between those: copy the complete series again, or resample it evenly",
            )
        if not missing.any():
            return UnevenSlices.at(heights - heights[0], finest.start, finest.mm, [part.mm for part in parts])
    else:
        missing = _missing_by_distance(parts, usual)
    if missing.any():
        n = int(missing.sum())
        raise ImageError(
            folder,
            f"lacks {n} slice{'s' if n > 1 else ''} (the first gap is at "
            f"{heights[np.argmax(missing > 0)]:.1f} mm): copy the complete series again",
        )
    raise ImageError(
        folder, f"has unevenly spaced slices ({gaps.min():.2f} to {gaps.max():.2f} mm): resample it evenly"
    )


def _tolerance(mm: float) -> float:
    return max(_UNEVEN_SHARE * mm, _UNEVEN_MM)


def _parts(gaps: NDArray[np.float64]) -> list[_Part]:
    """Runs of equal gaps, in order."""
    parts: list[_Part] = []
    start = 0
    for stop in range(1, len(gaps) + 1):
        if stop == len(gaps) or abs(gaps[stop] - gaps[start:stop].mean()) > _tolerance(float(gaps[start])):
            parts.append(_Part(start, stop, float(gaps[start:stop].mean())))
            start = stop
    return parts


def _is_pattern(parts: Sequence[_Part], finest: float) -> bool:
    """Whether each part has several gaps of one spacing, with at most one gap of another width between two parts."""
    if max(part.mm for part in parts) > min(_MOST_RATIO * finest, WIDEST_SPACING_MM):
        return False
    for before, part, after in zip([None, *parts], parts, [*parts[1:], None], strict=False):
        if part.n >= _LEAST_GAPS:
            continue
        if part.n > 1 or before is None or after is None or min(before.n, after.n) < _LEAST_GAPS:
            return False
        if not min(before.mm, after.mm) <= part.mm <= max(before.mm, after.mm):
            return False
    return True


def _missing_by_evidence(parts: Sequence[_Part], finest: _Part, evidence: Evidence) -> NDArray[np.int64] | None:
    """Slices missing in each gap of several spacings; None where numbers, distances and thickness leave it open."""
    none = np.zeros(parts[-1].stop, dtype=np.int64)
    if evidence.instance_numbers is not None:
        steps = np.diff(evidence.instance_numbers)
        step = float(np.median(steps[finest.start : finest.stop]))
        if step != 0 and (np.sign(steps) == np.sign(step)).all():
            return np.rint(steps / step - 1).clip(0).astype(np.int64)
    thickness = np.array(evidence.thickness_mm)
    thin = float(np.median(thickness[finest.start : finest.stop + 1]))
    for part in parts:
        times = round(part.mm / finest.mm)
        if times == 1 or part.n < _LEAST_GAPS or abs(part.mm - times * finest.mm) > _tolerance(part.mm):
            continue  # missing slices of the finest spacing would not leave this distance
        if not float(np.median(thickness[part.start + 1 : part.stop + 1])) >= _AS_THICK * times * thin:
            return None
    return none


def _missing_by_distance(parts: Sequence[_Part], usual: float) -> NDArray[np.int64]:
    """Slices missing in each gap, judged by the spacing of the neighbouring parts, or by the median."""
    missing = np.zeros(parts[-1].stop, dtype=np.int64)
    spacings = [part.mm if part.n >= _LEAST_GAPS else 0.0 for part in parts]
    for place, part in enumerate(parts):
        beside = max(spacings[max(place - 1, 0) : place + 2]) or usual
        if part.mm > 1.5 * beside:
            missing[part.start : part.stop] = round(part.mm / beside - 1)
    return missing
