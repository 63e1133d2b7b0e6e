"""The difference between two embedding sets on the same patients, and whether it is more than luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from ..resampling import holm, percentile_interval, permutation_p
from ..trend import column_correlations

# Two sets that are turned against each other differ by rounding alone, which is no difference.
ROUNDING = 1e-10


@dataclass(frozen=True)
class SetDifference:
    """A measure of set `first` less that of set `second`, on the same folds, draws and patients.

    low, high, p: the difference between the *sets*, with the luck of fitting (of a gallery, for retrieval)
    counted in; p_adjusted: Holm's, over the pairs. low_given_fits, high_given_fits, p_given_fits: the difference
    between *these fitted models*, scored on other patients; narrower, and no statement about the encoders.
    """

    first: str
    second: str
    value: float
    low: float
    high: float
    p: float
    p_adjusted: float
    low_given_fits: float
    high_given_fits: float
    p_given_fits: float


def pairs_of(names: Sequence[str]) -> list[tuple[int, int]]:
    """Every pair of sets once, in the order given."""
    return list(combinations(range(len(names)), 2))


def adjusted(differences: Sequence[SetDifference]) -> tuple[SetDifference, ...]:
    """The differences with p adjusted over them.

    Holm's, since each pair is a claim of its own and A - B, B - C and A - C depend on each other in a way that
    Benjamini and Hochberg's procedure does not allow for.
    """
    values = holm([one.p for one in differences])
    return tuple(replace(one, p_adjusted=float(p)) for one, p in zip(differences, values, strict=True))


@dataclass(frozen=True)
class FoldTest:
    """What the differences of a measure in the folds of a repeated cross-validation say of a difference."""

    low: float
    high: float
    p: float


def corrected_t(value: float, by_fold: NDArray[np.float64], n_folds: int) -> FoldTest:
    """Interval (95 %) and two-sided p of a cross-validated difference, the luck of fitting counted in.

    value: the difference. by_fold: [n_repeats * n_folds], the difference in each fold (NaN where undefined). The
    variance of their mean is s^2 (1 / J + 1 / (n_folds - 1)) for J folds: the second term, the test share over the
    training share, stands for the training patients that the folds have in common (Nadeau and Bengio 2003, Mach
    Learn 52:239; for repeated folds Bouckaert and Frank 2004, PAKDD, 3), with J - 1 degrees of freedom.

    NaN where fewer than half of the folds have a value.
    """
    known = by_fold[np.isfinite(by_fold)]
    if known.size < max(2, by_fold.size / 2):
        return FoldTest(float("nan"), float("nan"), float("nan"))
    if abs(value) < ROUNDING and np.abs(known).max() < ROUNDING:
        return FoldTest(0.0, 0.0, 1.0)
    deviation = float(np.sqrt(known.var(ddof=1) * (1.0 / known.size + 1.0 / (n_folds - 1))))
    if deviation < ROUNDING:
        return FoldTest(value, value, float("nan"))
    reach = float(student_t.ppf(0.975, known.size - 1)) * deviation
    return FoldTest(value - reach, value + reach, float(2.0 * student_t.sf(abs(value) / deviation, known.size - 1)))


def swap_signs(patient: NDArray[np.intp], *, n_permutations: int, seed: int) -> NDArray[np.bool_]:
    """Whether the two sets are swapped, for every permutation and case, `[n_permutations, n]`; one draw a patient."""
    swapped = np.random.default_rng([seed, 2]).random((n_permutations, int(patient.max()) + 1)) < 0.5
    return swapped[:, patient]


def swapped_rho_p(
    first: NDArray[np.float64], second: NDArray[np.float64], stage: NDArray[np.float64], swapped: NDArray[np.bool_]
) -> float:
    """Two-sided p of a difference in rho when the two sets' ranks are swapped patient by patient.

    first, second, stage: ranks [n]. The null: the ranks that the two fitted axes give a patient (all of its scans)
    can be exchanged.
    """
    one = np.where(swapped, second, first).T
    other = np.where(swapped, first, second).T
    ranks = np.broadcast_to(stage[:, None], one.shape)
    null = column_correlations(one, ranks) - column_correlations(other, ranks)
    observed = column_correlations(first[:, None], stage[:, None]) - column_correlations(
        second[:, None], stage[:, None]
    )
    return permutation_p(float(np.abs(observed[0])), np.abs(null))


def swapped_mean_p(difference: NDArray[np.float64], swapped: NDArray[np.bool_]) -> float:
    """Two-sided p of a mean difference [n] when the two sets are swapped patient by patient.

    The null: the values that the two sets give a patient (all of its scans) can be exchanged.
    """
    null = np.where(swapped, -1.0, 1.0) @ difference / len(difference)
    return permutation_p(abs(float(difference.mean())), np.abs(null))


def given_fits(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The percentile interval of paired resampled differences [m]."""
    return percentile_interval(np.where(np.abs(draws) < ROUNDING, 0.0, draws))
