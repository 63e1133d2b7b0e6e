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
    values, group = np.asarray(score, dtype=np.float64), np.asarray(stage, dtype=np.float64)
    statistic = float(jonckheere_statistics(values[:, None], group[:, None])[0])
    n = float(values.size)
    sizes = np.unique(group, return_counts=True)[1].astype(np.float64)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    mean = (n**2 - (sizes**2).sum()) / 4.0
    variance = (_cubic(n) - _cubic(sizes).sum() - _cubic(ties).sum()) / 72.0
    if n > 2:
        triple = (sizes * (sizes - 1) * (sizes - 2)).sum() * (ties * (ties - 1) * (ties - 2)).sum()
        variance += triple / (36.0 * n * (n - 1) * (n - 2))
    variance += (sizes * (sizes - 1)).sum() * (ties * (ties - 1)).sum() / (8.0 * n * (n - 1))
    z = (statistic - mean) / np.sqrt(variance) if variance > 0 else 0.0
    return TrendTest(statistic, float(mean), float(variance), float(z), float(norm.sf(z)))


def jonckheere_statistics(score: NDArray[np.float64], stage: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jonckheere-Terpstra's J of each column of `score` [n, m] over the same column of `stage` [n, m]."""
    order = np.argsort(score, axis=0, kind="stable")
    in_order = np.take_along_axis(score, order, axis=0)
    if (in_order[1:] > in_order[:-1]).all():
        return _rising_pairs(np.take_along_axis(stage, order, axis=0))
    # Of tied scores, sorted by rising stage every pair counts as rising and by falling stage none does.
    most = np.take_along_axis(stage, np.lexsort((stage, score), axis=0), axis=0)
    least = np.take_along_axis(stage, np.lexsort((-stage, score), axis=0), axis=0)
    return (_rising_pairs(most) + _rising_pairs(least)) / 2.0


def concordance_columns(score: NDArray[np.float64], stage: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often, of two cases of different stage, that of the higher stage has the higher score, `[m]`.

    For each column of scores [n, m] with the same column of stages [n, m]: J over the pairs that it counts.
    """
    n = len(stage)
    counts = np.stack([(stage == level).sum(axis=0) for level in np.unique(stage)])
    pairs = (n**2 - (counts**2).sum(axis=0)) / 2.0
    won = jonckheere_statistics(score, stage)
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _rising_pairs(stage: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many pairs of rows i < j have a stage that rises, for each column of stage [n, m]."""
    pairs = np.zeros(stage.shape[1])
    for level in np.unique(stage)[1:]:
        below = np.cumsum(stage < level, axis=0)
        pairs += (below * (stage == level)).sum(axis=0)
    return pairs


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


def weighted_spearman(
    a: NDArray[np.float64], b: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spearman's rho of a and b [n] in the samples where case i occurs weights[., i] times, weights [m, n].

    NaN where one of them is constant in the sample.
    """
    return weighted_correlations(_ranks_in_samples(a, weights), _ranks_in_samples(b, weights), weights)


def _ranks_in_samples(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mid-rank [m, n] that every value has in the sample where case i occurs weights[., i] times."""
    levels, level_of = np.unique(values, return_inverse=True)
    order = np.argsort(level_of, kind="stable")
    starts = np.searchsorted(level_of[order], np.arange(len(levels)))
    counts = np.add.reduceat(weights[:, order], starts, axis=1)
    return (counts.cumsum(axis=1) - counts / 2.0 + 0.5)[:, level_of]


def weighted_correlations(
    a: NDArray[np.float64], b: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pearson correlation of each row of a and b [m, n] (or one row for all) under that row of case weights [m, n]."""
    share = weights / weights.sum(axis=1, keepdims=True)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (share * values).sum(axis=1, keepdims=True)

    a, b = a - mean(a), b - mean(b)
    scale = np.sqrt(mean(a**2) * mean(b**2))[:, 0]
    return np.divide(mean(a * b)[:, 0], scale, out=np.full(len(weights), np.nan), where=scale > 1e-12)
