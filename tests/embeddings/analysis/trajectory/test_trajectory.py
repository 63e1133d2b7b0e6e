from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from embeddings.analysis import pseudotime, stage_gradient
from embeddings.analysis.resampling import permutation_p, permuted_labels
from embeddings.analysis.trajectory.diffusion import DisconnectedGraphError, diffusion_map
from embeddings.analysis.trajectory.roots import medoids
from embeddings.analysis.trajectory.trajectory import null_rho
from flexict.errors import FlexiCTError

QUICK: dict[str, Any] = {"n_permutations": 49, "n_resamples": 4}


def curve(n: int, *, noise: float = 0.02, d: int = 30, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    along = rng.uniform(size=n)
    shape = np.column_stack([np.cos(3 * along), np.sin(3 * along), np.sin(6 * along)])
    return shape @ rng.normal(size=(3, d)) + noise * rng.normal(size=(n, d)), along


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
    assert medoids(X, groups).tolist() == [1, 4]


def test_a_course_that_follows_stage_is_told_from_chance() -> None:
    X, along = curve(120, noise=0.2)
    stage = np.digitize(along + 0.1 * np.random.default_rng(1).normal(size=120), [0.25, 0.5, 0.75])
    found = pseudotime(X, stage, n_permutations=99, n_resamples=5)
    assert found.rho > 0.85
    assert found.rho_low < found.rho < found.rho_high
    assert found.p_permutation == pytest.approx(0.01)
    assert found.stability.subsamples > 0.95
    assert found.stability.roots > 0.9


def shapeless(seed: int) -> tuple[Any, Any]:
    """Forty cases without an order in few dimensions, and a stage that has nothing to do with them."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(40, 2)) @ rng.normal(size=(2, 10)) + 0.3 * rng.normal(size=(40, 10)), rng.integers(0, 3, 40)


def test_p_is_uniform_although_the_root_is_chosen_by_stage() -> None:
    results = [pseudotime(*shapeless(seed), n_permutations=39, n_resamples=1, seed=seed) for seed in range(60)]
    for name in ("p_permutation", "pc1_p_permutation", "supervised_p_permutation"):
        p = np.array([getattr(one, name) for one in results])
        assert abs(p.mean() - 0.5) < 0.13, name
        assert np.mean(p <= 0.1) < 0.2, name


def test_a_null_that_keeps_the_root_would_find_order_where_there_is_none() -> None:
    anew, kept = [], []
    for seed in range(60):
        X, stage = shapeless(seed)
        found = pseudotime(X, stage, n_permutations=39, n_resamples=1, seed=seed)
        centred = X - X.mean(axis=0)
        diffusion = diffusion_map(centred, n_neighbours=15, n_components=10)
        permuted = permuted_labels(stage, np.arange(40), n_permutations=39, seed=seed)
        anew.append(permutation_p(found.rho, null_rho(centred, diffusion, permuted, None)))
        kept.append(permutation_p(found.rho, null_rho(centred, diffusion, permuted, found.root)))
        assert anew[-1] == found.p_permutation
    assert np.mean(kept) < 0.4 < np.mean(anew)


def test_the_supervised_axis_is_that_of_the_stage_gradient() -> None:
    rng = np.random.default_rng(0)
    stage, patient = np.arange(80) % 4, np.arange(80) // 2
    X = 3 * rng.normal(size=(80, 3)) @ rng.normal(size=(3, 20)) + rng.normal(size=(80, 20))
    X += np.outer(stage, rng.normal(size=20))
    found = pseudotime(X, stage, patient=patient, n_permutations=99, n_resamples=2, seed=4)
    axis = stage_gradient(X, stage, patient=patient, n_permutations=99, n_bootstrap=1000, seed=4)
    assert found.supervised == pytest.approx(axis.score)
    assert found.supervised_rho == pytest.approx(axis.rho)
    assert found.supervised_p_permutation == axis.p_permutation
    assert found.supervised_low < found.supervised_rho < found.supervised_high
    # Nuisance of greater variance hides the stage from what knows no stage.
    assert found.supervised_rho > found.pc1_rho + 0.3


def test_too_few_patients_for_a_supervised_axis_leave_it_undefined() -> None:
    X, along = curve(36)
    found = pseudotime(X, np.digitize(along, [0.5]), patient=np.arange(36) % 9, **QUICK)
    assert np.isnan([found.supervised_rho, found.supervised_low, found.supervised_p_permutation]).all()
    assert found.rho > 0.5


@pytest.mark.parametrize("d", [2, 20])
def test_a_shapeless_cloud_is_warned_of(d: Any) -> None:
    rng = np.random.default_rng(0)
    found = pseudotime(rng.normal(size=(150, d)), rng.integers(0, 4, 150), **QUICK)
    assert found.stability.roots < 0.8
    assert any("do not read it as a course of disease" in one for one in found.warnings)
    assert any("not shown to follow stage beyond chance" in one for one in found.warnings)


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
        ({"n_neighbours": 30}, "of 30 cases can use 2 to 29 neighbours, not 30"),
        ({"X": np.repeat(np.eye(10), 3, axis=0)}, "at least 20 different vectors, but the 30 cases hold 10"),
        ({"X": np.ones((30, 3))}, "at least 20 different vectors, but the 30 cases hold 1"),
        (
            {"X": curve(30)[0][np.arange(30) % 24], "n_neighbours": 24},
            "of 30 cases with 24 different vectors can use 2 to 23 neighbours",
        ),
    ],
)
def test_what_is_missing_is_said(change: Any, sentence: Any) -> None:
    given = {"X": curve(30)[0], "stage": np.arange(30) % 3} | change
    with pytest.raises(FlexiCTError, match=sentence):
        pseudotime(given.pop("X"), given.pop("stage"), **given, **QUICK)
