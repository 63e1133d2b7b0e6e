"""Exact nearest neighbours by matrix product, and rows that are copies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def exact_neighbours(
    rows: NDArray[np.float64], k: int, *, chunk: int = 1024
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The k nearest other rows of every row of `rows` [n, d] by Euclidean distance: (index, distance), `[n,
    k]`.

    Nearest first. Exact; `chunk` rows at a time, so memory grows as chunk * n.
    """
    n = len(rows)
    centred = rows - rows.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    index = np.empty((n, k), dtype=np.intp)
    distance = np.empty((n, k))
    for start in range(0, n, chunk):
        stop = min(start + chunk, n)
        squared = squares[start:stop, None] + squares[None, :] - 2.0 * centred[start:stop] @ centred.T
        squared[np.arange(stop - start), np.arange(start, stop)] = np.inf
        nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(squared, nearest, axis=1)
        order = np.argsort(near, axis=1, kind="stable")
        index[start:stop] = np.take_along_axis(nearest, order, axis=1)
        distance[start:stop] = np.sqrt(np.clip(np.take_along_axis(near, order, axis=1), 0.0, None))
    return index, distance


def distinct_rows(rows: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first of each group of equal rows of `rows` [n, d], and for every row `[n]` which group it is of."""
    # Adding 0 makes one of the two zeros of floating point, which are equal but not of the same bytes.
    seen: dict[bytes, int] = {}
    group_of = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows + 0.0], dtype=np.intp)
    return np.unique(group_of, return_index=True)[1], group_of
