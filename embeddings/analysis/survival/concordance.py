"""Harrell's C: of two patients, does the one with the higher score have the event first?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import progress
from ..resampling import bootstrap_weights, percentile_interval

_ROWS = 512


def harrell_c(
    score: NDArray[np.float64],
    time: NDArray[np.float64],
    event: NDArray[np.float64],
    *,
    n_bootstrap: int,
    seed: int,
) -> tuple[float, float, float]:
    """C-index (0.5 is chance, 1 when a higher score always fails first) with its 95 % bootstrap interval.

    A pair counts where it is known who failed first: the shorter time is an event, or the times are equal
    and only one of them is an event. Equal scores count half (Harrell et al. 1996, Stat Med 15:361). The
    inputs are one patient a row `[n]`; patients are resampled.
    """
    n = len(score)
    weights = np.vstack([np.ones((1, n)), bootstrap_weights(np.arange(n), n_resamples=n_bootstrap, seed=seed)])
    concordant, comparable = np.zeros(len(weights)), np.zeros(len(weights))
    # A resample is a weight a patient, so that all of them share one table of pairs; blocks bound the memory.
    for start in range(0, n, _ROWS):
        progress.report(start, n)
        rows = slice(start, start + _ROWS)
        first = (time[rows, None] < time) | ((time[rows, None] == time) & (event == 0))
        known = (first & (event[rows, None] == 1)).astype(np.float64)
        ahead = (score[rows, None] > score) + 0.5 * (score[rows, None] == score)
        concordant += np.einsum("bi,bi->b", weights[:, rows], weights @ (known * ahead).T)
        comparable += np.einsum("bi,bi->b", weights[:, rows], weights @ known.T)
    with np.errstate(invalid="ignore"):
        c = concordant / comparable
    low, high = percentile_interval(c[1:])
    return float(c[0]), low, high
