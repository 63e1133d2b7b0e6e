from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embeddings.analysis.retrieval.rank_fusion import fused_order, ranks

ALL = np.ones((1, 4), dtype=bool)


def test_the_order_of_two_sets_by_hand() -> None:
    first = np.array([[0.9, 0.8, 0.7, 0.6]])  # ranks 0 1 2 3
    second = np.array([[0.1, 0.8, 0.9, 0.2]])  # ranks 3 1 0 2
    # With k = 1: 1/1 + 1/4, 1/2 + 1/2, 1/3 + 1/1, 1/4 + 1/3.
    assert fused_order([first, second], ALL, fusion_k=1).tolist() == [[2, 0, 1, 3]]
    # With k = 60 one good rank counts little more than two middling ones: 1/60 + 1/63, 2/61, 1/62 + 1/60, 1/63 + 1/62.
    assert fused_order([first, second], ALL, fusion_k=60).tolist() == [[2, 1, 0, 3]]


def test_equal_scores_go_by_summed_similarity_whatever_the_order_of_the_sets() -> None:
    first, second = np.array([[0.9, 0.8, 0.1, 0.0]]), np.array([[0.2, 0.7, 0.1, 0.0]])
    assert fused_order([first, second], ALL).tolist() == [[1, 0, 2, 3]]
    assert fused_order([second, first], ALL).tolist() == [[1, 0, 2, 3]]
    # Each of the first three is first, second and third once; their sums are 2.5, 2.4 and 2.3.
    three = [np.array([row]) for row in ([0.9, 0.8, 0.6, 0.0], [0.8, 0.7, 0.9, 0.0], [0.8, 0.9, 0.85, 0.0])]
    assert ranks(np.vstack(three))[:, :3].sum(axis=0).tolist() == [3, 3, 3]
    assert fused_order(three, ALL).tolist() == fused_order(three[::-1], ALL).tolist() == [[0, 1, 2, 3]]


def test_candidates_not_allowed_stand_last_and_take_no_rank() -> None:
    allowed = np.array([[False, True, True, True]])
    first, second = np.array([[1.0, 0.5, 0.4, 0.3]]), np.array([[1.0, 0.1, 0.5, 0.4]])
    assert fused_order([first, second], allowed, fusion_k=1).tolist() == [[2, 1, 3, 0]]


@given(arrays(float, (3, 6), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_ranks_count_from_zero_and_equals_keep_their_rows(similarity: Any) -> None:
    found = ranks(similarity)
    for row, rank in zip(similarity, found, strict=True):
        expected = sorted(range(6), key=lambda i: (-row[i], i))
        assert np.argsort(rank).tolist() == expected


@pytest.mark.parametrize("fusion_k", [1, 20, 60])
def test_one_set_keeps_its_own_order(fusion_k: Any) -> None:
    similarity = np.random.default_rng(0).normal(size=(5, 30))
    allowed = np.ones((5, 30), dtype=bool)
    found = fused_order([similarity], allowed, fusion_k=fusion_k)
    assert np.array_equal(found, np.argsort(-similarity, axis=1))
    assert np.array_equal(found, fused_order([similarity, similarity], allowed, fusion_k=fusion_k))
