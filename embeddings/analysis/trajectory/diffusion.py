"""Diffusion maps on a neighbour graph, and distances along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh

from flexict.errors import FlexiCTError

from .neighbour_graph import distinct_rows, exact_neighbours


class DisconnectedGraphError(FlexiCTError):
    """The neighbour graph falls into parts between which no distance is defined."""


@dataclass(frozen=True)
class DiffusionMap:
    """Eigenvalues [c] below 1 of the transition matrix, descending, and its right eigenvectors [n, c]."""

    eigenvalues: NDArray[np.float64]
    components: NDArray[np.float64]

    def distances_from(self, root: int) -> NDArray[np.float64]:
        """Diffusion pseudotime distance [n] of every case from case `root`.

        dpt(x, root)^2 = sum_i (l_i / (1 - l_i))^2 (psi_i(x) - psi_i(root))^2 over all eigenvalues below 1:
        the weight sums random walks of every length (Haghverdi et al. 2016, Nat Methods 13:845, eq. 4).
        """
        weighted = self.components * (self.eigenvalues / (1.0 - self.eigenvalues))
        return np.sqrt(((weighted - weighted[root]) ** 2).sum(axis=1))


def diffusion_map(rows: NDArray[np.float64], *, n_neighbours: int, n_components: int) -> DiffusionMap:
    """The diffusion map of `rows` [n, d] on their symmetric k-nearest-neighbour graph.

    Kernel with a width for each case, its distance to the k-th neighbour, and division by the density at both
    ends (Haghverdi et al. 2016, supplement; Coifman and Lafon 2006 with alpha = 1). Copies of a row count
    once and share its place: more of them than neighbours would otherwise be a part of their own.

    Raises DisconnectedGraphError (a ValueError) naming the sizes of the parts, and ValueError where there are
    no more different rows than neighbours.
    """
    first, group_of = distinct_rows(rows)
    if n_neighbours >= len(first):
        raise FlexiCTError(
            f"A graph of {n_neighbours} neighbours needs more than that many different vectors, but there are "
            f"{len(first)}."
        )
    found = _diffusion_map(rows[first], n_neighbours=n_neighbours, n_components=n_components)
    return DiffusionMap(found.eigenvalues, found.components[group_of])


def _diffusion_map(rows: NDArray[np.float64], *, n_neighbours: int, n_components: int) -> DiffusionMap:
    n = len(rows)
    index, distance = exact_neighbours(rows, n_neighbours)
    # All but equal rows have a distance that rounds to 0: a floor keeps their kernel defined.
    width = np.maximum(distance[:, -1], 1e-12 + 1e-6 * float(np.median(distance[:, -1])))
    source = np.repeat(np.arange(n), n_neighbours)
    target = index.ravel()
    together = width[source] ** 2 + width[target] ** 2
    kernel = np.sqrt(2.0 * width[source] * width[target] / together) * np.exp(-(distance.ravel() ** 2) / together)
    affinity = sparse.csr_matrix((kernel, (source, target)), shape=(n, n))
    affinity = affinity.maximum(affinity.T).tocsr()

    n_parts, part = connected_components(affinity, directed=False)
    if n_parts > 1:
        sizes = sorted(np.bincount(part).tolist(), reverse=True)
        listed = ", ".join(map(str, sizes[:6])) + (", ..." if n_parts > 6 else "")
        raise DisconnectedGraphError(
            f"The pseudotime needs one connected neighbour graph, but with {n_neighbours} neighbours "
            f"the {n} cases fall into {n_parts} parts of {listed} cases; take more neighbours or analyse the "
            "parts one by one."
        )
    inverse_density = sparse.diags(1.0 / np.asarray(affinity.sum(axis=1)).ravel())
    affinity = inverse_density @ affinity @ inverse_density
    degree = np.asarray(affinity.sum(axis=1)).ravel()
    scale = sparse.diags(1.0 / np.sqrt(degree))
    symmetric = scale @ affinity @ scale

    wanted = min(n_components + 1, n - 1)
    if n <= 400 or wanted >= n // 2:
        values, vectors = np.linalg.eigh(symmetric.toarray())
        values, vectors = values[-wanted:], vectors[:, -wanted:]
    else:
        start = np.random.default_rng(0).normal(size=n)
        values, vectors = eigsh(symmetric, k=wanted, which="LA", v0=start)
    order = np.argsort(values)[::-1][1:]
    # Rounding can lift an eigenvalue of a long thin graph to 1, where the weight has no value.
    eigenvalues = np.minimum(values[order], 1.0 - 1e-12)
    return DiffusionMap(eigenvalues, vectors[:, order] / np.sqrt(degree)[:, None])
