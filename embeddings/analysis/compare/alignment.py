"""Linear centred kernel alignment (CKA) of two embedding sets, without the bias of wide vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from flexict.errors import FlexiCTError

from ..resampling import permutation_p

# The debiased estimate divides by (n - 3), and the jackknife leaves one of them out.
MIN_PATIENTS = 6


@dataclass(frozen=True)
class AlignedPair:
    """The debiased linear CKA of two sets, its 95 % jackknife interval, and a one-sided permutation p."""

    value: float
    low: float
    high: float
    p: float


def patient_means(vectors: NDArray[np.float64], patient: NDArray[np.intp]) -> NDArray[np.float64]:
    """The mean vector of every patient 0..P-1, `[P, d]`: scans of one patient are not independent."""
    total = np.zeros((int(patient.max()) + 1, vectors.shape[1]))
    np.add.at(total, patient, vectors)
    return total / np.bincount(patient)[:, None]


def similarities(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inner products [P, P] of centred rows with an empty diagonal, scaled to a mean squared value of 1.

    Scaling and centring leave CKA as it is, and keep its sums in the reach of floating point.
    """
    centred = units - units.mean(axis=0)
    products = centred @ centred.T
    np.fill_diagonal(products, 0.0)
    size = float(np.sqrt((products**2).mean()))
    return products / size if size > 0 else products


def linear_cka(first: NDArray[np.float64], second: NDArray[np.float64], permutations: NDArray[np.intp]) -> AlignedPair:
    """CKA of two tables of `similarities` [P, P]; permutations: [m, P] orders of the patients.

    CKA is HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) (Kornblith, Norouzi, Lee and Hinton 2019, ICML), with the
    unbiased HSIC of Song et al. (2012, JMLR 13:1393) as Nguyen, Raghu and Kornblith (2021, ICLR) take it: with
    more columns than cases the plain estimate is near 1 even for unrelated sets. 0 is expected of unrelated sets, and
    it can fall below. The null exchanges the patients of one set. The interval is the estimate and 1.96 jackknife
    standard errors over patients, at most 1. NaN where one set's patients are all the same.

    Raises FlexiCTError below 6 patients.
    """
    n = len(first)
    if n < MIN_PATIENTS:
        raise FlexiCTError(f"CKA needs at least {MIN_PATIENTS} patients, but there are {n}.")
    cross, own_first, own_second = _Hsic(first, second), _Hsic(first, first), _Hsic(second, second)
    scale = own_first.value * own_second.value
    if not min(own_first.value, own_second.value) > 0:
        return AlignedPair(float("nan"), float("nan"), float("nan"), float("nan"))
    value = cross.value / np.sqrt(scale)
    with np.errstate(invalid="ignore"):
        left_out = cross.left_out / np.sqrt(own_first.left_out * own_second.left_out)
    error = float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))
    reach = float(norm.ppf(0.975)) * error
    one, other = _centred(first), _centred(second)
    null = np.array([(one * other[np.ix_(order, order)]).sum() for order in permutations])
    observed = float((one * other).sum())
    p = permutation_p(1.0, null / observed) if observed > 0 else permutation_p(observed, null)
    value = min(1.0, float(value.round(12)))
    return AlignedPair(value, value - reach, min(1.0, value + reach), p)


class _Hsic:
    """The unbiased HSIC of two tables [n, n] with empty diagonals, and that without each of the units."""

    def __init__(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> None:
        n = len(first)
        both, row_first, row_second = (first * second).sum(axis=1), first.sum(axis=1), second.sum(axis=1)
        total, sum_first, sum_second = both.sum(), row_first.sum(), row_second.sum()
        along = float(row_first @ row_second)
        self.value = float(_unbiased(total, sum_first * sum_second, along, n))
        # Without unit i every sum loses its row and its column.
        without_along = along - row_first * row_second - second @ row_first - first @ row_second + both
        self.left_out = _unbiased(
            total - 2 * both,
            (sum_first - 2 * row_first) * (sum_second - 2 * row_second),
            without_along,
            n - 1,
        )


def _unbiased(total, sums, along, n: int):  # type: ignore[no-untyped-def]
    """Song et al.'s estimate of tr(KL), the product of the sums of K and L, and 1'KL1 (numbers or arrays)."""
    return (total + sums / ((n - 1) * (n - 2)) - 2 * along / (n - 2)) / (n * (n - 3))


def _centred(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The table [n, n] centred such that the unbiased HSIC is the sum of products (Szekely and Rizzo 2014)."""
    n = len(table)
    row = table.sum(axis=1) / (n - 2)
    centred = table - row[:, None] - row[None, :] + table.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred
