"""Out-of-fold ordinal ridge as one matrix: prediction = smoother @ labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve
from scipy.optimize import brentq
from sklearn.covariance import ledoit_wolf

from .resampling import grouped_folds

# What a training fold does to the vectors before the axis: (training rows, all rows) -> adjusted all rows.
Adjustment = Callable[[NDArray[np.intp]], NDArray[np.float64]]


def standardised(X: NDArray[np.float64], train: NDArray[np.intp]) -> NDArray[np.float64]:
    """All rows of X [n, d] centred and scaled by the mean and deviation of the training rows.

    Columns without spread in training become 0.
    """
    centre, spread = X[train].mean(axis=0), X[train].std(axis=0)
    usable = spread > 1e-9 * max(float(spread.max()), 1e-300)
    return np.where(usable, (X - centre) / np.where(usable, spread, 1.0), 0.0)


def ridge_strength(eigenvalues: NDArray[np.floating], effective_df: float) -> float:
    """The ridge penalty at which sum(e / (e + penalty)) equals `effective_df`.

    It depends on the vectors alone, never on the labels (Hastie, Tibshirani and Friedman 2009, eq. 3.50).
    """
    positive = eigenvalues[eigenvalues > 1e-10 * max(float(eigenvalues.max()), 1e-300)]
    if not positive.size:
        raise ValueError("The vectors of the training cases are all equal, so no axis can be fitted.")
    target = min(effective_df, 0.9 * positive.size)

    def excess(log_penalty: float) -> float:
        return float((positive / (positive + np.exp(log_penalty))).sum()) - target

    low, high = np.log(positive.min()) - 10.0, np.log(positive.sum()) + 10.0
    return float(np.exp(brentq(excess, low, high)))


def effective_df(n_train: int) -> float:
    """Effective degrees of freedom allowed to an axis: a third of the number of training cases."""
    return n_train / 3.0


def ridge_smoother(rows: NDArray[np.float64], train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.float64]:
    """The matrix [len(test), len(train)] that turns training labels into ridge scores of the test rows.

    `rows` are centred on the training rows. The score is the deviation from the mean training label:
    without the intercept every row sums to 0, so that under permuted labels the expected score is 0 in
    every fold and the known negative bias of pooled cross-validated scores does not arise.
    """
    gram = rows[train] @ rows[train].T
    penalty = ridge_strength(np.linalg.eigvalsh(gram), effective_df(len(train)))
    factor = cho_factor(gram + penalty * np.eye(len(train)), lower=True)
    weights = cho_solve(factor, rows[train] @ rows[test].T).T
    return weights - weights.mean(axis=1, keepdims=True)


def out_of_fold_smoother(
    adjust: Adjustment, patient: NDArray[np.intp], *, n_folds: int, n_repeats: int, seed: int
) -> NDArray[np.float64]:
    """Smoother S [n, n] of repeated cross-fitting: S @ stage is every case's mean out-of-fold score.

    Folds group patients and know no labels, so S is the same for every permutation of the stage.
    """
    n = len(patient)
    smoother = np.zeros((n, n))
    for train, test in fold_plan(patient, n_folds=n_folds, n_repeats=n_repeats, seed=seed):
        smoother[np.ix_(test, train)] += ridge_smoother(adjust(train), train, test) / n_repeats
    return smoother


def in_sample_smoother(adjust: Adjustment, n: int) -> NDArray[np.float64]:
    """The same ridge fitted and scored on all cases: the optimistic way, for comparison only."""
    everyone = np.arange(n)
    return ridge_smoother(adjust(everyone), everyone, everyone)


def out_of_fold_lda(
    adjust: Adjustment, stage: NDArray[np.float64], patient: NDArray[np.intp], *, n_folds: int, seed: int
) -> NDArray[np.float64]:
    """Out-of-fold score [n] of a shrinkage linear discriminant along the order of the stages.

    The axis is inv(W) @ sum_k n_k (s_k - mean) m_k, with W the Ledoit-Wolf covariance within stages and m_k
    the mean of stage s_k: Fisher's discriminant for the linear contrast of the stages. Each fold's score is
    scaled to unit deviation among its training cases, so that folds can be pooled.
    """
    score = np.zeros(len(stage))
    for train, test in fold_plan(patient, n_folds=n_folds, n_repeats=1, seed=seed):
        rows = adjust(train)
        # Nothing of the training rows lies outside their own span: the rotation loses nothing and is smaller.
        values, vectors = np.linalg.eigh(rows[train] @ rows[train].T)
        kept = values > 1e-10 * values[-1]
        rotation = rows[train].T @ (vectors[:, kept] / np.sqrt(values[kept]))
        train_rows, test_rows = rows[train] @ rotation, rows[test] @ rotation
        labels = stage[train]
        levels, level_of = np.unique(labels, return_inverse=True)
        means = np.stack([train_rows[level_of == i].mean(axis=0) for i in range(len(levels))])
        within = ledoit_wolf(train_rows - means[level_of], assume_centered=True)[0]
        contrast = train_rows.T @ (labels - labels.mean())
        axis = solve(within, contrast, assume_a="pos")
        spread = (train_rows @ axis).std()
        if spread > 0:
            score[test] = test_rows @ axis / spread
    return score


def fold_plan(
    patient: NDArray[np.intp], *, n_folds: int, n_repeats: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The (training cases, test cases) of every fold of every repeat, by patient, whatever the labels."""
    for repeat in range(n_repeats):
        fold = grouped_folds(patient, n_folds=n_folds, seed=seed * 1000 + repeat)
        for number in range(n_folds):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)
