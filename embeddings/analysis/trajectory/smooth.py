"""How a covariate runs along the pseudotime: a smooth with its band, a rank correlation, a permutation test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as t_distribution

from flexict.errors import FlexiCTError

from .. import progress
from ..checks import patient_numbers
from ..display import Displayed
from ..gradient.evidence import Labelling
from ..p_values import FALSE_DISCOVERY, Adjusted
from ..resampling import (
    NothingToExchangeError,
    benjamini_hochberg,
    bootstrap_weights,
    percentile_interval,
    permutation_p,
    permuted_labels,
)
from ..serialise import plain
from ..spline import restricted_cubic_spline
from ..trend import spearman, spearman_columns

ANALYSIS = "course of a covariate"
MIN_CASES, MIN_PATIENTS = 20, 10
# Quantiles of the knots by number of patients (Harrell 2015, Regression Modeling Strategies, table 2.3).
KNOTS = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}


@dataclass(frozen=True)
class Smooth:
    """Result of `along`.

    grid: [g] pseudotimes; fit, low, high: [g] the smooth and its pointwise 95 % band, in the covariate's unit,
    or for a binary covariate the share (0..1) of cases with the value `level`. time, value: [n] the cases
    behind it. rho: Spearman's with pseudotime, its 95 % patient bootstrap interval; p: two-sided, by
    permutation of patients; p_adjusted: by Benjamini and Hochberg over the covariates asked together (equal
    to p for one). n_missing: cases without a value, left out.
    """

    name: str
    kind: Literal["numeric", "binary"]
    level: str
    grid: NDArray[np.float64]
    fit: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    rho: float
    rho_low: float
    rho_high: float
    p: float
    p_adjusted: float
    n: int
    n_patients: int
    n_missing: int
    n_knots: int
    n_permutations: int
    n_bootstrap: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


@dataclass(frozen=True)
class Courses(Displayed):
    """Several covariates along one pseudotime; `left_out` names the others with the reason."""

    smooths: tuple[Smooth, ...]
    left_out: tuple[tuple[str, str], ...]

    def adjusted(self, smooth: Smooth) -> Adjusted:
        """The p of one of the smooths, adjusted over them, with how."""
        return Adjusted(smooth.p_adjusted, len(self.smooths), FALSE_DISCOVERY, "covariates")

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


def along(
    pseudotime: ArrayLike,
    values: ArrayLike,
    *,
    patient: ArrayLike | None = None,
    name: str = "covariate",
    n_grid: int = 60,
    n_permutations: int = 1000,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Smooth:
    """One covariate, values [n], along pseudotime [n], which is taken as known.

    The smooth is least squares on a restricted cubic spline, linear beyond the outer knots (Harrell 2015,
    section 2.4.5): 3 knots below 30 patients, 4 below 100, else 5, at quantiles of the pseudotime. Its band
    is pointwise, not for the whole curve at once: the standard error of a bootstrap over patients at fixed
    knots, times Student's t and the root of P / (P - k) for k coefficients fitted to P patients. values: numbers
    with NaN or None where missing, or any two values (such as F and M), of which the share of the later in
    sorting order is followed, fit and band kept within 0..1.

    Raises FlexiCTError on a wrong length, text of more than two values, a covariate or pseudotime that is the
    same in all cases, fewer than 20 cases or 10 patients with a value, or where no two patients can exchange
    different values.

    Example:
        >>> import numpy as np
        >>> course = np.linspace(0.0, 1.0, 40)
        >>> found = along(course, 10.0 + 5.0 * course, n_permutations=99, n_bootstrap=50, name="diameter (mm)")
        >>> found.name, found.n
        ('diameter (mm)', 40)
    """
    time, numbers, level = _checked(pseudotime, values, name)
    known = np.isfinite(numbers)
    patients = patient_numbers(patient, ANALYSIS, n=len(time))[known]
    patients = np.unique(patients, return_inverse=True)[1]
    time, numbers = time[known], numbers[known]
    n, n_patients = len(time), np.unique(patients).size
    if n < MIN_CASES or n_patients < MIN_PATIENTS:
        raise FlexiCTError(
            f"The course of {name} needs at least {MIN_CASES} cases of {MIN_PATIENTS} patients with a value, but "
            f"there are {n} of {n_patients}."
        )
    if np.ptp(numbers) == 0:
        raise FlexiCTError(f"The course of {name} cannot be followed: all {n} cases with a value share one.")
    if np.ptp(time) == 0:
        raise FlexiCTError(f"The course of {name} cannot be followed: the pseudotime of all {n} cases is the same.")

    knots = _knots(time, n_patients)
    grid = np.linspace(time.min(), time.max(), n_grid)
    design, wanted = restricted_cubic_spline(time, knots), restricted_cubic_spline(grid, knots)
    once = np.ones((1, n))
    fit = wanted @ _coefficients(design, numbers, once)[0]
    weights = bootstrap_weights(patients, n_resamples=n_bootstrap, seed=seed)
    curves = _coefficients(design, numbers, weights) @ wanted.T
    # Percentiles alone covered a known curve in 91 to 94 %: they ignore the degrees of freedom of the fit.
    free = n_patients - design.shape[1]
    half = t_distribution.ppf(0.975, free) * np.sqrt(n_patients / free) * curves.std(axis=0)
    low, high = fit - half, fit + half
    if level:
        fit, low, high = (np.clip(one, 0.0, 1.0) for one in (fit, low, high))

    rho = spearman(time, numbers)
    rho_low, rho_high = percentile_interval(Labelling(numbers, patients, n_bootstrap, seed).resampled(time, numbers))
    try:
        permuted = permuted_labels(numbers, patients, n_permutations=n_permutations, seed=seed)
    except NothingToExchangeError as error:
        raise FlexiCTError(f"The course of {name} cannot be tested: no two patients can exchange values.") from error
    null = np.abs(spearman_columns(np.repeat(time[:, None], n_permutations, axis=1), permuted.T))
    p = permutation_p(abs(rho), null)
    return Smooth(
        name=name,
        kind="binary" if level else "numeric",
        level=level,
        grid=grid,
        fit=fit,
        low=low,
        high=high,
        time=time,
        value=numbers,
        rho=rho,
        rho_low=rho_low,
        rho_high=rho_high,
        p=p,
        p_adjusted=p,
        n=n,
        n_patients=n_patients,
        n_missing=int((~known).sum()),
        n_knots=len(knots),
        n_permutations=n_permutations,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def along_each(
    pseudotime: ArrayLike,
    covariates: Mapping[str, ArrayLike],
    *,
    patient: ArrayLike | None = None,
    n_permutations: int = 1000,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Courses:
    """`along` for each of several covariates by name, their p adjusted for asking so many.

    A covariate that cannot be followed is left out with the reason; the others still are.
    """
    found: list[Smooth] = []
    left_out: list[tuple[str, str]] = []
    for name, values in progress.counted(covariates.items(), len(covariates), "following the covariates"):
        try:
            found.append(
                along(
                    pseudotime,
                    values,
                    patient=patient,
                    name=name,
                    n_permutations=n_permutations,
                    n_bootstrap=n_bootstrap,
                    seed=seed,
                )
            )
        except FlexiCTError as error:
            left_out.append((name, str(error)))
    adjusted = benjamini_hochberg([one.p for one in found])
    smooths = tuple(replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True))
    return Courses(smooths, tuple(left_out))


def _knots(time: NDArray[np.float64], n_patients: int) -> NDArray[np.float64]:
    quantiles = KNOTS[3 if n_patients < 30 else 4 if n_patients < 100 else 5]
    knots = np.unique(np.quantile(time, quantiles))
    # Knots that all but coincide, of cases heaped at one pseudotime, would divide by their distance.
    apart = np.concatenate([[True], np.diff(knots) > 1e-6 * np.ptp(time)])
    return knots[apart]


def _coefficients(
    design: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted least squares for each row of weights [b, n]: `[b, k]`, all resamples in a few products."""
    n, k = design.shape
    # An orthonormal basis keeps the normal equations well conditioned.
    basis, to_basis = np.linalg.qr(design)
    products = (basis[:, :, None] * basis[:, None, :]).reshape(n, k * k)
    moments = (weights @ products).reshape(-1, k, k)
    right = weights @ (basis * values[:, None])
    solved = (np.linalg.pinv(moments, rcond=1e-9, hermitian=True) @ right[:, :, None])[:, :, 0]
    return np.linalg.lstsq(to_basis, solved.T, rcond=None)[0].T


def _checked(
    pseudotime: ArrayLike, values: ArrayLike, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Pseudotime and covariate as numbers [n], NaN where missing, and what 1 means of a binary one."""
    time = np.asarray(pseudotime, dtype=np.float64)
    raw = pd.Series(np.asarray(values, dtype=object))
    if time.ndim != 1 or len(raw) != len(time):
        raise FlexiCTError(f"The course of {name} needs one value a case: {len(raw)} values for {time.size} cases.")
    if not np.isfinite(time).all():
        raise FlexiCTError(f"The course of {name} needs a pseudotime for every case.")
    present = raw.dropna()
    distinct = sorted(present.unique(), key=lambda one: (isinstance(one, str), one))
    if len(distinct) == 2:
        return time, raw.map({distinct[0]: 0.0, distinct[1]: 1.0}).to_numpy(dtype=np.float64), str(distinct[1])
    numbers = pd.to_numeric(present, errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(numbers).any():
        raise FlexiCTError(f"The course of {name} needs numbers or two groups, but it contains {len(distinct)} texts.")
    column = np.full(len(raw), np.nan)
    column[raw.notna().to_numpy()] = np.where(np.isfinite(numbers), numbers, np.nan)
    return time, column, ""
