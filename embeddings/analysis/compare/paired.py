"""The difference between two embedding sets on the same patients, and whether it is more than luck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student_t

from ..resampling import holm, percentile_interval, permutation_p
from ..trend import column_correlations

# A rotated copy of a set differs by rounding alone, which is no difference.
ROUNDING = 1e-10
# The variance of a difference over that given the fits: see `with_fits`.
FITTING = 2.0


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
class Tested:
    """The 95 % interval of a difference and its two-sided p."""

    low: float
    high: float
    p: float


def with_fits(value: float, draws: NDArray[np.float64], n_patients: int) -> Tested:
    """Interval and p of a cross-validated difference between sets, with the luck of fitting counted in.

    draws: [m], the difference in each patient bootstrap given the fits. Their spread is the luck of which patients
    were scored alone, while another cohort would give other fits as well. Of two equally good sets the difference
    varied, over simulated cohorts (`benchmarks.compare_calibration`), 1.3 to 2.0 times as much in rho and 1.9 to 3.2
    times in AUC (in variance) as given the fits, so the variance is doubled; interval and p are Student's, with as
    many degrees of freedom as patients less one. At p < 0.05 this called such sets different in 1 to 3 % of cohorts by
    rho and 3 to 7 % by AUC; swaps and bootstraps that hold the fits fixed did in 7 to 22 %.
    """
    known = draws[np.isfinite(draws)]
    deviation = float(np.sqrt(FITTING * known.var())) if known.size else float("nan")
    if value == 0 and deviation < ROUNDING:
        return Tested(0.0, 0.0, 1.0)
    reach = float(student_t.ppf(0.975, n_patients - 1)) * deviation
    p = float(2.0 * student_t.sf(abs(value) / deviation, n_patients - 1)) if deviation > 0 else float("nan")
    return Tested(value - reach, value + reach, p)


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
    return percentile_interval(exact(draws))


def exact(difference: ArrayLike) -> NDArray[np.float64]:
    """Differences of which those that rounding alone makes are 0."""
    values = np.asarray(difference, dtype=np.float64)
    return np.where(np.abs(values) < ROUNDING, 0.0, values)
