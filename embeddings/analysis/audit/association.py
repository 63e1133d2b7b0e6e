"""The association of two columns of one cohort, for many permutations at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..trend import jonckheere_statistics


def cramers_v(member: NDArray[np.float64], stage: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cramer's V of categories `member` [n, L] (0 or 1) with every row of stages [m, n]; 0 to 1.

    The root of chi-squared over n times the smaller table side less one (Cramer 1946, section 21.9).
    """
    n = len(member)
    levels = np.unique(stage)
    of_level = member.sum(axis=0)
    chi_squared = np.zeros(len(stage))
    for level in levels:
        hits = (stage == level).astype(np.float64)
        expected = np.outer(hits.sum(axis=1), of_level) / n
        chi_squared += np.divide(
            (hits @ member - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0
        ).sum(axis=1)
    smaller = min(len(levels), int((of_level > 0).sum())) - 1
    return np.sqrt(chi_squared / (n * smaller))


def correlation_ratio(number: NDArray[np.float64], stage: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eta of numbers [n] over every row of stages [m, n]: the root of the variance share between stages; 0 to 1."""
    centred = number - number.mean()
    between = np.zeros(len(stage))
    for level in np.unique(stage):
        hits = (stage == level).astype(np.float64)
        count = hits.sum(axis=1)
        between += np.divide((hits @ centred) ** 2, count, out=np.zeros_like(between), where=count > 0)
    return np.sqrt(between / (centred**2).sum())


def concordance(score: NDArray[np.float64], stage: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray:
    """How often, of two cases of different stage, that of the higher stage has the higher score, `[m]`.

    score, stage: [n]. weights: [m, n] of the cases. Ties of score are one half; for two stages it is the area
    under the ROC curve. NaN where no two cases of different stage have weight.
    """
    higher = (stage[:, None] > stage[None, :]).astype(np.float64)
    won = higher * ((score[:, None] > score[None, :]) + 0.5 * (score[:, None] == score[None, :]))
    pairs = ((weights @ higher) * weights).sum(axis=1)
    return np.divide(((weights @ won) * weights).sum(axis=1), pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def areas_under_curve(score: NDArray[np.float64], member: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area under the ROC curve of scores [n, m] for memberships [n, m] of 0 and 1, column by column."""
    cases = member.sum(axis=0)
    pairs = cases * (len(member) - cases)
    won = jonckheere_statistics(score, member)
    return np.divide(won, pairs, out=np.full(len(pairs), 0.5), where=pairs > 0)
