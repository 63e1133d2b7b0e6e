"""Columns that measure one quantity, such as diameter, volume and extent of a tumour, taken as one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from ..trend import spearman

# Rank correlation from which two columns measure one quantity, over at least so many cases that have both.
ALIKE_RHO = 0.8
MIN_SHARED = 10


def one_quantity(columns: Mapping[str, ArrayLike]) -> tuple[str, ...]:
    """The largest group of columns [n] that rise together, in their order; empty where no two of them do.

    Two columns are linked by a Spearman's rho of 0.8 or more over at least 10 cases that have both; a group is what
    links join. Of two groups of one size it is the one that begins first.
    """
    numbers = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    left = list(numbers)
    largest: list[str] = []
    while left:
        group = [left.pop(0)]
        for name in group:
            linked = [other for other in left if _rise_together(numbers[name], numbers[other])]
            group += linked
            left = [other for other in left if other not in linked]
        if len(group) > max(1, len(largest)):
            largest = group
    return tuple(name for name in numbers if name in largest)


def mean_rank(columns: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """One number a case [n]: the mean of its ranks in the columns [n], each as a share of the cases that have one.

    A case that lacks some columns has the mean of the others; NaN where it lacks all.
    """
    shares = []
    for values in columns.values():
        numbers = np.asarray(values, dtype=np.float64)
        known = np.isfinite(numbers)
        share = np.full(len(numbers), np.nan)
        share[known] = (rankdata(numbers[known]) - 0.5) / max(known.sum(), 1)
        shares.append(share)
    ranks = np.stack(shares, axis=1)
    counts = np.isfinite(ranks).sum(axis=1)
    return np.divide(np.nansum(ranks, axis=1), counts, out=np.full(len(ranks), np.nan), where=counts > 0)


def _rise_together(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    both = np.isfinite(first) & np.isfinite(second)
    return bool(both.sum() >= MIN_SHARED and spearman(first[both], second[both]) >= ALIKE_RHO)
