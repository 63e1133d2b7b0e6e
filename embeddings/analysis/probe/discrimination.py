"""Measures of class probabilities under case weights, so that a bootstrap is a matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Shapes: probability [r, n, K] of r repeats, truth [n] in 0..K-1, weights [m, n] of m resamples. Measures
# are [m], the mean over repeats and classes. A resample without a class gives NaN.


def macro_auc(
    probability: NDArray[np.float64], truth: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Area under the ROC curve, one class against the rest, mean over classes; of two classes the second
    alone.
    """
    areas = []
    for k in _scored_classes(probability.shape[2]):
        case, control = truth == k, truth != k
        # The mean over repeats of "case above control" (a tie is one half) serves every resample.
        above = np.zeros((case.sum(), control.sum()))
        for repeat in probability[:, :, k]:
            difference = repeat[case][:, None] - repeat[control][None, :]
            above += ((difference > 0) + 0.5 * (difference == 0)) / len(probability)
        w_case, w_control = weights[:, case], weights[:, control]
        pairs = w_case.sum(axis=1) * w_control.sum(axis=1)
        won = ((w_case @ above) * w_control).sum(axis=1)
        areas.append(np.divide(won, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))
    return np.mean(areas, axis=0)


def macro_average_precision(
    probability: NDArray[np.float64], truth: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average precision (the area under the precision-recall curve, by steps), mean over classes."""
    total = np.zeros(len(weights))
    classes = _scored_classes(probability.shape[2])
    for k in classes:
        for repeat in probability[:, :, k]:
            order = np.argsort(-repeat, kind="stable")
            ranked = repeat[order]
            # Tied cases share the precision at the end of their tie.
            last = np.searchsorted(-ranked, -ranked, side="right") - 1
            w = weights[:, order]
            hits = w * (truth[order] == k)
            seen = np.cumsum(w, axis=1)[:, last]
            precision = np.divide(np.cumsum(hits, axis=1)[:, last], seen, out=np.zeros_like(seen), where=seen > 0)
            n_cases = hits.sum(axis=1)
            mean = np.divide(
                (hits * precision).sum(axis=1), n_cases, out=np.full(len(weights), np.nan), where=n_cases > 0
            )
            total += mean / (len(probability) * len(classes))
    return total


def confusion_matrices(
    probability: NDArray[np.float64], truth: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cases of true class (row) by most probable class (column), mean over repeats, `[m, K, K]`."""
    K = probability.shape[2]
    called = np.eye(K)[probability.argmax(axis=2)].mean(axis=0)
    return np.stack([weights[:, truth == k] @ called[truth == k] for k in range(K)], axis=1)


def balanced_accuracy(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over classes of the share called rightly, of confusion matrices [m, K, K]."""
    row = confusion.sum(axis=2)
    right = np.diagonal(confusion, axis1=1, axis2=2)
    return np.divide(right, row, out=np.full(row.shape, np.nan), where=row > 0).mean(axis=1)


def macro_f1(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over classes of F1, of confusion matrices [m, K, K]; NaN where a class is not present."""
    right = np.diagonal(confusion, axis1=1, axis2=2)
    both = confusion.sum(axis=1) + confusion.sum(axis=2)
    return np.divide(2.0 * right, both, out=np.full_like(both, np.nan), where=confusion.sum(axis=2) > 0).mean(axis=1)


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of similar probability: their mean, the observed share, and their number."""

    predicted: float
    observed: float
    n: int


def reliability(probability: NDArray[np.float64], truth: NDArray[np.intp]) -> tuple[ReliabilityBin, ...]:
    """Up to 10 bins of equal count, at least 10 predictions each; classes one against the rest, pooled.

    probability: [n, K]. Of two classes only the second is used, as the first mirrors it.
    """
    classes = _scored_classes(probability.shape[1])
    predicted = probability[:, classes].T.ravel()
    came_true = np.concatenate([truth == k for k in classes]).astype(np.float64)
    n_bins = int(np.clip(predicted.size // 10, 1, 10))
    order = np.argsort(predicted, kind="stable")
    return tuple(
        ReliabilityBin(float(predicted[part].mean()), float(came_true[part].mean()), int(part.size))
        for part in np.array_split(order, n_bins)
    )


def brier(probability: NDArray[np.float64], truth: NDArray[np.intp]) -> float:
    """Brier score of probability [n, K]: mean squared error, of the second class where there are two, else
    the sum over classes (Brier 1950).
    """
    squared = (probability - np.eye(probability.shape[1])[truth]) ** 2
    return float(squared[:, _scored_classes(probability.shape[1])].sum(axis=1).mean())


def _scored_classes(n_classes: int) -> list[int]:
    return [1] if n_classes == 2 else list(range(n_classes))
