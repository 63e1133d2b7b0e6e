"""Tumour size and covariates as columns to be regressed out, and bins of similar size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..gram import standardised
from ..spline import restricted_cubic_spline


def log_size_spline(size: NDArray[np.float64], train: NDArray[np.intp]) -> NDArray[np.float64]:
    """Restricted cubic spline of log(size) `[n, 3]`, knots at the training cases' 5, 35, 65 and 95 %
    quantiles.

    Linear beyond the outer knots (Harrell 2015, Regression Modeling Strategies, section 2.4.5). A straight
    line in size would leave behind whatever the vectors hold of its curvature, and call it stage. With
    fewer than four distinct knots the straight line in log(size) remains.
    """
    x = np.log(size)
    knots = np.unique(np.quantile(x[train], [0.05, 0.35, 0.65, 0.95]))
    if knots.size < 4 or knots[-1] - knots[-2] < 1e-9:
        return x[:, None]
    return restricted_cubic_spline(x, knots)[:, 1:]


def size_design(
    train: NDArray[np.intp], *, size: NDArray[np.float64] | None, covariates: NDArray[np.float64] | None, n: int
) -> NDArray[np.float64]:
    """Columns [n, p] to regress out of the vectors: a constant, the spline of log(size), the covariates [n, k]."""
    columns = [np.ones((n, 1))]
    if size is not None:
        columns.append(standardised(log_size_spline(size, train), train))
    if covariates is not None:
        columns.append(standardised(covariates, train))
    return np.hstack(columns)


def size_bins(size: NDArray[np.float64], patient: NDArray[np.intp], *, per_bin: int, seed: int = 0) -> NDArray[np.intp]:
    """The bin of similar size of every case `[n]`, of about `per_bin` patients each, by a patient's mean log
    size; patients of equal size are assigned to neighbouring bins at random.
    """
    mean_size = np.bincount(patient, np.log(size)) / np.bincount(patient)
    n_bins = max(2, len(mean_size) // per_bin)
    chance = np.random.default_rng(seed).random(len(mean_size))
    rank = np.argsort(np.lexsort((chance, np.round(mean_size, 9))), kind="stable")
    return (rank * n_bins // len(mean_size))[patient]
