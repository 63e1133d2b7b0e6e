"""The simple axes that a trajectory has to beat: the first principal component and the supervised stage axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..gradient.crossfit import FOLDS, out_of_fold_smoother, repeats_for
from ..gradient.evidence import Labelling
from ..gram import Gram
from ..resampling import percentile_interval, permutation_p
from ..trend import spearman, spearman_columns

MIN_PATIENTS = 10


@dataclass(frozen=True)
class SimpleAxis:
    """A score [n] a case, its Spearman rho with stage, 95 % patient bootstrap interval and permutation p."""

    score: NDArray[np.float64]
    rho: float
    low: float
    high: float
    p_permutation: float


def undefined_axis(score: NDArray[np.float64]) -> SimpleAxis:
    """A score about which nothing is claimed."""
    nan = float("nan")
    return SimpleAxis(score, nan, nan, nan, nan)


def first_component(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores [n] of the first principal component of centred vectors [n, d]; the sign is arbitrary."""
    if vectors.shape[0] < vectors.shape[1]:
        values, left = np.linalg.eigh(vectors @ vectors.T)
        return left[:, -1] * np.sqrt(max(values[-1], 0.0))
    return vectors @ np.linalg.eigh(vectors.T @ vectors)[1][:, -1]


def component_axis(component: NDArray[np.float64], labelling: Labelling, permuted: NDArray[np.float64]) -> SimpleAxis:
    """The component [n] turned towards stage, as is every one under the permuted stages [m, n] of its null."""
    rho = spearman(component, labelling.stage)
    score, rho = (-component, -rho) if rho < 0 else (component, rho)
    null = np.abs(spearman_columns(np.repeat(score[:, None], len(permuted), axis=1), permuted.T))
    low, high = percentile_interval(labelling.resampled(score, labelling.stage))
    return SimpleAxis(score, rho, low, high, permutation_p(rho, null))


def supervised_axis(gram: Gram, labelling: Labelling, permuted: NDArray[np.float64]) -> SimpleAxis:
    """The out-of-fold stage axis of `stage_gradient`, refitted to each permuted stage [m, n] for its null.

    Undefined (NaN) with fewer than 10 patients, too few to fit and score on different ones.
    """
    n = len(labelling.stage)
    if int(labelling.patient.max()) + 1 < MIN_PATIENTS:
        return undefined_axis(np.full(n, np.nan))
    smoother = out_of_fold_smoother(
        lambda _train: gram,
        labelling.patient,
        n_folds=FOLDS,
        n_repeats=repeats_for(n),
        seed=labelling.seed,
    )
    score = smoother @ labelling.stage
    rho = spearman(score, labelling.stage)
    low, high = percentile_interval(labelling.resampled(score, labelling.stage))
    return SimpleAxis(score, rho, low, high, permutation_p(rho, spearman_columns(smoother @ permuted.T, permuted.T)))
