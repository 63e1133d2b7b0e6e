from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge

from embeddings.analysis import stage_gradient
from embeddings.analysis.adjustment import log_size_spline, residual_rows, size_bins
from embeddings.analysis.crossfit import (
    fold_plan,
    out_of_fold_smoother,
    ridge_smoother,
    ridge_strength,
    standardised,
)

QUICK: dict[str, Any] = {"n_permutations": 99, "n_bootstrap": 50}


def test_a_gradient_that_is_there_is_found(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate()
    found = stage_gradient(X, stage, size=size, n_permutations=199, n_bootstrap=200)
    assert found.rho > 0.7
    assert found.rho_low < found.rho < found.rho_high
    assert found.p_permutation == pytest.approx(1 / 200)
    assert found.trend_p_permutation == pytest.approx(1 / 200)
    assert found.rho_in_sample > found.rho
    assert found.residual is not None
    assert found.size_matched is not None
    assert found.residual.p_permutation < 0.02
    assert found.size_matched.p_permutation < 0.02
    assert found.rho == pytest.approx(spearmanr(found.score, stage).statistic)
    medians = [group.median for group in found.groups]
    assert medians == sorted(medians)


def test_noise_looks_like_a_gradient_only_in_sample(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=60, d=200, follows="nothing")
    found = stage_gradient(X, stage, **QUICK)
    assert found.rho_in_sample > 0.6
    assert abs(found.rho) < 0.3
    assert found.p_permutation > 0.05


def test_p_is_uniform_on_noise_plain_residual_and_size_matched(simulate: Callable[..., Any]) -> None:
    p = []
    for seed in range(60):
        X, stage, size = simulate(n=40, d=30, follows="nothing", seed=seed)
        found = stage_gradient(X, stage, size=size, n_permutations=39, n_bootstrap=2, seed=seed)
        assert found.residual is not None
        assert found.size_matched is not None
        p.append([found.p_permutation, found.residual.p_permutation, found.size_matched.p_permutation])
    assert np.abs(np.mean(p, axis=0) - 0.5).max() < 0.15
    assert np.mean(np.array(p) <= 0.1, axis=0).max() < 0.22


def test_a_gradient_that_is_only_size_vanishes_at_like_size(simulate: Callable[..., Any]) -> None:
    plain, residual, matched = [], [], []
    for seed in range(8):
        X, stage, size = simulate(follows="size", seed=seed)
        found = stage_gradient(X, stage, size=size, **QUICK)
        plain.append(found.p_permutation)
        assert found.residual is not None
        assert found.size_matched is not None
        residual.append(found.residual.p_permutation)
        matched.append(found.size_matched.p_permutation)
    assert max(plain) <= 0.02
    assert np.median(residual) > 0.1
    assert np.median(matched) > 0.1


def test_scores_change_only_for_cases_that_saw_the_changed_label(simulate: Callable[..., Any]) -> None:
    X, _, _ = simulate(n=40, d=20)
    patient = np.repeat(np.arange(20), 2)
    S = out_of_fold_smoother(lambda train: standardised(X, train), patient, n_folds=5, n_repeats=3, seed=0)
    same_patient = patient[:, None] == patient[None, :]
    assert np.all(S[same_patient] == 0)
    assert np.abs(S[~same_patient]).max() > 0


def test_the_smoother_is_ridge_regression_fitted_by_scikit_learn(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=50, d=80)
    train, test = next(fold_plan(np.arange(50), n_folds=5, n_repeats=1, seed=0))
    rows = standardised(X, train)
    penalty = ridge_strength(np.linalg.eigvalsh(rows[train] @ rows[train].T), len(train) / 3)
    expected = Ridge(alpha=penalty).fit(rows[train], stage[train]).predict(rows[test]) - stage[train].mean()
    assert ridge_smoother(rows, train, test) @ stage[train] == pytest.approx(expected)


def test_ridge_strength_meets_its_degrees_of_freedom() -> None:
    values = np.geomspace(1e-3, 1e3, 40)
    strength = ridge_strength(values, 13.0)
    assert (values / (values + strength)).sum() == pytest.approx(13.0)


def test_standardisation_and_residuals_ignore_test_rows(simulate: Callable[..., Any]) -> None:
    X, _, size = simulate(n=40, d=10)
    train = np.arange(30)
    altered = X.copy()
    altered[35] *= 100
    for rows in (
        lambda table: standardised(table, train),
        lambda table: residual_rows(table, train, size=size, covariates=None),
    ):
        before, after = rows(X), rows(altered)
        assert np.array_equal(np.delete(before, 35, axis=0), np.delete(after, 35, axis=0))


def test_residuals_are_uncorrelated_with_size_and_covariates_in_training(
    simulate: Callable[..., Any],
) -> None:
    X, _, size = simulate(n=60, d=10, follows="size")
    age = np.random.default_rng(0).normal(size=(60, 1))
    train = np.arange(45)
    rows = residual_rows(X, train, size=size, covariates=age)[train]
    design = np.column_stack([log_size_spline(size, train), age])[train]
    assert np.abs(np.corrcoef(rows.T, design.T)[:10, 10:]).max() < 1e-8


def test_the_size_spline_is_straight_beyond_its_outer_knots() -> None:
    size = np.exp(np.linspace(-3, 3, 100))
    spline = log_size_spline(size, np.arange(30, 70))
    assert np.abs(np.diff(spline[:28], n=2, axis=0)).max() < 1e-9
    assert np.abs(np.diff(spline[72:], n=2, axis=0)).max() < 1e-9


def test_size_bins_hold_patients_of_neighbouring_size() -> None:
    rng = np.random.default_rng(0)
    size, patient = np.exp(rng.normal(size=40)), np.arange(40)
    bins = size_bins(size, patient, per_bin=3)
    assert np.all(np.diff(bins[np.argsort(size)]) >= 0)
    assert set(np.bincount(bins)) <= {3, 4}


def test_scans_of_one_patient_do_not_make_certainty(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=30, d=20, follows="nothing", seed=4)
    once = stage_gradient(X, stage, **QUICK)
    rng = np.random.default_rng(0)
    copies = np.vstack([X + 0.01 * rng.normal(size=X.shape) for _ in range(4)])
    many = stage_gradient(copies, np.tile(stage, 4), patient=np.tile(np.arange(30), 4), **QUICK)
    assert many.n_patients == 30
    assert many.p_permutation > 0.05
    assert many.rho_high - many.rho_low == pytest.approx(once.rho_high - once.rho_low, rel=0.35)


def test_the_same_seed_gives_the_same_result_and_it_is_json(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=40)
    first, second = (stage_gradient(X, stage, size=size, seed=5, **QUICK).to_dict() for _ in range(2))
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)
    for part in (first, first["residual"], first["size_matched"]):
        assert {
            "rho",
            "rho_low",
            "rho_high",
            "p_permutation",
            "rho_in_sample",
            "n",
            "n_patients",
            "seed",
        } <= set(part)


