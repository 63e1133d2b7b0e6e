"""A probe that knows the classes to be ordered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import progress
from ..estimate import Estimate, estimate
from .logistic import Components
from .nested import out_of_fold_probability


@dataclass(frozen=True)
class OrdinalProbe:
    """Agreement of the called stage with the true one, out of fold: quadratic-weighted kappa (0 is chance, 1 is
    perfect) and the mean absolute error in stage steps. confusion: [K, K] cases, true stage by row.
    """

    kappa: Estimate
    mean_absolute_error: Estimate
    confusion: NDArray[np.float64]


def ordinal_probe(
    components: Components,
    truth: NDArray[np.intp],
    patient: NDArray[np.intp],
    fold: NDArray[np.intp],
    weights: NDArray[np.float64],
) -> OrdinalProbe:
    """Logistic regressions of "above stage k" for every k (Frank and Hall 2001, ECML, LNCS 2167:145).

    truth: [n] in 0..K-1 in order. fold: [R, n], a row a repeat. weights: [1 + m, n], ones and then resamples.
    The called stage is the median of the predicted distribution: the number of thresholds passed with a
    probability above one half, counted until the first that is not.
    """
    n_classes, repeats = int(truth.max()) + 1, len(fold)
    above = []
    for threshold in range(n_classes - 1):
        labels = np.tile((truth > threshold).astype(np.intp), (repeats, 1))
        with progress.part(threshold / (n_classes - 1), (threshold + 1) / (n_classes - 1)):
            above.append(out_of_fold_probability(components, labels, patient, fold, 2)[:, :, 1])
    called = np.minimum.accumulate(np.stack(above), axis=0) > 0.5  # [K - 1, R, n]
    stage = called.sum(axis=0)
    share = np.eye(n_classes)[stage].mean(axis=0)  # [n, K]
    confusion = np.stack([weights[:, truth == k] @ share[truth == k] for k in range(n_classes)], axis=1)
    steps = np.abs(np.subtract.outer(np.arange(n_classes), np.arange(n_classes)))
    return OrdinalProbe(
        kappa=estimate(_weighted_kappa(confusion, steps**2)),
        mean_absolute_error=estimate((confusion * steps).sum(axis=(1, 2)) / confusion.sum(axis=(1, 2))),
        confusion=confusion[0],
    )


def _weighted_kappa(confusion: NDArray[np.float64], disagreement: NDArray[np.intp]) -> NDArray[np.float64]:
    """1 less observed over expected disagreement (Cohen 1968, Psychol Bull 70:213), of confusions [m, K, K]."""
    total = confusion.sum(axis=(1, 2))
    expected = np.einsum("mi,mj,ij->m", confusion.sum(axis=2), confusion.sum(axis=1), disagreement) / total
    observed = (confusion * disagreement).sum(axis=(1, 2))
    return 1.0 - np.divide(observed, expected, out=np.full(len(total), np.nan), where=expected > 0)
