"""One order of the answers from several sets of vectors, by reciprocal rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fused_order(
    similarities: Sequence[NDArray[np.float64]], allowed: NDArray[np.bool_], *, fusion_k: float = 60.0
) -> NDArray[np.intp]:
    """For each query the candidates, best first, `[q, n]`; those not allowed come last.

    similarities: one `[q, n]` a set, higher is more similar. The score of a candidate is the sum over sets of
    1 / (fusion_k + rank), its rank counted from 0 among the allowed candidates of the query (Cormack, Clarke
    and Büttcher 2009, SIGIR, 758, with ranks from 0). Candidates of equal score, which two sets that disagree
    often make, go by their summed similarity, then by row. One set keeps its own order.
    """
    total = np.where(allowed, np.sum(similarities, axis=0), -np.inf)
    if len(similarities) == 1:
        return np.argsort(-total, axis=1, kind="stable")
    score = np.zeros(allowed.shape)
    for similarity in similarities:
        score += 1.0 / (fusion_k + ranks(np.where(allowed, similarity, -np.inf)))
    # Rounded, since sums of the same ranks in another order of the sets differ in the last digit.
    score = np.where(allowed, score.round(14), -np.inf)
    return np.lexsort((-total, -score), axis=1)


def ranks(similarity: NDArray[np.float64]) -> NDArray[np.intp]:
    """The rank of every candidate `[q, n]` from 0 for the most similar; of equals the earlier row is first."""
    order = np.argsort(-similarity, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    return rank
