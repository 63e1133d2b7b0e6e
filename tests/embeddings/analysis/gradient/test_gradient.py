from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from benchmarks.plain_gradient import PlainAxes
from embeddings.analysis import Gram, stage_gradient
from embeddings.analysis.gradient.adjustment import log_size_spline, size_bins, size_design
from embeddings.analysis.gradient.crossfit import fold_plan, out_of_fold_smoother, ridge_strength
from embeddings.analysis.gram import standardised
from embeddings.analysis.resampling import bootstrap_weights, permuted_given, permuted_labels
from flexict.errors import FlexiCTError

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


def test_the_tests_of_the_axis_are_one_family_adjusted_by_holm(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=60, d=100, follows="nothing")
    found = stage_gradient(X, stage, size=size, **QUICK)
    tests = [found, found.residual, found.size_matched, found.lda, found.lda_residual]
    assert [one.n_tests for one in tests] == [5] * 5
    p = sorted((one.p_permutation, number) for number, one in enumerate(tests))
    largest = 0.0
    for rank, (raw, number) in enumerate(p):
        largest = max(largest, min(1.0, raw * (5 - rank)))
        assert tests[number].p_adjusted == pytest.approx(largest)
    plain = stage_gradient(X, stage, **QUICK)
    assert (plain.n_tests, plain.lda.n_tests) == (2, 2)
    assert plain.p_permutation == found.p_permutation
    assert found.to_dict()["p_adjusted"] == found.p_adjusted


def test_noise_looks_like_a_gradient_only_in_sample(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=60, d=200, follows="nothing")
    found = stage_gradient(X, stage, **QUICK)
    assert found.rho_in_sample > 0.6
    assert abs(found.rho) < 0.3
    assert found.p_permutation > 0.05


def test_p_is_uniform_on_noise_plain_residual_and_size_matched(simulate: Callable[..., Any]) -> None:
    p = []
    for seed in range(100):
        X, stage, size = simulate(n=40, d=30, follows="nothing", seed=seed)
        found = stage_gradient(X, stage, size=size, n_permutations=39, n_bootstrap=2, seed=seed)
        assert found.residual is not None
        assert found.size_matched is not None
        assert found.lda_residual is not None
        parts = (found, found.residual, found.size_matched, found.lda, found.lda_residual)
        p.append([found.trend_p_permutation, *(part.p_permutation for part in parts)])
    # Three standard errors in 100 cohorts are 0.087 of the mean and 0.09 of a share of 10 %.
    assert np.abs(np.mean(p, axis=0) - 0.5).max() < 0.09
    assert np.mean(np.array(p) <= 0.1, axis=0).max() <= 0.19


def test_p_is_uniform_where_only_size_grows_with_stage_within_patients() -> None:
    """Two scans a patient; size and stage grow between them, and the vectors hold nothing but size."""
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(25), 2)
        log_size = rng.normal(size=25)[patient] + np.tile([0.0, 0.7], 25) + 0.3 * rng.normal(size=50)
        stage = np.digitize(log_size + 0.5 * rng.normal(size=50), [-0.3, 0.8])
        X = rng.normal(size=(50, 30)) + np.outer(log_size, rng.normal(size=30))
        found = stage_gradient(
            X, stage, patient=patient, size=np.exp(log_size), n_permutations=39, n_bootstrap=2, seed=seed
        )
        assert [one for one in found.warnings if "takes the first scan of each of the 25 patients" in one]
        assert found.residual is not None
        assert found.size_matched is not None
        assert found.size_matched.n == found.size_matched.n_patients == 25
        p.append([found.residual.p_permutation, found.size_matched.p_permutation])
    # Three standard errors of a share of 10 % in 60 cohorts are 11.6 %.
    assert np.mean(np.array(p) <= 0.1, axis=0).max() < 0.215


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
    gram, patient = Gram.of(X, "test"), np.repeat(np.arange(20), 2)
    S = out_of_fold_smoother(lambda train: gram, patient, n_folds=5, n_repeats=3, seed=0)
    same_patient = patient[:, None] == patient[None, :]
    assert np.all(S[same_patient] == 0)
    assert np.abs(S[~same_patient]).max() > 0


