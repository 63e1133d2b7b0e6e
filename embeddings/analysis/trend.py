"""Rank statistics of a score against an ordered stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata


@dataclass(frozen=True)
class TrendTest:
    """Jonckheere-Terpstra trend: the statistic J, its mean and variance under no trend, z, one-sided p."""

    statistic: float
    mean: float
    variance: float
    z: float
    p: float


def jonckheere_terpstra(score: ArrayLike, stage: ArrayLike) -> TrendTest:
    """Test of rising `score` [n] over ordered groups `stage` [n], by normal approximation.

    J sums, over all pairs of groups, how often the case of the higher group has the higher score (a tie
    counts one half). The variance allows for ties in score (Hollander, Wolfe and Chicken 2014, section 6.2,
    eq. 6.19). It takes cases as independent: with several scans of a patient, or a score fitted to the
    stage, rest on a permutation test instead.
    """
    values, group = np.asarray(score, dtype=np.float64), np.asarray(stage)
    levels = np.unique(group)
    by_level = [np.sort(values[group == level]) for level in levels]
    statistic = 0.0
    for higher in range(1, len(by_level)):
        below = np.sort(np.concatenate(by_level[:higher]))
        less = np.searchsorted(below, by_level[higher], side="left")
        less_or_equal = np.searchsorted(below, by_level[higher], side="right")
        statistic += float((less + less_or_equal).sum()) / 2.0

    n = float(values.size)
    sizes = np.array([len(one) for one in by_level], dtype=np.float64)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    mean = (n**2 - (sizes**2).sum()) / 4.0
    variance = (_cubic(n) - _cubic(sizes).sum() - _cubic(ties).sum()) / 72.0
    if n > 2:
        triple = (sizes * (sizes - 1) * (sizes - 2)).sum() * (ties * (ties - 1) * (ties - 2)).sum()
        variance += triple / (36.0 * n * (n - 1) * (n - 2))
    variance += (sizes * (sizes - 1)).sum() * (ties * (ties - 1)).sum() / (8.0 * n * (n - 1))
    z = (statistic - mean) / np.sqrt(variance) if variance > 0 else 0.0
    return TrendTest(statistic, float(mean), float(variance), float(z), float(norm.sf(z)))


def _cubic(count: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(count * (count - 1) * (2 * count + 5), dtype=np.float64)


def column_correlations(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson correlation of each column of `a` [n, m] with the same column of `b` [n, m]; 0 where
    constant.
    """
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norms = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.divide((a * b).sum(axis=0), norms, out=np.zeros(a.shape[1]), where=norms > 1e-12)


def spearman_columns(score: NDArray[np.float64], stage: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's rho of each column of `score` [n, m] with the same column of `stage` [n, m]."""
    return column_correlations(rankdata(score, axis=0), rankdata(stage, axis=0))


def spearman(score: ArrayLike, stage: ArrayLike) -> float:
    """Spearman's rho of two vectors; 0 where one of them is constant."""
    return float(spearman_columns(np.asarray(score, float)[:, None], np.asarray(stage, float)[:, None])[0])
