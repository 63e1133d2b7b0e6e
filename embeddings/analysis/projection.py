"""A map of the embedding in two dimensions, with its trustworthiness."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

from . import progress
from .checks import checked_vectors
from .retrieval.retrieval import unit_rows
from .serialise import plain
from .trajectory.neighbour_graph import exact_neighbours

ANALYSIS = "map"
MIN_CASES = 5
TRUST_SAMPLE = 3000
MANY_CASES = 20_000


@dataclass(frozen=True)
class Projection:
    """Coordinates [n, 2] and the settings they came from.

    `trustworthiness` (0..1) is the share of neighbourhoods in the map that are neighbourhoods in the
    embedding (Venna and Kaski 2001). `explained_variance` [2] is given for PCA only. `notes` tells what was
    changed.
    """

    coordinates: NDArray[np.float64]
    method: str
    metric: str
    n: int
    n_neighbours: int
    min_dist: float | None
    seed: int
    trustworthiness: float
    explained_variance: tuple[float, float] | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


def project(
    X: ArrayLike, *, method: str = "umap", n_neighbours: int = 15, min_dist: float = 0.1, seed: int = 0
) -> Projection:
    """Lay out X [n, d] in two dimensions, by `method` "umap" (cosine) or "pca" (Euclidean, centred).

    UMAP (McInnes, Healy and Melville 2018) gets an exact neighbour graph and starts from the first two
    principal components, scaled (Kobak and Linderman 2021, Nat Biotechnol 39:156), which keeps the
    large-scale layout and makes a seed repeatable on one machine, though not across machines: store the
    coordinates.

    Raises FlexiCTError on NaN vectors, fewer than 5 cases, an unknown method or settings out of range.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> stage = np.repeat([0, 1, 2], 20)
        >>> X = rng.normal(size=(60, 8))
        >>> X[:, 0] += 2.0 * stage
        >>> found = project(X, method="pca")
        >>> found.coordinates.shape
        (60, 2)
    """
    vectors = checked_vectors(X, ANALYSIS, at_least=MIN_CASES)
    n = len(vectors)
    if method not in ("umap", "pca"):
        raise FlexiCTError(f"The {ANALYSIS} is made by 'umap' or 'pca', not by '{method}'.")
    if n_neighbours < 2 or not 0.0 <= min_dist <= 1.0:
        raise FlexiCTError(f"The {ANALYSIS} needs at least 2 neighbours and a minimal distance from 0 to 1.")
    notes = []
    used = min(n_neighbours, n - 1)
    if used < n_neighbours:
        notes.append(f"Neighbours were reduced from {n_neighbours} to {used}, as there are {n} cases.")

    progress.report(0, 10, "finding the principal components")
    coordinates, explained = _principal_components(vectors)
    if method == "umap":
        rows = unit_rows(vectors)
        progress.report(1, 10, "finding the neighbours of every case")
        coordinates = _umap(rows, coordinates, n_neighbours=used, min_dist=min_dist, seed=seed)
        progress.report(9, 10, "comparing neighbours in the map and in the embedding")
        trust, sampled = _trustworthiness(rows, coordinates, used, seed)
    else:
        progress.report(9, 10, "comparing neighbours in the map and in the embedding")
        trust, sampled = _trustworthiness(vectors, coordinates, used, seed)
    if sampled:
        notes.append(f"Trustworthiness was computed on {TRUST_SAMPLE} cases drawn at random.")
    return Projection(
        coordinates=coordinates,
        method=method,
        metric="cosine" if method == "umap" else "euclidean",
        n=n,
        n_neighbours=used,
        min_dist=min_dist if method == "umap" else None,
        seed=seed,
        trustworthiness=trust,
        explained_variance=explained if method == "pca" else None,
        notes=tuple(notes),
    )


def _principal_components(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Scores [n, 2] on the first two components, each turned so that its largest score is positive."""
    centred = vectors - vectors.mean(axis=0)
    if len(vectors) > MANY_CASES:
        # Of many cases the products of the columns are small, and their first two directions as good.
        squares, directions = np.linalg.eigh(centred.T @ centred)
        singular = np.sqrt(np.maximum(squares[::-1], 0.0))
        first = centred @ directions[:, ::-1][:, :2]
    else:
        left, singular, _ = np.linalg.svd(centred, full_matrices=False)
        first = left[:, :2] * singular[:2]
    if singular[0] <= 1e-12 * max(1.0, float(np.abs(vectors).max())):
        raise FlexiCTError(f"The {ANALYSIS} needs vectors that differ, but all {len(vectors)} are the same.")
    scores = np.zeros((len(vectors), 2))
    columns = min(2, len(singular))
    scores[:, :columns] = first[:, :columns]
    largest = np.abs(scores).argmax(axis=0)
    scores *= np.where(scores[largest, [0, 1]] < 0, -1.0, 1.0)
    share = np.zeros(2)
    share[:columns] = singular[:columns] ** 2 / (singular**2).sum()
    return scores, (float(share[0]), float(share[1]))


def _umap(
    unit: NDArray[np.float64], start: NDArray[np.float64], *, n_neighbours: int, min_dist: float, seed: int
) -> NDArray[np.float64]:
    import umap  # slow to import, and needed on one page only

    index, distance = exact_neighbours(unit, n_neighbours - 1)
    progress.report(3, 10, "laying out the map")
    # umap-learn counts a row as its own first neighbour; on unit rows cosine distance is half the squared
    # one.
    index = np.column_stack([np.arange(len(unit)), index]).astype(np.int32)
    distance = np.column_stack([np.zeros(len(unit)), distance**2 / 2.0]).astype(np.float32)
    rng = np.random.default_rng(seed)
    init = 10.0 * start / np.abs(start).max() + rng.normal(scale=1e-4, size=start.shape)
    model = umap.UMAP(
        n_neighbors=n_neighbours,
        min_dist=min_dist,
        metric="cosine",
        init=init.astype(np.float32),
        random_state=seed,
        n_jobs=1,
        precomputed_knn=(index, distance),
    )
    with warnings.catch_warnings():
        # The graph is not meant for placing new cases later, which is what this warning is about.
        warnings.filterwarnings("ignore", message="precomputed_knn")
        return np.asarray(model.fit_transform(unit.astype(np.float32)), dtype=np.float64)


def _trustworthiness(
    rows: NDArray[np.float64], coordinates: NDArray[np.float64], n_neighbours: int, seed: int
) -> tuple[float, bool]:
    from sklearn.manifold import trustworthiness

    sampled = len(rows) > TRUST_SAMPLE
    if sampled:
        chosen = np.random.default_rng(seed).choice(len(rows), TRUST_SAMPLE, replace=False)
        rows, coordinates = rows[chosen], coordinates[chosen]
    # The measure is defined for fewer neighbours than half the cases.
    k = max(1, min(n_neighbours, (len(rows) - 1) // 2))
    return float(trustworthiness(rows, coordinates, n_neighbors=k)), sampled
