"""Overlap of neighbourhoods and CKA against what they are by definition."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from embeddings.analysis.compare.alignment import linear_cka, patient_means, similarities
from embeddings.analysis.compare.neighbourhoods import chance_overlap, nearest_others, overlaps
from flexict.errors import FlexiCTError

Make = Callable[..., Any]


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    return len(set(first) & set(second)) / len(set(first) | set(second))


def brute_neighbours(vectors: np.ndarray, patient: np.ndarray, k: int, gone: int | None = None) -> dict[int, list[int]]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return {
        q: sorted(
            (c for c in range(len(unit)) if patient[c] != patient[q] and c != gone), key=lambda c: -(unit[q] @ unit[c])
        )[:k]
        for q in range(len(unit))
    }


def test_neighbours_are_of_other_patients_and_most_alike_first(copies: Make) -> None:
    drawn = copies(1.0, n=30)
    found = nearest_others(drawn.sets[0], drawn.patient, 4)
    wanted = brute_neighbours(drawn.sets[0], drawn.patient, 4)
    assert [list(row) for row in found] == [wanted[q] for q in range(30)]


def test_the_overlap_is_the_mean_jaccard_index(copies: Make) -> None:
    drawn = copies(2.0, 2.0, n=45, width=6)
    (one,) = overlaps("AB", drawn.sets, drawn.patient, (5,), np.ones((1, 45)))
    first, second = (brute_neighbours(vectors, drawn.patient, 5) for vectors in drawn.sets)
    by_case = [jaccard(first[q], second[q]) for q in range(45)]
    assert one.by_case == pytest.approx(by_case)
    assert one.value == pytest.approx(np.mean(by_case))
    worst = one.least_alike(3)
    assert sorted(by_case)[:3] == pytest.approx([by_case[q] for q in worst])


def test_a_resample_without_a_case_counts_what_its_leaving_does_to_the_others(copies: Make) -> None:
    """With weight 0 for one case and 1 for the others, the draw is the mean over the neighbourhoods without it."""
    drawn = copies(2.0, 2.0, n=24, width=6)
    patient = np.arange(24)
    for gone in (0, 7, 13):
        weights = np.ones((1, 24))
        weights[0, gone] = 0
        (one,) = overlaps("AB", drawn.sets, patient, (4,), weights)
        first, second = (brute_neighbours(vectors, patient, 4, gone) for vectors in drawn.sets)
        here = [jaccard(first[q], second[q]) for q in range(24)]
        before = brute_neighbours(drawn.sets[0], patient, 4), brute_neighbours(drawn.sets[1], patient, 4)
        then = [jaccard(before[0][q], before[1][q]) for q in range(24)]
        change = np.mean([after - was for q, (after, was) in enumerate(zip(here, then, strict=True)) if q != gone])
        others = np.mean([was for q, was in enumerate(then) if q != gone])
        assert one.low == pytest.approx(others + change * 23 / 24)


@pytest.mark.parametrize(("gallery", "k"), [(12, 5), (40, 5), (40, 20), (137, 10)])
def test_the_chance_overlap_is_what_random_draws_share(gallery: int, k: int) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.permuted(np.tile(np.arange(gallery), (8000, 1)), axis=1)[:, :k]
    index = [jaccard(one, other) for one, other in zip(drawn[::2], drawn[1::2], strict=True)]
    error = np.std(index) / np.sqrt(len(index))
    assert chance_overlap(np.array([gallery]), k)[0] == pytest.approx(np.mean(index), abs=4 * error)


def test_unrelated_sets_overlap_as_chance_has_it(copies: Make) -> None:
    drawn = copies(0.0, 0.0, n=240, width=30)
    (one,) = overlaps("AB", drawn.sets, drawn.patient, (10,), np.ones((1, 240)))
    assert one.value == pytest.approx(one.chance, rel=0.15)


def test_too_many_neighbours_are_refused(copies: Make) -> None:
    drawn = copies(1.0, 1.0, n=30)
    with pytest.raises(FlexiCTError, match="of 1 to 27 cases"):
        overlaps("AB", drawn.sets, drawn.patient, (28,), np.ones((1, 30)))


def unbiased_hsic_by_sums(K: np.ndarray, L: np.ndarray) -> float:
    """Song et al. (2012, eq. 4): means over all tuples of different cases."""
    n = len(K)
    pairs = list(permutations(range(n), 2))
    triples = list(permutations(range(n), 3))
    quadruples = list(permutations(range(n), 4))
    return float(
        np.mean([K[i, j] * L[i, j] for i, j in pairs])
        + np.mean([K[i, j] * L[q, r] for i, j, q, r in quadruples])
        - 2 * np.mean([K[i, j] * L[i, q] for i, j, q in triples])
    )


def test_cka_is_the_ratio_of_unbiased_hsic() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9, 4))
    Y = X @ rng.normal(size=(4, 6)) + rng.normal(size=(9, 6)) + 5.0
    found = linear_cka(similarities(X), similarities(Y), np.tile(np.arange(9), (1, 1)))
    K, L = X @ X.T, Y @ Y.T
    wanted = unbiased_hsic_by_sums(K, L) / np.sqrt(unbiased_hsic_by_sums(K, K) * unbiased_hsic_by_sums(L, L))
    assert found.value == pytest.approx(wanted)


def test_the_jackknife_of_cka_leaves_each_patient_out() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(14, 3))
    Y = X + rng.normal(size=(14, 3))
    none = np.empty((0, 14), dtype=int)
    found = linear_cka(similarities(X), similarities(Y), none)
    left = [
        linear_cka(similarities(np.delete(X, i, 0)), similarities(np.delete(Y, i, 0)), none[:, :13]).value
        for i in range(14)
    ]
    error = np.sqrt(13 / 14 * ((left - np.mean(left)) ** 2).sum())
    assert found.low == pytest.approx(found.value - 1.959964 * error, rel=1e-6)


def test_cka_of_unrelated_wide_sets_is_about_zero_and_of_related_ones_is_found() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(size=(60, 3))
    orders = rng.permuted(np.tile(np.arange(60), (199, 1)), axis=1)
    sets = [shared @ rng.normal(size=(3, 500)) + 2 * rng.normal(size=(60, 500)) for _ in range(2)]
    noise = rng.normal(size=(60, 500))
    related = linear_cka(similarities(sets[0]), similarities(sets[1]), orders)
    unrelated = linear_cka(similarities(sets[0]), similarities(noise), orders)
    assert related.value > 0.5
    assert related.p == pytest.approx(1 / 200)
    assert abs(unrelated.value) < 0.15
    assert unrelated.p > 0.05


def test_a_patient_counts_once_whatever_the_number_of_scans() -> None:
    vectors = np.array([[1.0, 0.0], [3.0, 2.0], [0.0, 5.0]])
    assert patient_means(vectors, np.array([0, 0, 1])).tolist() == [[2.0, 1.0], [0.0, 5.0]]
