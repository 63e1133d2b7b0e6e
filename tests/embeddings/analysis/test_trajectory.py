from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from embeddings.analysis import pseudotime
from embeddings.analysis.diffusion import DisconnectedGraphError, diffusion_map
from embeddings.analysis.neighbour_graph import exact_neighbours
from embeddings.analysis.trajectory import _medoids

QUICK: dict[str, Any] = {"n_permutations": 49, "n_resamples": 4}


def curve(n: int, *, noise: float = 0.02, d: int = 30, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    along = rng.uniform(size=n)
    shape = np.column_stack([np.cos(3 * along), np.sin(3 * along), np.sin(6 * along)])
    return shape @ rng.normal(size=(3, d)) + noise * rng.normal(size=(n, d)), along


def fork(n: int, *, seed: int = 0) -> tuple[Any, Any, Any]:
    """Three arms from one centre; the distance from the tip of arm 0 along the fork, and the arm."""
    rng = np.random.default_rng(seed)
    arm, out = rng.integers(0, 3, n), rng.uniform(size=n)
    tips = np.array([[1.0, 0.0, 0.0], [-0.5, 0.9, 0.0], [-0.5, -0.9, 0.3]])
    X = (tips[arm] * out[:, None]) @ rng.normal(size=(3, 30)) + 0.02 * rng.normal(size=(n, 30))
    return X, np.where(arm == 0, 1 - out, 1 + out), arm


@pytest.mark.parametrize("n", [60, 300])
def test_the_order_along_a_curve_is_recovered(n: Any) -> None:
    X, along = curve(n)
    found = pseudotime(X, root=int(along.argmin()), **QUICK)
    assert spearmanr(found.pseudotime, along).statistic >= 0.98
    assert found.pseudotime[found.root] == 0
    assert found.pseudotime.max() == 1
    assert not found.warnings


@pytest.mark.parametrize("n", [300, 5000])
def test_the_order_along_each_arm_of_a_fork_is_recovered(n: Any) -> None:
    X, along, arm = fork(n)
    time = diffusion_map(X, n_neighbours=15, n_components=10).distances_from(int(along.argmin()))
    for one in range(3):
        assert spearmanr(time[arm == one], along[arm == one]).statistic >= 0.98


def test_sparse_and_dense_eigenvectors_agree_with_the_definition() -> None:
    X, _ = curve(450, noise=0.1)
    sparse_map = diffusion_map(X, n_neighbours=15, n_components=5)
    dense_map = diffusion_map(X[:390], n_neighbours=15, n_components=5)
    for found in (sparse_map, dense_map):
        assert np.all(np.diff(found.eigenvalues) <= 0)
        assert found.eigenvalues.max() < 1
        # Right eigenvectors of a transition matrix other than the constant one carry both signs.
        assert np.all(found.components.min(axis=0) * found.components.max(axis=0) < 0)
    n = 100
    ring = np.column_stack([np.cos(2 * np.pi * np.arange(n) / n), np.sin(2 * np.pi * np.arange(n) / n)])
    # With 2 neighbours on a ring the walk steps left or right: eigenvalues are cosines, in pairs.
    values = diffusion_map(ring, n_neighbours=2, n_components=4).eigenvalues
    expected = np.cos(2 * np.pi * np.array([1, 1, 2, 2]) / n)
    assert values == pytest.approx(expected)


def test_exact_neighbours_agree_with_a_sort_of_all_distances() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 4)) + 100
    index, distance = exact_neighbours(rows, 7, chunk=16)
    all_distances = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    np.fill_diagonal(all_distances, np.inf)
    assert np.array_equal(index, np.argsort(all_distances, axis=1)[:, :7])
    assert distance == pytest.approx(np.sort(all_distances, axis=1)[:, :7])


def test_parts_without_a_bridge_are_refused_with_their_sizes() -> None:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(30, 3)), rng.normal(size=(20, 3)) + 1000])
    with pytest.raises(DisconnectedGraphError, match=r"2 parts of 30, 20 cases; take more neighbours"):
        pseudotime(X, root=0, n_neighbours=5, **QUICK)


