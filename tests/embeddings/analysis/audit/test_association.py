from __future__ import annotations

import numpy as np
import pytest
from scipy.stats.contingency import association
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from embeddings.analysis.audit.association import (
    areas_under_curve,
    concordance,
    correlation_ratio,
    cramers_v,
)
from embeddings.analysis.resampling import bootstrap_weights
from embeddings.analysis.trend import concordance_columns


def test_cramers_v_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    category = rng.integers(0, 3, 80)
    stages = np.stack([rng.permutation(np.minimum(category, 1) + rng.integers(0, 2, 80)) for _ in range(4)])
    found = cramers_v(np.eye(3)[category], stages.astype(float))
    for value, stage in zip(found, stages, strict=True):
        table = np.array([[((category == c) & (stage == s)).sum() for s in np.unique(stage)] for c in range(3)])
        assert value == pytest.approx(association(table, method="cramer"))


def test_eta_is_the_root_of_the_variance_explained_by_stage() -> None:
    rng = np.random.default_rng(0)
    stage = rng.integers(0, 4, 60)
    number = stage + rng.normal(size=60)
    member = np.eye(4)[stage]
    explained = LinearRegression().fit(member, number).score(member, number)
    assert correlation_ratio(number, stage[None].astype(float))[0] == pytest.approx(np.sqrt(explained))


def test_concordance_of_two_stages_is_the_area_under_the_curve_in_every_resample() -> None:
    rng = np.random.default_rng(0)
    stage = rng.integers(0, 2, 50).astype(float)
    score = np.round(stage + rng.normal(size=50), 1)
    weights = bootstrap_weights(np.arange(50), n_resamples=5)
    for value, row in zip(concordance(score, stage, weights), weights.astype(int), strict=True):
        cases = np.repeat(np.arange(50), row)
        assert value == pytest.approx(roc_auc_score(stage[cases], score[cases]))


def test_concordance_of_three_stages_counts_pairs_of_different_stage() -> None:
    score, stage = np.array([1.0, 2.0, 2.0, 0.0]), np.array([0.0, 1.0, 2.0, 2.0])
    # Pairs (low, high): (0,1) won, (0,2) won, (0,3) lost, (1,2) tied, (1,3) lost.
    assert concordance(score, stage, np.ones((1, 4)))[0] == pytest.approx(2.5 / 5)


def test_areas_column_by_column() -> None:
    rng = np.random.default_rng(0)
    member = (rng.random((40, 3)) < 0.4).astype(float)
    score = np.round(member + rng.normal(size=(40, 3)), 1)
    expected = [roc_auc_score(member[:, i], score[:, i]) for i in range(3)]
    assert areas_under_curve(score, member) == pytest.approx(expected)


def test_concordance_of_columns_is_that_of_each() -> None:
    rng = np.random.default_rng(0)
    stage = rng.integers(0, 3, (30, 4)).astype(float)
    score = np.round(stage + rng.normal(size=(30, 4)))
    each = [concordance(score[:, i], stage[:, i], np.ones((1, 30)))[0] for i in range(4)]
    assert concordance_columns(score, stage) == pytest.approx(each)