@pytest.mark.parametrize("stages", [2, 4])
@pytest.mark.parametrize(("n", "d"), [(50, 90), (60, 12)])
@pytest.mark.parametrize("adjusted", [False, True])
def test_both_axes_are_those_of_scikit_learn_under_every_permutation(
    simulate: Callable[..., Any], n: int, d: int, stages: int, adjusted: bool
) -> None:
    X, stage, size = simulate(n=n, d=d)
    stage = np.minimum(stage, stages - 1).astype(float)
    patient = np.arange(n) // 2
    stage = stage[2 * patient]
    # Ids are numbered in the order of their spelling, here that of `patient`.
    ids = [f"{one:03}" for one in patient]
    found = stage_gradient(X, stage, patient=ids, size=size, n_permutations=4, n_bootstrap=2, seed=3)
    plain = PlainAxes.of(X, fold_plan(patient, n_folds=5, n_repeats=10, seed=3), size if adjusted else None)
    penalty, ridge = plain.penalties()
    evidence = found.residual if adjusted else found
    discriminant = found.lda_residual if adjusted else found.lda
    assert evidence is not None
    assert discriminant is not None
    assert np.abs(evidence.score - plain.ridge(stage, penalty)).max() < 1e-8
    assert np.abs(discriminant.score - plain.discriminant(stage, ridge)).max() < 1e-8
    if adjusted:
        design = size_design(np.arange(n), size=size, covariates=None, n=n)
        permuted = permuted_given(stage, design, patient, n_permutations=4, seed=3)
    else:
        permuted = permuted_labels(stage, patient, n_permutations=4, seed=3)
    for row, labels in enumerate(permuted):
        assert evidence.null[row] == pytest.approx(spearmanr(plain.ridge(labels, penalty), labels).statistic, abs=1e-8)
        expected = spearmanr(plain.discriminant(labels, ridge), labels).statistic
        assert discriminant.null[row] == pytest.approx(expected, abs=1e-8)


def test_the_interval_is_of_spearman_in_every_resample(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=40)
    patient = np.arange(40) // 2
    stage = stage[2 * patient]
    ids = [f"{one:03}" for one in patient]
    found = stage_gradient(X, stage, patient=ids, n_permutations=2, n_bootstrap=30, seed=1)
    draws = []
    for weights in bootstrap_weights(patient, n_resamples=30, seed=1).astype(int):
        cases = np.repeat(np.arange(40), weights)
        draws.append(spearmanr(found.score[cases], stage[cases]).statistic)
    assert (found.rho_low, found.rho_high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))


def test_a_gram_matrix_gives_what_its_vectors_give(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=40)
    from_vectors = stage_gradient(X, stage, size=size, **QUICK)
    from_gram = stage_gradient(Gram.of(X, "test"), stage, size=size, **QUICK)
    assert json.dumps(from_vectors.to_dict()) == json.dumps(from_gram.to_dict())


def test_the_second_discriminant_sets_the_middle_apart() -> None:
    rng = np.random.default_rng(0)
    stage = np.repeat([0.0, 1.0, 2.0], 30)
    X = rng.normal(size=(90, 20))
    X[:, 0] += 3 * stage
    X[:, 1] += 4 * (stage == 1)
    across = stage_gradient(X, stage, **QUICK).discriminants
    assert across.shape == (90, 2)
    assert spearmanr(across[:, 0], stage).statistic > 0.8
    # The quadratic contrast is negative in the middle.
    assert roc_auc_score(stage == 1, -across[:, 1]) > 0.95
    assert stage_gradient(X, np.minimum(stage, 1), **QUICK).discriminants.shape == (90, 1)


def test_ridge_strength_meets_its_degrees_of_freedom() -> None:
    values = np.geomspace(1e-3, 1e3, 40)
    strength = ridge_strength(values, 13.0)
    assert (values / (values + strength)).sum() == pytest.approx(13.0)


def test_regressing_out_in_the_gram_matrix_is_regressing_out_of_the_vectors(simulate: Callable[..., Any]) -> None:
    X, _, size = simulate(n=60, d=10, follows="size")
    age = np.random.default_rng(0).normal(size=(60, 1))
    train = np.arange(45)
    design = size_design(train, size=size, covariates=age, n=60)
    rows = standardised(X)
    left = rows - LinearRegression().fit(design[train], rows[train]).predict(design)
    assert np.abs(Gram.of(X, "test").without(design, train).products - left @ left.T).max() < 1e-8
    centred = left - left[train].mean(axis=0)
    assert np.abs(Gram(left @ left.T, 10).centred(train) - centred @ centred[train].T).max() < 1e-8


def test_vectors_that_are_only_size_leave_nothing_behind() -> None:
    rng = np.random.default_rng(0)
    size = np.exp(rng.normal(size=60))
    X = np.log(size)[:, None] * rng.normal(size=(1, 8))
    found = stage_gradient(X, (size > np.median(size)).astype(int), size=size, **QUICK)
    assert found.p_permutation == pytest.approx(1 / 100)
    assert found.residual is not None
    assert np.all(found.residual.score == 0)
    assert found.residual.p_permutation == 1


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


def test_size_that_fixes_the_stage_leaves_nothing_to_match(simulate: Callable[..., Any]) -> None:
    X, _, _ = simulate(n=30)
    found = stage_gradient(X, np.repeat([0, 1], 15), size=np.arange(1, 31), **QUICK)
    assert found.size_matched is None
    assert found.residual is not None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"X": np.full((20, 3), np.nan)}, "NaN or infinity"),
        ({"X": np.ones((19, 3)), "stage": [0] * 10 + [1] * 9}, "at least 20 cases"),
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
        ({"X": np.ones((20, 3))}, "all 20 cases are equal"),
    ],
)
def test_what_is_missing_is_said(change: Any, sentence: Any) -> None:
    rng = np.random.default_rng(0)
    given = {"X": rng.normal(size=(20, 3)), "stage": np.arange(20) % 3} | change
    with pytest.raises(FlexiCTError, match=sentence):
        stage_gradient(given.pop("X"), given.pop("stage"), **given, **QUICK)


