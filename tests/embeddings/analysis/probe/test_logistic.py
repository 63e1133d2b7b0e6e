from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from embeddings.analysis import Gram
from embeddings.analysis.gram import standardised
from embeddings.analysis.probe.logistic import Components, probability_path
from embeddings.analysis.probe.nested import INNER_FOLDS, STRENGTHS, out_of_fold_probability, tuned_probability
from embeddings.analysis.resampling import grouped_folds


def fitted(rows: NDArray[Any], truth: NDArray[Any], train: NDArray[Any], strength: float) -> NDArray[Any]:
    model = LogisticRegression(C=strength, tol=1e-10, max_iter=10000).fit(rows[train], truth[train])
    probability: NDArray[Any] = model.predict_proba(rows)
    return probability


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("n", "d"), [(60, 150), (70, 6)])
def test_every_fit_of_a_batch_is_that_of_scikit_learn(
    simulate: Callable[..., Any], n: int, d: int, n_classes: int
) -> None:
    X, stage, _ = simulate(n=n, d=d)
    rng = np.random.default_rng(1)
    truth = np.stack([rng.permutation(np.minimum(stage, n_classes - 1)) for _ in range(5)])
    train = rng.random((5, n)) < 0.7
    found = probability_path(Components.of([Gram.of(X, "test")]), truth, train, n_classes, STRENGTHS)
    rows = standardised(X) / np.sqrt(d)
    for number, strength in enumerate(STRENGTHS):
        for fit in range(5):
            expected = fitted(rows, truth[fit], train[fit], strength)
            assert np.abs(found[number, fit] - expected).max() < 1e-3


def test_two_tables_weigh_alike_whatever_their_width(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=60, d=90)
    truth, train = (stage > 1).astype(int), np.arange(60) < 50
    both = Components.of([Gram.of(X, "test"), Gram.of(size[:, None], "test")])
    found = probability_path(both, truth[None], train[None], 2, [1.0])[0, 0]
    rows = np.hstack([standardised(X) / np.sqrt(90), standardised(size[:, None])])
    assert np.abs(found - fitted(rows, truth, train, 1.0)).max() < 1e-3


def test_a_class_that_is_not_seen_has_no_probability(simulate: Callable[..., Any]) -> None:
    X, _, _ = simulate(n=30, d=5)
    components = Components.of([Gram.of(X, "test")])
    truth = np.repeat([0, 1, 2], 10)
    train = np.stack([truth != 2, truth == 1])
    found = probability_path(components, np.tile(truth, (2, 1)), train, 3, [1.0])[0]
    assert np.all(found[0, :, 2] == 0)
    assert found[0].sum(axis=1) == pytest.approx(np.ones(30))
    assert np.array_equal(found[1], np.tile([0.0, 1.0, 0.0], (30, 1)))


@pytest.mark.parametrize("stratified", [False, True])
def test_the_penalty_is_the_one_of_least_loss_in_the_inner_folds(
    simulate: Callable[..., Any], stratified: bool
) -> None:
    X, stage, _ = simulate(n=80, d=50, strength=0.25)
    truth, patient = (stage > 1).astype(int), np.arange(80)
    train = patient < 64
    found = tuned_probability(
        Components.of([Gram.of(X, "test")]), truth[None], patient, train[None], 2, [7], stratified=stratified
    )[0]
    rows = standardised(X) / np.sqrt(50)
    fold = grouped_folds(np.arange(64), truth[:64] if stratified else None, n_folds=INNER_FOLDS, seed=7)
    losses = []
    for strength in STRENGTHS:
        inner = np.zeros(64)
        for number in range(INNER_FOLDS):
            inside = np.append(fold != number, np.zeros(16, dtype=bool))
            inner[fold == number] = fitted(rows, truth, inside, strength)[:64, 1][fold == number]
        losses.append(log_loss(truth[:64], inner))
    expected = fitted(rows, truth, train, STRENGTHS[int(np.argmin(losses))])
    assert np.abs(found - expected).max() < 1e-3


def test_no_case_is_predicted_by_a_model_that_saw_its_patient(simulate: Callable[..., Any]) -> None:
    X, _, _ = simulate(n=60, d=100, follows="nothing")
    copies = np.repeat(X[:30], 2, axis=0)
    patient = np.repeat(np.arange(30), 2)
    truth = np.random.default_rng(0).integers(0, 2, 30)[patient]
    fold = grouped_folds(patient, truth, n_folds=5)
    components = Components.of([Gram.of(copies, "test")])
    before = out_of_fold_probability(components, truth[None], patient, fold[None], 2)[0]
    changed = truth.copy()
    changed[fold == 2] = 1 - changed[fold == 2]
    after = out_of_fold_probability(components, changed[None], patient, fold[None], 2)[0]
    assert np.abs(before - after)[fold == 2].max() < 1e-9
    assert np.abs(before - after)[fold != 2].max() > 1e-3
