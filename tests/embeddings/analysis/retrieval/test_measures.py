from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embeddings.analysis.retrieval.measures import measures, without_each

K = (1, 2, 4)


def taken_out(row: Any, place: int, following: dict[int, float]) -> Any:
    """The measures of one query without the answer at `place`; `following`: the share of matches that moves up."""
    left = np.delete(row, place)
    found = measures(left[None], K)[0]
    for column, depth in enumerate(K):
        if place < depth:
            kept = np.delete(row[:depth], place)
            found[column] = 1.0 if kept.any() else following[depth]
            found[len(K) + column] = (kept.sum() + following[depth]) / depth
    return found


@pytest.mark.parametrize("seed", range(5))
def test_what_each_case_contributes_agrees_with_taking_it_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_queries, n = 6, 9
    order = np.array([rng.permutation(n) for _ in range(n_queries)])
    gallery = rng.integers(5, n + 1, n_queries)
    hits = (rng.random((n_queries, n)) < 0.4) & (np.arange(n) < gallery[:, None])
    following = {depth: float(hits[:, :depth].mean()) for depth in K}
    found = without_each(hits, order, gallery, K)
    for case in range(n):
        change = np.zeros(2 * len(K) + 1)
        for row, cases, size in zip(hits, order, gallery, strict=True):
            place = cases.tolist().index(case)
            if place < size:
                change += taken_out(row[:size], place, following) - measures(row[:size][None], K)[0]
        assert found[case] == pytest.approx(change)


def test_measures_of_one_query_by_hand() -> None:
    hits = np.array([[False, True, False, True]])
    assert measures(hits, K)[0].tolist() == [0.0, 1.0, 1.0, 0.0, 0.5, 0.5, (1 / 2 + 2 / 4) / 2]


def test_a_query_without_a_match_scores_nothing() -> None:
    hits = np.zeros((1, 4), dtype=bool)
    assert not measures(hits, K).any()
    assert not without_each(hits, np.arange(4)[None], np.array([4]), K).any()
