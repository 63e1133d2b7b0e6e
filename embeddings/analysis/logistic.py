"""Nested cross-validated logistic regression by patient."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from .crossfit import standardised
from .resampling import grouped_folds

# Inverse penalties, for blocks of columns scaled to a total variance of 1 whatever their number.
STRENGTHS = tuple(10.0**exponent for exponent in (-1.0, 0.0, 1.0, 2.0, 3.0))
INNER_FOLDS = 4
MAX_COMPONENTS = 300


def out_of_fold_probability(
    blocks: list[NDArray[np.float64]],
    truth: NDArray[np.intp],
    patient: NDArray[np.intp],
    fold: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Class probabilities [n, K] of every case, from a model of the folds it is not in.

    blocks: feature tables [n, k], each standardised and given equal weight. truth: [n] in 0..K-1. fold:
    [n]. The penalty is the one of least log loss in an inner cross-validation by patient of the training
    cases. Where the columns outnumber 300, the leading components of the training cases replace them: with
    up to 300 training cases that is a rotation and loses nothing, since the solution lies in their span.
    """
    n_classes = int(truth.max()) + 1
    probability = np.zeros((len(truth), n_classes))
    for number in np.unique(fold):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        rows = _rotated(np.hstack([_block(block, train) for block in blocks]), train)
        strength = _chosen_strength(rows[train], truth[train], patient[train], n_classes, seed=int(number))
        for _, predicted in _path(rows[train], truth[train], rows[test], n_classes, (strength,)):
            probability[test] = predicted
    return probability


def _block(block: NDArray[np.float64], train: NDArray[np.intp]) -> NDArray[np.float64]:
    return standardised(block, train) / np.sqrt(block.shape[1])


def _rotated(rows: NDArray[np.float64], train: NDArray[np.intp]) -> NDArray[np.float64]:
    """All rows in the basis of the training rows' leading components."""
    rank = min(len(train), MAX_COMPONENTS)
    if rows.shape[1] <= rank:
        return rows
    if len(train) <= rows.shape[1]:
        values, vectors = np.linalg.eigh(rows[train] @ rows[train].T)
        values, vectors = values[::-1][:rank], vectors[:, ::-1][:, :rank]
        kept = values > 1e-10 * values[0]
        return rows @ (rows[train].T @ (vectors[:, kept] / np.sqrt(values[kept])))
    _, vectors = np.linalg.eigh(rows[train].T @ rows[train])
    return rows @ vectors[:, ::-1][:, :rank]


def _chosen_strength(
    rows: NDArray[np.float64],
    truth: NDArray[np.intp],
    patient: NDArray[np.intp],
    n_classes: int,
    *,
    seed: int,
) -> float:
    fold = grouped_folds(patient, truth, n_folds=INNER_FOLDS, seed=seed)
    losses = dict.fromkeys(STRENGTHS, 0.0)
    for number in range(INNER_FOLDS):
        train, test = fold != number, fold == number
        for strength, predicted in _path(rows[train], truth[train], rows[test], n_classes, STRENGTHS):
            right = predicted[np.arange(len(predicted)), truth[test]]
            losses[strength] -= float(np.log(np.clip(right, 1e-6, 1.0)).sum())
    return min(STRENGTHS, key=lambda strength: losses[strength])


def _path(
    rows: NDArray[np.float64],
    truth: NDArray[np.intp],
    test_rows: NDArray[np.float64],
    n_classes: int,
    strengths: tuple[float, ...],
) -> list[tuple[float, NDArray[np.float64]]]:
    """Probabilities of the test rows at each inverse penalty, every fit starting from the one before."""
    if np.unique(truth).size == 1:
        certain = np.zeros((len(test_rows), n_classes))
        certain[:, truth[0]] = 1.0
        return [(strength, certain) for strength in strengths]
    model = LogisticRegression(warm_start=True, max_iter=300, tol=1e-3)
    fitted = []
    for strength in strengths:
        model.set_params(C=strength)
        with warnings.catch_warnings():
            # Weak penalties on separable cases creep; the inner folds reject them if they predict worse.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows, truth)
        predicted = np.zeros((len(test_rows), n_classes))
        predicted[:, model.classes_] = model.predict_proba(test_rows)
        fitted.append((strength, predicted))
    return fitted
