from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    roc_auc_score,
)

from embeddings.analysis import linear_probe
from embeddings.analysis.probe.discrimination import (
    balanced_accuracy,
    brier,
    confusion_matrices,
    macro_auc,
    macro_average_precision,
    macro_f1,
    reliability,
)
from embeddings.analysis.resampling import bootstrap_weights
from flexict.errors import FlexiCTError

QUICK: dict[str, Any] = {"n_repeats": 1, "n_bootstrap": 100}


def predictions(n: int, n_classes: int, *, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    probability = rng.dirichlet(np.ones(n_classes), size=n) + 0.5 * np.eye(n_classes)[truth]
    # Two decimals make ties, which the measures must treat as scikit-learn does.
    probability = np.round(probability / probability.sum(axis=1, keepdims=True), 2)
    return probability / probability.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("n_classes", [2, 4])
def test_measures_agree_with_scikit_learn_on_all_cases_and_on_resamples(n_classes: Any) -> None:
    probability, truth = predictions(80, n_classes)
    weights = np.vstack([np.ones(80), bootstrap_weights(np.arange(80), n_resamples=3, seed=1)])
    resamples = [np.repeat(np.arange(80), one.astype(int)) for one in weights]
    confusion = confusion_matrices(probability[None], truth, weights)
    measured = {
        "auc": macro_auc(probability[None], truth, weights),
        "ap": macro_average_precision(probability[None], truth, weights),
        "balanced": balanced_accuracy(confusion),
        "f1": macro_f1(confusion),
    }
    for i, cases in enumerate(resamples):
        t, p = truth[cases], probability[cases]
        score, one_hot = (p[:, 1], t) if n_classes == 2 else (p, np.eye(n_classes)[t])
        called = p.argmax(axis=1)
        assert measured["auc"][i] == pytest.approx(roc_auc_score(one_hot, score, average="macro"))
        assert measured["ap"][i] == pytest.approx(average_precision_score(one_hot, score, average="macro"))
        assert measured["balanced"][i] == pytest.approx(balanced_accuracy_score(t, called))
        assert measured["f1"][i] == pytest.approx(f1_score(t, called, average="macro"))
        assert np.array_equal(confusion[i], confusion_matrix(t, called))


def test_measures_of_repeats_are_their_mean() -> None:
    (first, truth), (second, _) = predictions(60, 3), predictions(60, 3, seed=0)
    second = second[:, [1, 0, 2]]
    ones = np.ones((1, 60))
    for measure in (macro_auc, macro_average_precision):
        apart = [measure(one[None], truth, ones)[0] for one in (first, second)]
        assert measure(np.stack([first, second]), truth, ones)[0] == pytest.approx(np.mean(apart))


def test_a_resample_without_a_class_is_undefined() -> None:
    probability, truth = predictions(20, 2)
    weights = (truth == 0).astype(float)[None]
    assert np.isnan(macro_auc(probability[None], truth, weights)[0])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_brier_agrees_with_scikit_learn(n_classes: Any) -> None:
    probability, truth = predictions(50, n_classes)
    expected = brier_score_loss(truth, probability[:, 1] if n_classes == 2 else probability)
    assert brier(probability, truth) == pytest.approx(expected)


def test_reliability_of_true_probabilities_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=20000)
    bins = reliability(np.column_stack([1 - p, p]), (rng.uniform(size=20000) < p).astype(int))
    assert len(bins) == 10
    assert sum(one.n for one in bins) == 20000
    assert max(abs(one.predicted - one.observed) for one in bins) < 0.04


def test_a_label_that_is_there_is_read_and_noise_is_not(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=80, d=120)
    found = linear_probe(X, stage > 1, **QUICK)
    assert found.embedding.auc.value > 0.85
    assert found.embedding.auc.low < found.embedding.auc.value <= found.embedding.auc.high
    assert found.embedding.probability.sum(axis=1) == pytest.approx(np.ones(80))
    assert found.embedding.confusion.sum() == pytest.approx(80)
    X, stage, _ = simulate(n=80, d=120, follows="nothing")
    noise = linear_probe(X, stage > 1, **QUICK)
    assert noise.embedding.auc.low < 0.5 < noise.embedding.auc.high + 0.1


def test_an_embedding_that_only_knows_size_adds_nothing_to_size(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=90, d=60, follows="size")
    found = linear_probe(X, stage > 1, baseline=np.log(size), **QUICK)
    assert found.embedding.auc.value > 0.7
    adds = found.differences[0]
    assert (adds.better, adds.than) == ("combined", "baseline")
    assert adds.low <= 0.02
    assert adds.p > 0.05
    assert found.combined is not None
    assert found.baseline is not None
    assert adds.value == pytest.approx(found.combined.auc.value - found.baseline.auc.value)


def test_an_embedding_that_knows_more_than_size_adds_to_it(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=90, d=60)
    found = linear_probe(X, stage > 1, baseline=np.log(size), **QUICK)
    assert found.differences[0].low > 0
    assert found.differences[0].p < 0.05
    assert [model.name for model in found.models] == ["embedding", "baseline", "combined"]


def test_copies_of_a_patient_do_not_leak(simulate: Callable[..., Any]) -> None:
    honest, leaked = [], []
    for seed in range(4):
        X, stage, _ = simulate(n=40, d=200, follows="nothing", seed=seed)
        copies, labels, patient = np.tile(X, (3, 1)), np.tile(stage > 1, 3), np.tile(np.arange(40), 3)
        honest.append(linear_probe(copies, labels, patient=patient, **QUICK).embedding.auc.value)
        leaked.append(linear_probe(copies, labels, **QUICK).embedding.auc.value)
    assert min(leaked) > 0.95
    assert np.mean(honest) < 0.65