def test_the_root_is_the_medoid_of_the_lowest_stage() -> None:
    X, along = curve(80)
    stage = np.digitize(along, [0.3, 0.6]) + 2
    found = pseudotime(X, stage, **QUICK)
    lowest = np.flatnonzero(stage == 2)
    sums = [np.linalg.norm(X[lowest] - X[case], axis=1).sum() for case in lowest]
    assert found.root == lowest[int(np.argmin(sums))]
    assert found.root_rule == "medoid of the lowest stage"


def test_medoids_of_several_groups_are_found_at_once() -> None:
    X = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [20.0]])
    groups = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], dtype=bool)
    assert _medoids(X, groups).tolist() == [1, 4]


def test_a_course_that_follows_stage_is_told_from_chance() -> None:
    X, along = curve(120, noise=0.2)
    stage = np.digitize(along + 0.1 * np.random.default_rng(1).normal(size=120), [0.25, 0.5, 0.75])
    found = pseudotime(X, stage, n_permutations=99, n_resamples=5)
    assert found.rho > 0.85
    assert found.rho_low < found.rho < found.rho_high
    assert found.p_permutation == pytest.approx(0.01)
    assert found.stability.subsamples > 0.95
    assert found.stability.roots > 0.9


def test_p_is_uniform_although_the_root_is_chosen_by_stage() -> None:
    p = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 10)) + 0.3 * rng.normal(size=(40, 10))
        found = pseudotime(X, rng.integers(0, 3, 40), n_permutations=39, n_resamples=1, seed=seed)
        p.append(found.p_permutation)
    assert abs(np.mean(p) - 0.5) < 0.15
    assert np.mean(np.array(p) <= 0.1) < 0.22


@pytest.mark.parametrize("d", [2, 20])
def test_a_shapeless_cloud_is_warned_of(d: Any) -> None:
    rng = np.random.default_rng(0)
    found = pseudotime(rng.normal(size=(150, d)), rng.integers(0, 4, 150), **QUICK)
    assert found.stability.roots < 0.8
    assert any("do not read it as a course of disease" in one for one in found.warnings)
    assert any("no better than chance" in one for one in found.warnings)


def test_a_first_component_as_good_is_pointed_out() -> None:
    rng = np.random.default_rng(0)
    along = np.linspace(0, 1, 60)
    X = np.outer(along, np.ones(5)) + 0.005 * rng.normal(size=(60, 5))
    found = pseudotime(X, np.repeat([0, 1, 2], 20), root=10, n_neighbours=8, **QUICK)
    assert found.pc1_rho == pytest.approx(abs(spearmanr(along, np.repeat([0, 1, 2], 20)).statistic), abs=0.02)
    assert any("first principal component" in one for one in found.warnings)


def test_without_stage_there_is_an_order_and_no_claim() -> None:
    X, along = curve(60)
    found = pseudotime(X, root=int(along.argmin()), **QUICK).to_dict()
    assert found["rho"] is None
    assert found["p_permutation"] is None
    json.dumps(found, allow_nan=False)


def test_patients_stay_whole_and_the_seed_decides() -> None:
    X, along = curve(60, noise=0.1)
    stage, patient = np.digitize(along, [0.5]), np.repeat(np.arange(30), 2)
    first, second = (pseudotime(X, stage, patient=patient, seed=3, **QUICK) for _ in range(2))
    assert first.n_patients == 30
    assert first.to_dict() == second.to_dict()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"X": np.full((30, 3), np.nan)}, "NaN or infinity"),
        ({"X": np.ones((5, 3)), "stage": range(5)}, "at least 20 cases"),
        ({"stage": None}, "needs a stage to choose its start from"),
        ({"stage": np.ones(30)}, "all cases share one"),
        ({"root": 30}, "not one of them"),
        ({"n_neighbours": 30}, "can use 2 to 29 neighbours"),
    ],
)
def test_what_is_missing_is_said(change: Any, sentence: Any) -> None:
    given = {"X": curve(30)[0], "stage": np.arange(30) % 3} | change
    with pytest.raises(ValueError, match=sentence):
        pseudotime(given.pop("X"), given.pop("stage"), **given, **QUICK)
