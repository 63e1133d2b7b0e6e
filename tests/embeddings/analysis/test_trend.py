from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, spearmanr

from embeddings.analysis.trend import jonckheere_terpstra, spearman_columns


def brute_force_j(score: Any, stage: Any) -> float:
    return sum(
        float(score[j] > score[i]) + 0.5 * float(score[j] == score[i])
        for i in range(len(score))
        for j in range(len(score))
        if stage[i] < stage[j]
    )


@pytest.mark.parametrize("score", [[3, 1, 4, 1.5, 5, 9, 2], [1, 1, 2, 2, 2, 3, 4]])
def test_moments_are_those_of_all_orders(score: Any) -> None:
    stage = [0, 0, 1, 1, 1, 2, 2]
    result = jonckheere_terpstra(score, stage)
    every_order = [brute_force_j(order, stage) for order in permutations(score)]
    assert result.statistic == brute_force_j(score, stage)
    assert result.mean == pytest.approx(np.mean(every_order))
    assert result.variance == pytest.approx(np.var(every_order))


def test_two_groups_are_the_mann_whitney_test() -> None:
    rng = np.random.default_rng(0)
    score, stage = rng.integers(0, 9, 40), np.repeat([0, 1], [15, 25])
    expected = mannwhitneyu(
        score[stage == 1], score[stage == 0], alternative="greater", method="asymptotic", use_continuity=False
    )
    result = jonckheere_terpstra(score, stage)
    assert result.statistic == expected.statistic
    assert result.p == pytest.approx(expected.pvalue)


def test_rising_scores_have_small_p_and_falling_ones_large() -> None:
    stage = np.repeat([1, 2, 3], 10)
    assert jonckheere_terpstra(np.arange(30), stage).p < 1e-6
    assert jonckheere_terpstra(-np.arange(30), stage).p > 1 - 1e-6


def test_column_spearman_agrees_with_scipy_and_is_zero_where_constant() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (30, 3)).astype(float), rng.integers(0, 3, (30, 3)).astype(float)
    a[:, 2] = 1.0
    expected = [spearmanr(a[:, i], b[:, i]).statistic for i in range(2)]
    assert spearman_columns(a, b) == pytest.approx([*expected, 0.0])
