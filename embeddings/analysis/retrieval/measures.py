"""Recall@k, Precision@k and average precision of ordered answers, and what each answer contributes to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def measures(hits: NDArray[np.bool_], k: Sequence[int]) -> NDArray[np.float64]:
    """Recall at every k, precision at every k, then average precision: `[q, 2 len(k) + 1]`.

    hits: `[q, n]`, whether the answer at each place, best first, carries the label of the query.
    """
    relevant = hits.sum(axis=1)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.column_stack(
        [
            *(hits[:, :depth].any(axis=1) for depth in k),
            *(hits[:, :depth].mean(axis=1) for depth in k),
            (precision * hits).sum(axis=1) / np.maximum(relevant, 1),
        ]
    )


def without_each(
    hits: NDArray[np.bool_], order: NDArray[np.intp], gallery: NDArray[np.intp], k: Sequence[int]
) -> NDArray[np.float64]:
    """How much the sums of the measures over the queries change when each case leaves the gallery, `[n, 2
    len(k) + 1]`.

    hits, order: `[q, n]`, the answers best first, as labels that match and as cases; each query has its
    first `gallery` [q] of them. Of average precision it is exact for one case at a time. When one of the first
    k leaves, the answer that moves up counts as a match with the share of matches among the first k: with the
    answer itself, whose label is a matter of chance, the changes would vary twice as much as they should.
    """
    n = hits.shape[1]
    changes = np.zeros((n, 2 * len(k) + 1))
    for column, depth in enumerate(k):
        top = hits[:, :depth].astype(np.float64)
        following = top.mean()
        left = top.sum(axis=1, keepdims=True) - top
        found = np.where(left > 0, 1.0, following) - top.any(axis=1, keepdims=True)
        share = (following - top) / depth
        cases = order[:, :depth].ravel()
        changes[:, column] = np.bincount(cases, found.ravel(), minlength=n)
        changes[:, len(k) + column] = np.bincount(cases, share.ravel(), minlength=n)
    changes[:, -1] = np.bincount(order.ravel(), _average_precision_without(hits, gallery).ravel(), minlength=n)
    return changes


def _average_precision_without(hits: NDArray[np.bool_], gallery: NDArray[np.intp]) -> NDArray[np.float64]:
    """The change of each query's average precision when the answer at each place leaves, `[q, n]`."""
    place = np.arange(1, hits.shape[1] + 1)
    so_far = np.cumsum(hits, axis=1)
    relevant = so_far[:, -1:]
    above = np.where(hits, so_far / place, 0.0)
    # Relevant answers below the one that leaves move up a place, and a relevant one takes itself from their count.
    below_other = np.where(hits, so_far / np.maximum(place - 1, 1), 0.0)
    below_relevant = np.where(hits, (so_far - 1) / np.maximum(place - 1, 1), 0.0)
    before = np.cumsum(above, axis=1) - above
    whole = above.sum(axis=1, keepdims=True) / np.maximum(relevant, 1)

    def after(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values.sum(axis=1, keepdims=True) - np.cumsum(values, axis=1)

    left = np.where(
        hits,
        (before + after(below_relevant)) / np.maximum(relevant - 1, 1),
        (before + after(below_other)) / np.maximum(relevant, 1),
    )
    return np.where((place <= gallery[:, None]) & (relevant > 0), left - whole, 0.0)
