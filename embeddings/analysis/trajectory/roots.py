"""Where a trajectory starts: the medoid of the lowest stage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lowest_stage(codes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which cases are of the lowest stage, `[1, n]` (or one row for each row of codes [m, n])."""
    rows = np.atleast_2d(codes)
    return rows == rows.min(axis=1, keepdims=True)


def medoids(vectors: NDArray[np.float64], members: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The medoid of each row of `members` [m, n]: the member with the least sum of distances to the rest."""
    squares = (vectors**2).sum(axis=1)
    sums = np.empty(members.shape)
    chosen = members.astype(np.float64)
    for first in range(0, len(vectors), 1024):
        block = slice(first, first + 1024)
        squared = squares[block, None] + squares[None, :] - 2.0 * vectors[block] @ vectors.T
        sums[:, block] = chosen @ np.sqrt(np.clip(squared, 0.0, None)).T
    return np.where(members, sums, np.inf).argmin(axis=1)
