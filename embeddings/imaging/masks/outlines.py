"""Closed outlines on one slice as pixels: filled, and combined into one area.

Outlines `[points, 2]` are in pixel indices (row, column). A pixel is inside if its centre is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
Area = NDArray[np.bool_]
# Positions in files are rounded; outlines closer than this, in pixels, touch.
_TOUCHING = 1e-3
_DECIMALS = 6
# Two outlines closer than this everywhere, in pixels, are one outline drawn twice.
_SAME = 0.5
_AT_ONCE = 2**22  # pairs of edges


def filled(outline: Outline, shape: tuple[int, int]) -> Area:
    """The pixels of an image of `shape` that an outline encloses, by the even-odd rule where it crosses itself.

    A centre on the outline counts as inside where the outline is the upper or left edge of the area (half-open, so that
    areas with a common edge have no common pixel).
    """
    area = np.zeros(shape, dtype=np.bool_)
    start = np.round(outline, _DECIMALS)
    low = np.clip(np.floor(start.min(axis=0)), 0, shape).astype(np.int64)
    high = np.clip(np.ceil(start.max(axis=0)) + 1, 0, shape).astype(np.int64)
    if (high <= low).any():
        return area
    flips = np.zeros(high - low + (0, 1), dtype=np.int32)
    start = start - low
    end = np.roll(start, -1, axis=0)
    for part in _parts(len(start), flips.shape[0]):
        _add_crossings(flips, start[part], end[part])
    area[low[0] : high[0], low[1] : high[1]] = np.cumsum(flips, axis=1)[:, :-1] % 2 == 1
    return area


def _add_crossings(flips: NDArray[np.int32], start: Outline, end: Outline) -> None:
    """Count, at the first pixel to the right, where edges cross the middle lines of rows."""
    rows, columns = flips.shape
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    first = np.clip(np.ceil(low), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(high), 0, rows).astype(np.int64)  # the row after the last one that the edge crosses
    counts = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(start)), counts)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    share = (row - start[edge, 0]) / (end[edge, 0] - start[edge, 0])
    crossing = start[edge, 1] + share * (end[edge, 1] - start[edge, 1])
    column = np.clip(np.ceil(np.round(crossing, _DECIMALS)), 0, columns - 1).astype(np.int64)
    np.add.at(flips, (row, column), 1)


def combined(outlines: Sequence[Outline], shape: tuple[int, int]) -> Area:
    """The area of several outlines: their union, where an outline within another is a hole, one in that an island.

    An outline that was drawn twice counts once.
    """
    found: list[tuple[Outline, Area]] = []
    for outline in outlines:
        if not any(_drawn_twice(outline, other) for other, _ in found):
            found.append((outline, filled(outline, shape)))
    return _union_of_nested(found, shape)


def _union_of_nested(found: Sequence[tuple[Outline, Area]], shape: tuple[int, int]) -> Area:
    around = [
        [b for b in range(len(found)) if b != a and _is_within(found[a][0], found[b][0])] for a in range(len(found))
    ]
    # An outline inside another is inside everything around that one, so the number of outlines around gives the order.
    depth = [0] * len(found)
    for a in sorted(range(len(found)), key=lambda a: len(around[a])):
        depth[a] = 1 + max((depth[b] for b in around[a] if len(around[b]) < len(around[a])), default=-1)
    areas = [area.copy() for _, area in found]
    for a in sorted(range(len(found)), key=lambda a: -depth[a]):
        for b in around[a]:
            if depth[b] == depth[a] - 1:
                areas[b] &= ~areas[a]
    total = np.zeros(shape, dtype=np.bool_)
    for a, area in enumerate(areas):
        if depth[a] == 0:
            total |= area
    return total


def _drawn_twice(first: Outline, second: Outline) -> bool:
    """Whether two outlines enclose the same area, less than half a pixel apart everywhere."""
    if np.abs(_box(first) - _box(second)).max() > _SAME:
        return False
    size = abs(_signed_area(first)) - abs(_signed_area(second))
    if abs(size) > _SAME * min(_length(first), _length(second)):
        return False
    near = [_distance(a, b).max() <= _SAME for a, b in ((first, second), (second, first))]
    return all(near)


def _is_within(inner: Outline, outer: Outline) -> bool:
    """Whether an outline lies within another, possibly touching its edge."""
    low, high = _box(outer)
    if (_box(inner)[0] < low - _TOUCHING).any() or (_box(inner)[1] > high + _TOUCHING).any():
        return False
    points = np.concatenate([inner, (inner + np.roll(inner, -1, axis=0)) / 2])
    outside = points[~_encloses(outer, points)]
    if len(outside) and _distance(outside, outer).max() > _TOUCHING:
        return False
    return not _cross(inner, outer)


def _encloses(outline: Outline, points: NDArray[np.float64]) -> Area:
    """Even-odd test of points `[n, 2]`."""
    inside = np.zeros(len(points), dtype=np.bool_)
    end = np.roll(outline, -1, axis=0)
    for part in _parts(len(points), len(outline)):
        y, x = points[part, 0, None], points[part, 1, None]
        spans = (outline[:, 0] <= y) != (end[:, 0] <= y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = outline[:, 1] + (y - outline[:, 0]) / (end[:, 0] - outline[:, 0]) * (end[:, 1] - outline[:, 1])
        inside[part] = (spans & (x < at)).sum(axis=1) % 2 == 1
    return inside


def _distance(points: NDArray[np.float64], outline: Outline) -> NDArray[np.float64]:
    """Distance of points `[n, 2]` from the nearest edge of an outline."""
    end = np.roll(outline, -1, axis=0)
    along = end - outline
    squared = np.maximum((along**2).sum(axis=1), 1e-30)
    found = np.empty(len(points))
    for part in _parts(len(points), len(outline)):
        offset = points[part, None] - outline
        share = np.clip((offset * along).sum(axis=2) / squared, 0, 1)
        found[part] = np.sqrt(((offset - share[..., None] * along) ** 2).sum(axis=2).min(axis=1))
    return found


def _cross(first: Outline, second: Outline) -> bool:
    """Whether edges of two outlines cross; touching is not crossing."""
    end, other_end = np.roll(first, -1, axis=0), np.roll(second, -1, axis=0)
    for part in _parts(len(first), len(second)):
        a, b = first[part, None], end[part, None]
        one = _side(a, b, second[None]) * _side(a, b, other_end[None]) < 0
        two = _side(second[None], other_end[None], a) * _side(second[None], other_end[None], b) < 0
        if (one & two).any():
            return True
    return False


def _side(a: NDArray[np.float64], b: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """On which side of a line a point lies: -1, 1, or 0 on it."""
    along, offset = b - a, point - a
    turn = along[..., 0] * offset[..., 1] - along[..., 1] * offset[..., 0]
    distance = turn / np.maximum(np.sqrt((along**2).sum(axis=-1)), 1e-15)
    return np.where(np.abs(distance) <= _TOUCHING, 0.0, np.sign(distance))


def _parts(n: int, n_others: int) -> list[slice]:
    step = max(1, _AT_ONCE // max(n_others, 1))
    return [slice(start, start + step) for start in range(0, n, step)]


def _box(outline: Outline) -> NDArray[np.float64]:
    return np.array([outline.min(axis=0), outline.max(axis=0)])


def _signed_area(outline: Outline) -> float:
    end = np.roll(outline, -1, axis=0)
    return float((outline[:, 0] * end[:, 1] - outline[:, 1] * end[:, 0]).sum() / 2)


def _length(outline: Outline) -> float:
    return float(np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1).sum())
