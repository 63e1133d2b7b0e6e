"""Do the cases lie along lines, or spread in all directions?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from .neighbour_graph import distinct_rows, exact_neighbours

MAX_STARTS = 30
# Simulated: at most 1.15 along curves and forks of 60 to 400 cases, at least 1.34 in discs, squares and balls.
MAX_OF_LINES = 1.25


def spread(rows: NDArray[np.float64], *, n_neighbours: int, seed: int = 0) -> float:
    """How the number of cases grows with the distance along the neighbour graph of `rows` [n, d].

    log2 of how many times more cases lie within twice the distance that holds a quarter of them, the median
    over at most 30 cases to start from: 1 or less along lines and forks, where twice as far finds twice as
    many, 1.4 to 2 in clouds that spread to all sides. The distance from a start is defined in both, and in
    clouds of few dimensions even stable; only along lines is it a course.
    """
    distinct = rows[distinct_rows(rows)[0]]
    n = len(distinct)
    index, distance = exact_neighbours(distinct, n_neighbours)
    source = np.repeat(np.arange(n), n_neighbours)
    graph = sparse.csr_matrix((distance.ravel(), (source, index.ravel())), shape=(n, n))
    starts = np.random.default_rng(seed).permutation(n)[:MAX_STARTS]
    away = np.sort(dijkstra(graph.maximum(graph.T), indices=starts), axis=1)
    quarter = away[:, [n // 4]]
    return float(np.median(np.log2((away <= 2.0 * quarter).sum(axis=1) / (away <= quarter).sum(axis=1))))