def test_a_stage_of_one_patient_is_named(simulate: Callable[..., Any]) -> None:
    X, _, _ = simulate(n=30)
    found = stage_gradient(X, [0] * 15 + [1] * 14 + [2], **QUICK)
    assert [one for one in found.warnings if "Stage 2 has a single patient" in one]
    assert not stage_gradient(X, [0] * 15 + [1] * 15, **QUICK).warnings


def test_the_null_stays_out_of_the_file_but_its_quantile(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=40)
    found = stage_gradient(X, stage, size=size, **QUICK)
    written = found.to_dict()
    for part in (written, written["residual"], written["lda"], written["lda_residual"], written["size_matched"]):
        assert "null" not in part
    assert written["null_95"] == pytest.approx(np.quantile(found.null, 0.95))
    assert found.null.shape == (99,)


def test_dead_columns_and_other_units_change_nothing(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=40, d=20)
    dead = np.column_stack([X * np.geomspace(1e-9, 1e9, 20), np.full((40, 30), 123456789.123), np.zeros((40, 30))])
    as_it_was, found = (stage_gradient(one, stage, size=size, **QUICK) for one in (X, dead))
    assert found.rho == pytest.approx(as_it_was.rho)
    assert found.score == pytest.approx(as_it_was.score)
    assert found.lda.score == pytest.approx(as_it_was.lda.score)


def test_covariates_that_say_the_same_are_one(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=60)
    age = np.random.default_rng(0).normal(60, 8, 60)
    once = stage_gradient(X, stage, size=size, covariates=age, **QUICK)
    twice = stage_gradient(X, stage, size=size, covariates=np.column_stack([age, 2020 - age]), **QUICK)
    assert once.residual is not None
    assert twice.residual is not None
    assert twice.residual.score == pytest.approx(once.residual.score, abs=1e-6)
    assert twice.residual.p_permutation == pytest.approx(once.residual.p_permutation, abs=0.03)


@pytest.mark.parametrize("n", [40, 60, 61])
def test_covariates_that_fix_the_stage_leave_no_axis_and_the_rest_stands(simulate: Callable[..., Any], n: int) -> None:
    X, stage, size = simulate(n=n)
    found = stage_gradient(X, stage, size=size, covariates=np.eye(4)[stage][:, 1:], **QUICK)
    assert found.residual is None
    assert found.lda_residual is None
    assert [one for one in found.warnings if "determine the stage" in one]
    assert found.p_permutation < 0.05


def test_as_many_covariates_as_patients_leave_no_axis(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=40)
    found = stage_gradient(X, stage, covariates=np.random.default_rng(0).normal(size=(40, 35)), **QUICK)
    assert found.residual is None
    assert "too little is left for a reliable axis" in found.warnings[0]


def test_equal_sizes_are_matched_the_same_way_in_any_order_of_the_rows(simulate: Callable[..., Any]) -> None:
    X, stage, size = simulate(n=60)
    ids = np.array([f"p{i:02}" for i in range(60)])
    rounded = np.round(np.log(size)) + 5.0
    order = np.argsort(stage, kind="stable")
    one = stage_gradient(X, stage, patient=ids, size=rounded, **QUICK).size_matched
    other = stage_gradient(X[order], stage[order], patient=ids[order], size=rounded[order], **QUICK).size_matched
    assert one is not None
    assert other is not None
    assert other.rho == pytest.approx(one.rho)


def test_more_scans_of_higher_stages_do_not_hide_the_trend() -> None:
    rng = np.random.default_rng(0)
    p = []
    for _ in range(10):
        of_patient = rng.integers(0, 3, 24)
        patient = np.repeat(np.arange(24), 1 + 2 * of_patient)
        stage = of_patient[patient]
        X = rng.normal(size=(len(patient), 20))
        X[:, :6] += 1.2 * stage[:, None]
        p.append(stage_gradient(X, stage, patient=patient, **QUICK).trend_p_permutation)
    assert max(p) <= 0.05


def test_draws_that_cannot_be_are_refused_and_none_is_no_answer(simulate: Callable[..., Any]) -> None:
    X, stage, _ = simulate(n=30)
    assert np.isnan(stage_gradient(X, stage, n_permutations=0, n_bootstrap=2).p_permutation)
    for change, sentence in (({"seed": -1}, "seed of 0"), ({"n_permutations": -1}, "at least 0 permutations")):
        with pytest.raises(FlexiCTError, match=sentence):
            stage_gradient(X, stage, **(QUICK | change))
    for wrong, sentence in (
        ({"size": np.ones((30, 2))}, "one number of tumour size"),
        ({"covariates": np.ones((30, 0))}, "columns"),
    ):
        with pytest.raises(FlexiCTError, match=sentence):
            stage_gradient(X, stage, **wrong, **QUICK)
