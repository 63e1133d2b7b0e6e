from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from embeddings.analysis.resampling import (
    NothingToExchangeError,
    benjamini_hochberg,
    bootstrap_weights,
    grouped_folds,
    holm,
    percentile_interval,
    permutation_p,
    permuted_given,
    permuted_labels,
)
from flexict.errors import FlexiCTError

cohorts = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=20, max_size=80).filter(
    lambda rows: len({patient for patient, _ in rows}) >= 5
)


@given(rows=cohorts, seed=st.integers(0, 99), stratified=st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_patient_is_never_split_and_no_fold_is_empty(rows: Any, seed: Any, stratified: Any) -> None:
    patient, stage = map(np.array, zip(*rows, strict=True))
    fold = grouped_folds(patient, stage if stratified else None, n_folds=5, seed=seed)
    assert all(np.unique(fold[patient == one]).size == 1 for one in patient)
    assert set(fold) == set(range(5))


@given(rows=cohorts, seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_stratified_folds_share_out_patients_of_each_highest_stage(rows: Any, seed: Any) -> None:
    patient, stage = map(np.array, zip(*rows, strict=True))
    fold = grouped_folds(patient, stage, n_folds=5, seed=seed)
    patients = np.unique(patient)
    highest = np.array([stage[patient == one].max() for one in patients])
    fold_of = np.array([fold[patient == one][0] for one in patients])
    for level in np.unique(highest):
        per_fold = np.bincount(fold_of[highest == level], minlength=5)
        assert per_fold.max() - per_fold.min() <= 1


def test_folds_repeat_with_the_seed_and_change_with_another() -> None:
    patient = np.arange(60)
    assert np.array_equal(grouped_folds(patient, seed=3), grouped_folds(patient, seed=3))
    assert not np.array_equal(grouped_folds(patient, seed=3), grouped_folds(patient, seed=4))


def test_fewer_patients_than_folds_is_refused() -> None:
    with pytest.raises(FlexiCTError, match="there are 3"):
        grouped_folds([0, 0, 1, 1, 2], n_folds=5)


def test_bootstrap_draws_whole_patients_and_as_many_as_there_are() -> None:
    patient = np.array([0, 0, 0, 1, 2, 2, 3, 4])
    for weights in bootstrap_weights(patient, n_resamples=20, seed=1):
        per_patient = [set(weights[patient == one]) for one in range(5)]
        assert all(len(counts) == 1 for counts in per_patient)
        assert sum(counts.pop() for counts in per_patient) == 5


def test_scans_of_a_patient_carry_one_permuted_label() -> None:
    patient = np.repeat(np.arange(10), [1, 2, 3, 1, 2, 3, 1, 2, 3, 1])
    label = np.arange(10)[patient] % 4
    permuted = permuted_labels(label, patient, n_permutations=50, seed=0)
    per_patient = np.stack([permuted[:, np.flatnonzero(patient == one)[0]] for one in range(10)], axis=1)
    assert np.array_equal(permuted, per_patient[:, patient])
    assert np.array_equal(np.sort(per_patient, axis=1), np.tile(np.sort(np.arange(10) % 4), (50, 1)))
    assert len(np.unique(permuted, axis=0)) > 40


def test_changing_labels_move_as_a_series_between_patients_with_as_many_scans() -> None:
    patient = np.array([0, 0, 1, 1, 2, 2, 3])
    label = np.array([0, 1, 2, 3, 1, 1, 9])
    permuted = permuted_labels(label, patient, n_permutations=60, seed=0)
    assert {tuple(row) for row in permuted[:, :6].reshape(-1, 2)} == {(0, 1), (2, 3), (1, 1)}
    assert set(permuted[:, 6]) == {9}


def test_permutation_within_bins_keeps_the_labels_of_each_bin() -> None:
    bins = np.repeat([0, 1, 2], 4)
    label = np.arange(12) % 3
    permuted = permuted_labels(label, np.arange(12), n_permutations=30, within=bins)
    for one in range(3):
        assert np.array_equal(np.sort(permuted[:, bins == one], axis=1), np.tile(np.sort(label[bins == one]), (30, 1)))


def test_nothing_to_exchange_is_refused() -> None:
    with pytest.raises(NothingToExchangeError):
        permuted_labels([0, 0, 1, 1], np.arange(4), n_permutations=5, within=[0, 0, 1, 1])


def test_all_orders_of_three_labels_are_equally_likely() -> None:
    permuted = permuted_labels([0, 1, 2], np.arange(3), n_permutations=6000, seed=0)
    counts = np.unique(permuted, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert np.abs(counts - 1000).max() < 150


def test_permutation_p_counts_the_observed_and_is_never_zero() -> None:
    assert permutation_p(2.0, [0.0, 1.0, 2.0, 3.0]) == pytest.approx(3 / 5)
    assert permutation_p(9.0, np.zeros(99)) == pytest.approx(0.01)
    assert np.isnan(permutation_p(np.nan, np.zeros(99)))


def test_percentile_interval_leaves_undefined_resamples_out() -> None:
    low, high = percentile_interval([*np.linspace(0, 1, 1001), np.nan])
    assert (low, high) == pytest.approx((0.025, 0.975))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(deadline=None)
def test_benjamini_hochberg_agrees_with_scipy(p_values: Any) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(false_discovery_control(p_values))


@pytest.mark.parametrize(
    ("adjust", "expected"),
    [(benjamini_hochberg, [0.03, np.nan, 0.045, 0.045, np.nan]), (holm, [0.03, np.nan, 0.06, 0.06, np.nan])],
)
def test_an_undefined_p_stays_undefined_and_counts_as_no_test(adjust: Any, expected: list[float]) -> None:
    np.testing.assert_allclose(adjust([0.01, np.nan, 0.03, 0.045, np.nan]), expected)
    assert np.isnan(adjust([np.nan])).all()
    assert adjust([]).size == 0


def test_labels_permuted_given_a_design_go_with_it_as_the_true_ones_do() -> None:
    rng = np.random.default_rng(0)
    size = rng.normal(size=200)
    stage = np.digitize(0.8 * size + 0.6 * rng.normal(size=200), [-0.5, 0.5]).astype(float)
    design = np.column_stack([np.ones(200), size])
    kept = permuted_given(stage, design, np.arange(200), n_permutations=50)
    at_will = permuted_labels(stage, np.arange(200), n_permutations=50)
    true = np.corrcoef(size, stage)[0, 1]
    assert np.mean([np.corrcoef(size, one)[0, 1] for one in kept]) == pytest.approx(true, abs=0.08)
    assert abs(np.mean([np.corrcoef(size, one)[0, 1] for one in at_will])) < 0.05
    assert all(np.array_equal(np.sort(one), np.sort(stage)) for one in kept)
    # What size does not explain is exchanged: nothing of the true residual is left.
    residual = stage - np.poly1d(np.polyfit(size, stage, 1))(size)
    assert abs(np.mean([np.corrcoef(residual, one)[0, 1] for one in kept])) < 0.05


@pytest.mark.parametrize("constant", [True, False])
def test_labels_permuted_given_a_design_keep_patients_whole(constant: bool) -> None:
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(30), 2)
    stage = rng.integers(0, 3, 30)[patient].astype(float)
    if not constant:
        stage[0] = 3.0
    kept = permuted_given(stage, np.ones((60, 1)), patient, n_permutations=20)
    assert all(np.array_equal(np.sort(one), np.sort(stage)) for one in kept)
    if constant:
        assert np.array_equal(kept[:, ::2], kept[:, 1::2])
    assert np.unique(kept, axis=0).shape[0] > 15
