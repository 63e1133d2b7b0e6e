from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors

from embeddings.analysis import evaluate, nearest
from embeddings.analysis.retrieval.chance import average_precision
from flexict.errors import FlexiCTError


def clusters(n: int = 40, *, seed: int = 0) -> tuple[Any, Any, Any]:
    """Vectors of two scans a patient that follow a label of three values somewhat."""
    rng = np.random.default_rng(seed)
    label = np.repeat(rng.integers(0, 3, n // 2), 2)
    return rng.normal(size=(n, 4)) + np.eye(4)[label], label, np.repeat(np.arange(n // 2), 2)


def sums_over_queries(X: Any, label: Any, patient: Any) -> list[float]:
    """Average precision of every query among all other patients, by scikit-learn."""
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    found = []
    for query in range(len(X)):
        others = patient != patient[query]
        relevant = label[others] == label[query]
        found.append(average_precision_score(relevant, (unit @ unit[query])[others]) if relevant.any() else 0.0)
    return found


def test_nearest_agrees_with_scikit_learn() -> None:
    X = np.random.default_rng(0).normal(size=(40, 6))
    distance, index = NearestNeighbors(n_neighbors=6, metric="cosine").fit(X).kneighbors(X[7:8])
    found = nearest(X, 7, k=5)
    assert found.index.tolist() == index[0, 1:].tolist()
    assert found.similarity == pytest.approx(1 - distance[0, 1:])


def test_scans_of_the_query_patient_are_left_out() -> None:
    X = np.random.default_rng(0).normal(size=(10, 4))
    X[1] = X[0]
    assert nearest(X, 0, k=1).index.tolist() == [1]
    found = nearest(X, 0, k=20, exclude_patient=["a", "a", *"bcdefghi"])
    assert set(found.index) == set(range(2, 10))


@pytest.mark.parametrize("protocol", ["leave-patient-out", "halves"])
def test_chance_agrees_with_random_vectors(protocol: Any) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 40)
    patient = np.repeat(np.arange(20), 2)
    drawn = [
        evaluate(
            rng.normal(size=(40, 3)), label, patient=patient, protocol=protocol, n_splits=2, n_bootstrap=2, seed=seed
        )
        for seed in range(150)
    ]
    for i in range(3):
        recalls, precisions = ([getattr(one.at_k[i], name) for one in drawn] for name in ("recall", "precision"))
        assert np.mean(recalls) == pytest.approx(np.mean([one.at_k[i].recall_chance for one in drawn]), abs=0.02)
        assert np.mean(precisions) == pytest.approx(np.mean([one.at_k[i].precision_chance for one in drawn]), abs=0.02)
    found, due = (
        np.mean([getattr(one, f"mean_average_precision{ending}") for one in drawn]) for ending in ("", "_chance")
    )
    assert found == pytest.approx(due, abs=0.01)


@pytest.mark.parametrize(("gallery", "relevant"), [(1, 1), (7, 1), (7, 3), (7, 7), (30, 4)])
def test_the_chance_of_average_precision_is_its_mean_over_random_orders(gallery: Any, relevant: Any) -> None:
    rng = np.random.default_rng(0)
    hits = np.arange(gallery) < relevant
    drawn = [average_precision_score(hits, rng.random(gallery)) for _ in range(800)]
    chance = average_precision(np.array([gallery]), np.array([relevant]))[0]
    assert chance == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(800) + 1e-12)


def test_mean_average_precision_agrees_with_scikit_learn() -> None:
    X, label, patient = clusters()
    found = evaluate(X, label, patient=patient, n_bootstrap=50)
    assert found.mean_average_precision == pytest.approx(np.mean(sums_over_queries(X, label, patient)))
    assert found.mean_average_precision_low < found.mean_average_precision < found.mean_average_precision_high


def test_average_precision_by_hand() -> None:
    angle = np.radians([0, 10, 22, 90, 104, 120])
    X = np.column_stack([np.cos(angle), np.sin(angle)])
    # Ranks of the relevant: 0: 1, 5; 1: 1, 5; 2: 3, 4; 3: 1, 3; 4: 1, 3; 5: 4, 5.
    by_hand = [(1 + 2 / 5) / 2] * 2 + [(1 / 3 + 2 / 4) / 2] + [(1 + 2 / 3) / 2] * 2 + [(1 / 4 + 2 / 5) / 2]
    found = evaluate(X, ["a", "a", "b", "b", "b", "a"], k=(1,))
    assert found.mean_average_precision == pytest.approx(np.mean(by_hand))


def test_halves_are_means_over_splits_of_patients_by_label() -> None:
    X, label, patient = clusters(80)
    found = evaluate(X, label, patient=patient, protocol="halves", n_splits=30, n_bootstrap=50)
    assert found.n_splits == 30
    again = evaluate(X, label, patient=patient, protocol="halves", n_splits=30, n_bootstrap=50)
    assert found.to_dict() == again.to_dict()
    # One nearest neighbour that learns from half of the other patients, drawn by an independent hand.
    rng = np.random.default_rng(5)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    scores = []
    for _ in range(300):
        support = np.isin(patient, rng.permutation(40)[:20])
        best = np.flatnonzero(support)[(unit[~support] @ unit[support].T).argmax(axis=1)]
        scores.append((label[best] == label[~support]).mean())
    assert found.at_k[0].recall == pytest.approx(np.mean(scores), abs=0.04)
    assert found.at_k[0].recall_low < found.at_k[0].recall < found.at_k[0].recall_high


def test_the_interval_holds_the_value_of_the_population() -> None:
    label = np.arange(60) % 3
    population, covered = [], 0
    results = []
    for seed in range(60):
        X = np.random.default_rng(seed).normal(size=(60, 4)) + np.eye(4)[label]
        results.append(evaluate(X, label, n_bootstrap=200, seed=seed))
        population.append(results[-1].mean_average_precision)
    truth = np.mean(population)
    covered = sum(one.mean_average_precision_low <= truth <= one.mean_average_precision_high for one in results)
    assert covered >= 50


def test_copies_of_one_set_fuse_to_that_set() -> None:
    X, label, patient = clusters()
    alone = evaluate(X, label, patient=patient, n_bootstrap=20).to_dict()
    for sets in ([X], [X, 3.0 * X], [X, X, X]):
        fused = evaluate(sets, label, patient=patient, n_bootstrap=20).to_dict()
        assert fused.pop("n_sets") == len(sets)
        assert fused == {name: value for name, value in alone.items() if name != "n_sets"}


def test_two_sets_that_err_apart_find_more_together() -> None:
    rng = np.random.default_rng(0)
    label = np.arange(120) % 3
    first, second = (rng.normal(size=(120, 6)) + 1.2 * np.eye(6)[label] for _ in range(2))
    alone = [evaluate(one, label, n_bootstrap=2).mean_average_precision for one in (first, second)]
    assert evaluate([first, second], label, n_bootstrap=2).mean_average_precision > max(alone) + 0.02


def test_recall_and_precision_of_a_small_case_by_hand() -> None:
    angle = np.radians([0, 10, 22, 90, 104, 120])
    X = np.column_stack([np.cos(angle), np.sin(angle)])
    found = evaluate(X, ["a", "a", "b", "b", "b", "a"], k=(1, 2))
    # Nearest: 0-1, 1-0, 2-1, 3-4, 4-3, 5-4; second: 2, 2, 0, 5, 5, 3.
    assert found.at_k[0].recall == pytest.approx(4 / 6)
    assert found.at_k[1].recall == pytest.approx(4 / 6)
    assert found.at_k[1].precision == pytest.approx(4 / 12)
    assert found.at_k[0].recall_chance == pytest.approx(2 / 5)
    assert found.at_k[1].recall_chance == pytest.approx(1 - (3 * 2) / (5 * 4))


def test_copies_of_a_patient_do_not_count_as_finds() -> None:
    rng = np.random.default_rng(0)
    X, label = np.repeat(rng.normal(size=(60, 5)), 2, axis=0), np.repeat(rng.integers(0, 2, 60), 2)
    assert evaluate(X, label).at_k[0].recall == 1.0
    patient = np.repeat(np.arange(60), 2)
    assert evaluate(X, label, patient=patient).at_k[0].recall < 0.75
    assert evaluate(X, label, patient=patient, protocol="halves").at_k[0].recall < 0.75
    assert evaluate([X, X], label, patient=patient).at_k[0].recall < 0.75


def test_intervals_hold_the_estimate_and_the_result_is_json() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 50)
    found = evaluate(rng.normal(size=(50, 4)) + label[:, None], label, seed=1)
    for one in found.at_k:
        assert one.recall_low <= one.recall <= one.recall_high
        assert one.precision_low <= one.precision <= one.precision_high
    json.dumps(found.to_dict(), allow_nan=False)


def test_queries_without_a_match_are_counted() -> None:
    X = np.random.default_rng(0).normal(size=(10, 3))
    found = evaluate(X, [*"aaaaabbbb", "alone"], k=(1,))
    assert found.n_without_match == 1


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda X: nearest(X * 0, 0, k=1), "not all zero"),
        (lambda X: nearest(X * np.nan, 0, k=1), "NaN or infinity"),
        (lambda X: nearest(X, 12, k=1), "row 12 is not one"),
        (lambda X: nearest(X, 0, k=0), "at least 1 neighbour"),
        (lambda X: nearest(X, 0, k=1, exclude_patient=["a"] * 12), "no case of another patient"),
        (lambda X: evaluate(X, ["a"] * 12), "at least two different labels"),
        (lambda X: evaluate(X, ["a"] * 11), "one label for each"),
        (lambda X: evaluate(X, list("ab") * 6, k=(12,)), "1 to 11 nearest"),
        (lambda X: evaluate(X, list("ab") * 6, k=(7,), protocol="halves"), "1 to 6 nearest"),
        (lambda X: evaluate(X, list("ab") * 6, k=()), "not at k"),
        (lambda X: evaluate(X, list("ab") * 6, patient=list("pqr") * 4), "at least 5 patients"),
        (lambda X: evaluate([X, X[:9]], list("ab") * 6), "the sets contain 12, 9 vectors"),
        (lambda X: evaluate([X, X], list("ab") * 6, fusion_k=0), "constant above 0"),
        (lambda X: evaluate(X, list("ab") * 6, protocol="thirds"), "leave-patient-out and halves, not 'thirds'"),
        (lambda X: evaluate(X, list("ab") * 6, protocol="halves", n_splits=0), "at least 1 split"),
    ],
)
def test_what_is_missing_is_said(act: Any, sentence: Any) -> None:
    with pytest.raises(FlexiCTError, match=sentence):
        act(np.random.default_rng(0).normal(size=(12, 3)))
