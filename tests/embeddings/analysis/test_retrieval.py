from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from embeddings.analysis import evaluate, nearest


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


def test_chance_agrees_with_drawing_at_random() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 40)
    patient = np.repeat(np.arange(20), 2)
    drawn = [evaluate(rng.normal(size=(40, 3)), label, patient=patient, n_bootstrap=2) for _ in range(150)]
    for i in range(3):
        assert np.mean([one.at_k[i].recall for one in drawn]) == pytest.approx(drawn[0].at_k[i].recall_chance, abs=0.03)
        assert np.mean([one.at_k[i].precision for one in drawn]) == pytest.approx(
            drawn[0].at_k[i].precision_chance, abs=0.03
        )


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
    assert evaluate(X, label, patient=np.repeat(np.arange(60), 2)).at_k[0].recall < 0.75


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
        (lambda X: evaluate(X, list("ab") * 6, patient=list("pqr") * 4), "at least 5 patients"),
    ],
)
def test_what_is_missing_is_said(act: Any, sentence: Any) -> None:
    with pytest.raises(ValueError, match=sentence):
        act(np.random.default_rng(0).normal(size=(12, 3)))
