from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from embeddings.analysis import project
from flexict.errors import FlexiCTError


def clusters(n: int = 60, d: int = 20) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    label = np.arange(n) % 3
    return rng.normal(size=(n, d)) + 5 * rng.normal(size=(3, d))[label], label


def test_umap_keeps_clusters_apart_and_repeats_with_its_seed() -> None:
    X, label = clusters()
    found = project(X, seed=4)
    centres = np.stack([found.coordinates[label == one].mean(axis=0) for one in range(3)])
    nearest_centre = np.linalg.norm(found.coordinates[:, None] - centres, axis=2).argmin(axis=1)
    assert np.array_equal(nearest_centre, label)
    assert np.array_equal(found.coordinates, project(X, seed=4).coordinates)
    assert found.trustworthiness == pytest.approx(
        trustworthiness(X, found.coordinates, n_neighbors=15, metric="cosine")
    )
    assert not found.notes


def test_umap_looks_at_direction_only() -> None:
    X, _ = clusters()
    lengths = np.random.default_rng(1).uniform(0.1, 10, size=(60, 1))
    # The layout starts from the principal components of X, so compare what cosine alone decides.
    assert project(X * lengths).trustworthiness > 0.9


@pytest.mark.parametrize("n", [5, 6, 12])
def test_few_cases_get_fewer_neighbours_and_are_told(n: Any) -> None:
    found = project(clusters(n)[0])
    assert found.coordinates.shape == (n, 2)
    assert np.isfinite(found.coordinates).all()
    assert found.n_neighbours == n - 1
    assert f"from 15 to {n - 1}" in found.notes[0]


def test_pca_agrees_with_scikit_learn_up_to_sign() -> None:
    X, _ = clusters()
    found = project(X, method="pca")
    expected = PCA(2).fit(X)
    assert np.abs(found.coordinates) == pytest.approx(np.abs(expected.transform(X)))
    assert found.explained_variance == pytest.approx(tuple(expected.explained_variance_ratio_))
    json.dumps(found.to_dict(), allow_nan=False)


def test_components_of_many_cases_agree_with_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embeddings.analysis.projection.MANY_CASES", 100)
    X = np.random.default_rng(3).normal(size=(400, 9)) * np.linspace(5, 1, 9) + 100
    expected = PCA(2).fit(X)
    found = project(X, method="pca")
    np.testing.assert_allclose(np.abs(found.coordinates), np.abs(expected.transform(X)), atol=1e-9)
    np.testing.assert_allclose(found.explained_variance, expected.explained_variance_ratio_, rtol=1e-9)
    one = project(X[:, :1], method="pca")
    assert (one.coordinates[:, 1] == 0).all()


def test_vectors_of_one_number_still_make_a_map() -> None:
    found = project(np.arange(1, 11.0)[:, None], method="pca")
    assert found.coordinates.shape == (10, 2)
    assert np.all(found.coordinates[:, 1] == 0)


@pytest.mark.parametrize(
    ("X", "settings", "sentence"),
    [
        (np.ones((4, 3)), {}, "at least 5 cases"),
        (np.full((9, 3), np.nan), {}, "NaN or infinity"),
        (np.ones((9, 3)), {}, "all 9 are the same"),
        (np.eye(9), {"method": "tsne"}, "'umap' or 'pca'"),
        (np.eye(9), {"n_neighbours": 1}, "at least 2 neighbours"),
        (np.vstack([np.zeros(9), np.eye(9)]), {}, "not all zero"),
    ],
)
def test_what_is_missing_is_said(X: Any, settings: Any, sentence: Any) -> None:
    with pytest.raises(FlexiCTError, match=sentence):
        project(X, **settings)
