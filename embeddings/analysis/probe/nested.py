"""Nested cross-validation by patient of many labellings of one cohort."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .. import progress
from ..resampling import grouped_folds, highest_by_patient
from .logistic import Components, probability_path

# Inverse penalties, for tables scaled to a total variance of 1 a case whatever their width.
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
INNER_FOLDS = 4
# The penalty where too few patients are left to choose one.
PLAIN_STRENGTH = 1.0
# Numbers held at once by the probabilities of a batch of labellings.
MAX_NUMBERS = 20_000_000


def out_of_fold_probability(
    components: Components,
    truth: NDArray[np.intp],
    patient: NDArray[np.intp],
    fold: NDArray[np.intp],
    n_classes: int,
    *,
    stratified: bool = True,
) -> NDArray[np.float64]:
    """Class probabilities [R, n, K] of every case, each from models of the folds it is not in.

    truth: [R, n] in 0..K-1, the labels of R runs. fold: [R, n]. The penalty of a fold is the one of least log
    loss in an inner cross-validation by patient of its training cases, whose folds hold each class in like
    number if `stratified`; if not they know no label, as a permutation test needs.
    """
    n_folds = int(fold.max()) + 1
    probability = np.zeros((*truth.shape, n_classes))
    fits_a_run = n_folds * INNER_FOLDS * truth.shape[1] * n_classes * len(STRENGTHS)
    runs = max(1, MAX_NUMBERS // fits_a_run)
    for first in range(0, len(truth), runs):
        part = slice(first, first + runs)
        jobs = list(product(range(len(truth[part])), range(n_folds)))
        labels = np.stack([truth[part][run] for run, _ in jobs])
        train = np.stack([fold[part][run] != number for run, number in jobs])
        seeds = [number for _, number in jobs]
        with progress.part(first / len(truth), min(1.0, (first + runs) / len(truth))):
            predicted = tuned_probability(components, labels, patient, train, n_classes, seeds, stratified=stratified)
        for (run, number), one in zip(jobs, predicted, strict=True):
            test = fold[part][run] == number
            probability[first + run, test] = one[test]
    return probability


def tuned_probability(
    components: Components,
    truth: NDArray[np.intp],
    patient: NDArray[np.intp],
    train: NDArray[np.bool_],
    n_classes: int,
    seeds: Sequence[int],
    *,
    stratified: bool = True,
) -> NDArray[np.float64]:
    """Class probabilities [B, n, K] of models of the cases train [B, n], each with a penalty chosen among them.

    truth: [B, n]. seeds: one a model, of its inner folds.
    """
    inner_train, inner_test, owner = [], [], []
    for job, (labels, cases, seed) in enumerate(zip(truth, train, seeds, strict=True)):
        for held_out in _inner_folds(labels, patient, cases, seed, stratified=stratified):
            inner_train.append(cases & ~held_out)
            inner_test.append(held_out)
            owner.append(job)
    losses = np.zeros((len(STRENGTHS), len(truth)))
    if owner:
        of_job = np.array(owner)
        labels = truth[of_job]
        with progress.part(0.0, 0.8):
            path = probability_path(components, labels, np.stack(inner_train), n_classes, STRENGTHS)
        right = np.take_along_axis(path, labels[None, :, :, None], axis=3)[..., 0]
        loss = -(np.log(np.clip(right, 1e-6, 1.0)) * np.stack(inner_test)).sum(axis=2)
        losses = np.stack([np.bincount(of_job, one, minlength=len(truth)) for one in loss])
    chosen = losses.argmin(axis=0)
    chosen[~losses.any(axis=0)] = STRENGTHS.index(PLAIN_STRENGTH)
    with progress.part(0.8, 1.0):
        path = probability_path(components, truth, train, n_classes, STRENGTHS)
    return path[chosen, np.arange(len(truth))]


def _inner_folds(
    truth: NDArray[np.intp], patient: NDArray[np.intp], train: NDArray[np.bool_], seed: int, *, stratified: bool
) -> list[NDArray[np.bool_]]:
    """The held-out cases [n] of each inner fold; none where a class has a single patient to train on."""
    cases = np.flatnonzero(train)
    number = np.unique(patient[cases], return_inverse=True)[1]
    n_folds = INNER_FOLDS
    if stratified:
        highest = highest_by_patient(number, truth[cases])
        n_folds = min(n_folds, int(np.unique(highest, return_counts=True)[1].min()))
    if n_folds < 2 or number.max() + 1 < n_folds:
        return []
    fold = grouped_folds(number, truth[cases] if stratified else None, n_folds=n_folds, seed=seed)
    held_out = np.zeros((n_folds, len(train)), dtype=bool)
    held_out[fold, cases] = True
    return list(held_out)
