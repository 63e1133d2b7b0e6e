"""Orders whose truth is known: curves, forks, clouds, copies; and the parts that recover them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from embeddings.analysis import pseudotime
from embeddings.analysis.trajectory.diffusion import diffusion_map
from embeddings.analysis.trajectory.neighbour_graph import distinct_rows, exact_neighbours
from embeddings.analysis.trajectory.spread import MAX_OF_LINES, spread

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


@pytest.mark.parametrize("n", [60, 300, 5000])
def test_the_order_along_a_curve_is_recovered(n: Any) -> None:
    X, along = curve(n)
    found = pseudotime(X, root=int(along.argmin()), n_resamples=1)
    assert spearmanr(found.pseudotime, along).statistic >= 0.98
    assert found.pseudotime[found.root] == 0
    assert found.pseudotime.max() == 1
    assert not found.warnings


@pytest.mark.parametrize("n", [300, 5000])
def test_the_order_along_each_arm_of_a_fork_is_recovered(n: Any) -> None:
    X, along, arm = fork(n)
    found = pseudotime(X, root=int(along.argmin()), n_resamples=1)
    for one in range(3):
        assert spearmanr(found.pseudotime[arm == one], along[arm == one]).statistic >= 0.98
    assert spearmanr(found.pseudotime, along).statistic >= 0.98
    # The fork bends away from every straight line.
    assert abs(spearmanr(found.pc1[arm > 0], along[arm > 0]).statistic) < 0.95


@pytest.mark.parametrize(("noise", "least"), [(0.1, 0.98), (0.3, 0.93)])
def test_the_order_of_a_noisy_curve_survives(noise: Any, least: Any) -> None:
    X, along = curve(300, noise=noise)
    found = pseudotime(X, root=int(along.argmin()), **QUICK)
    assert spearmanr(found.pseudotime, along).statistic >= least
    assert found.stability.subsamples > 0.9
    assert found.stability.neighbours > 0.9
    assert found.stability.roots > 0.9


def cloud(n: int, d: int, *, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.mark.parametrize("d", [2, 3, 5, 20, 100])
@pytest.mark.parametrize("n", [60, 400])
def test_a_shapeless_cloud_is_warned_of_even_without_a_stage(n: Any, d: Any) -> None:
    for seed in range(3):
        found = pseudotime(cloud(n, d, seed=seed), root=seed, n_resamples=1)
        assert any("The cases spread to all sides" in one for one in found.warnings)


def test_spread_tells_lines_from_clouds_at_any_scale() -> None:
    along = np.linspace(0, 1, 200)[:, None]
    # A quarter of a line from a case within it is found at n/8 to both sides: twice as far finds twice as many.
    assert spread(along * np.ones((1, 3)), n_neighbours=5) == pytest.approx(1, abs=0.1)
    for seed in range(5):
        assert spread(fork(150, seed=seed)[0], n_neighbours=15) < MAX_OF_LINES
        assert spread(curve(150, noise=0.3, seed=seed)[0], n_neighbours=15) < MAX_OF_LINES
        square = np.random.default_rng(seed).uniform(size=(150, 2))
        assert MAX_OF_LINES < spread(square, n_neighbours=15) == pytest.approx(spread(1e4 * square, n_neighbours=15))


def test_constant_columns_change_nothing() -> None:
    X, along = curve(60)
    root = int(along.argmin())
    plain = pseudotime(X, root=root, **QUICK)
    wider = pseudotime(np.column_stack([X, np.full(60, 7.5), np.zeros(60)]), root=root, **QUICK)
    assert wider.pseudotime == pytest.approx(plain.pseudotime, abs=1e-8)


def test_copies_share_a_place_and_are_pointed_out() -> None:
    X, along = curve(60)
    root = int(along.argmin())
    # More copies than neighbours: as cases of their own they would be a part that nothing joins.
    doubled = np.vstack([X, np.repeat(X[[5]], 20, axis=0)])
    plain, found = pseudotime(X, root=root, **QUICK), pseudotime(doubled, root=root, **QUICK)
    assert found.n_copies == 20
    assert found.pseudotime[:60] == pytest.approx(plain.pseudotime, abs=1e-8)
    assert found.pseudotime[60:] == pytest.approx(found.pseudotime[5])
    assert any("20 of 80 cases have exactly the vector" in one for one in found.warnings)


def test_distinct_rows_are_numbered_by_their_first() -> None:
    first, group_of = distinct_rows(np.array([[0.0, 1.0], [2.0, 2.0], [-0.0, 1.0], [3.0, 1.0]]))
    assert first.tolist() == [0, 1, 3]
    assert group_of.tolist() == [0, 1, 0, 2]


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