def test_rare_classes_get_fewer_folds_and_text_labels_keep_their_names(simulate: Callable[..., Any]) -> None:
    X, _, _ = simulate(n=40, d=10)
    found = linear_probe(X, ["T1"] * 37 + ["T4"] * 3, **QUICK)
    assert found.n_folds == 3
    assert found.classes == ("T1", "T4")
    assert found.n_per_class == (37, 3)


def test_the_seed_decides_and_the_result_is_json(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=40, d=20)
    first, second = (linear_probe(X, stage > 1, baseline=size, seed=2, **QUICK).to_dict() for _ in range(2))
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)


def test_the_chance_test_finds_what_is_there_and_not_what_is_not(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=60, d=80)
    assert linear_probe(X, stage > 1, n_permutations=49, **QUICK).p_chance == pytest.approx(1 / 50)
    p = []
    for seed in range(40):
        X, stage, _ = simulate(n=40, d=30, follows="nothing", seed=seed)
        p.append(linear_probe(X, stage > 1, n_permutations=19, seed=seed, **QUICK).p_chance)
    assert abs(np.mean(p) - 0.5) < 0.15
    assert np.mean(np.array(p) <= 0.1) < 0.25
    assert np.isnan(linear_probe(X, stage > 1, **QUICK).p_chance)


def test_the_learning_curve_rises_with_the_labels(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=90, d=60)
    patient = np.arange(90) // 2
    found = linear_probe(X, stage[2 * patient] > 1, patient=patient, learning_shares=(0.01, 0.02, 0.3, 1), **QUICK)
    points = found.learning_curve
    # 1 and 2 % of 36 training patients are both one patient a class, here of two scans.
    assert [point.share for point in points] == [0.02, 0.3, 1.0]
    assert points[0].n_train == pytest.approx(4, abs=0.5)
    assert points[-1].n_train == pytest.approx(72)
    assert points[-1].auc == found.embedding.auc
    assert points[0].auc.value < points[-1].auc.value
    with pytest.raises(FlexiCTError, match="shares above 0"):
        linear_probe(X, stage > 1, learning_shares=(0.0,), **QUICK)


def test_the_ordinal_probe_agrees_with_scikit_learn_on_what_it_called(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=80, d=60)
    found = linear_probe(X, stage, **QUICK).ordinal
    assert found is not None
    counts = found.confusion.astype(int)
    assert counts.sum() == 80
    truth = np.repeat(np.arange(4), counts.sum(axis=1))
    called = np.concatenate([np.repeat(np.arange(4), row) for row in counts])
    assert found.kappa.value == pytest.approx(cohen_kappa_score(truth, called, weights="quadratic"))
    assert found.mean_absolute_error.value == pytest.approx(np.abs(truth - called).mean())
    assert found.kappa.low < found.kappa.value < found.kappa.high
    assert found.kappa.value > 0.6
    assert linear_probe(X, stage > 1, **QUICK).ordinal is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"X": np.full((30, 3), np.inf)}, "NaN or infinity"),
        ({"X": np.ones((5, 3)), "y": [0, 1, 0, 1, 0]}, "at least 20 cases"),
        ({"y": [1] * 30}, "at least two classes"),
        ({"y": [0] * 28 + [1] * 2}, "'1' has 2 "),
        ({"y": [None] + [0, 1] * 14 + [1]}, "1 are missing"),
        ({"y": ["T1"] * 15 + [2] * 15}, "labels of one kind"),
        ({"baseline": [np.nan] * 30}, "baseline of every case"),
        ({"n_repeats": 0}, "at least 1 repeat"),
    ],
)
def test_what_is_missing_is_said(change: Any, sentence: Any) -> None:
    rng = np.random.default_rng(0)
    given = {"X": rng.normal(size=(30, 3)), "y": np.arange(30) % 2} | QUICK | change
    with pytest.raises(FlexiCTError, match=sentence):
        linear_probe(given.pop("X"), given.pop("y"), **given)


def test_chance_and_differences_are_one_family_adjusted_by_holm() -> None:
    rng = np.random.default_rng(2)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 5)) + 0.8 * y[:, None]
    found = linear_probe(X, y, baseline=rng.normal(size=60), n_repeats=1, n_permutations=19, n_bootstrap=50)
    raw = [found.p_chance, *(one.p for one in found.differences)]
    adjusted = [found.chance_adjusted, *(one for _, one in found.adjusted_differences)]
    assert [one.n for one in adjusted] == [3, 3, 3]
    assert sorted(one.p for one in adjusted) == pytest.approx(sorted(_holm_by_hand(raw)))
    assert found.to_dict()["p_chance_adjusted"] == found.chance_adjusted.p
    assert [one["p_adjusted"] for one in found.to_dict()["differences"]] == [one.p for one in adjusted[1:]]
    untested = replace(found, p_chance=float("nan"))
    assert [one.n for _, one in untested.adjusted_differences] == [2, 2]
    assert np.isnan(untested.chance_adjusted.p)


def _holm_by_hand(p: list[float]) -> list[float]:
    found: list[float] = []
    for rank, one in enumerate(sorted(p)):
        found.append(max([*found, min(1.0, one * (len(p) - rank))]))
    return found