def test_a_thousand_permutations_take_seconds(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=141, d=288)
    begin = time.process_time()
    stage_gradient(X, stage, size=size)
    assert time.process_time() - begin < 10


def test_size_that_fixes_the_stage_leaves_nothing_to_match(simulate: Callable[..., Any]) -> None:
    X, _, _ = simulate(n=30)
    found = stage_gradient(X, np.repeat([0, 1], 15), size=np.arange(1, 31), **QUICK)
    assert found.size_matched is None
    assert found.residual is not None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"X": np.full((20, 3), np.nan)}, "NaN or infinity"),
        ({"X": np.ones((4, 3)), "stage": [0, 1, 0, 1]}, "at least 10 cases"),
        ({"X": np.ones(20)}, "one vector a case"),
        ({"stage": np.zeros(20)}, "at least two different values of stage"),
        ({"stage": [np.nan, *range(19)]}, "1 of 20 cases has none"),
        ({"stage": [0, 1]}, "2 values of stage"),
        ({"stage": ["T1"] * 20}, "ordered numbers"),
        ({"patient": [0] * 10 + [1] * 10}, "at least 10 patients"),
        ({"patient": [None, *map(str, range(19))]}, "needs a patient for every case"),
        ({"size": np.arange(20)}, "above 0"),
        ({"size": [np.nan, *range(1, 20)]}, "tumour size of every case"),
        ({"covariates": [["a"]] * 20}, "0/1 columns"),
        ({"X": np.ones((20, 3))}, "all equal"),
    ],
)
def test_what_is_missing_is_said(change: Any, sentence: Any) -> None:
    rng = np.random.default_rng(0)
    given = {"X": rng.normal(size=(20, 3)), "stage": np.arange(20) % 3} | change
    with pytest.raises(ValueError, match=sentence):
        stage_gradient(given.pop("X"), given.pop("stage"), **given, **QUICK)
