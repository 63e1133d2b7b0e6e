"""Are the same cases similar in two embedding sets?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from flexict.errors import FlexiCTError

from ..resampling import percentile_interval
from ..retrieval.retrieval import unit_rows
from .paired import pairs_of

QUERIES_AT_ONCE = 512


@dataclass(frozen=True)
class PairOverlap:
    """The share of the k nearest cases of other patients that two sets have in common.

    value: mean Jaccard index over the cases (0 none shared, 1 all), with its 95 % patient bootstrap interval, in
    which patients are resampled as queries and as candidates. chance: what k cases drawn at random twice share.
    by_case: [n], of each case.
    """

    first: str
    second: str
    k: int
    value: float
    low: float
    high: float
    chance: float
    by_case: NDArray[np.float64]

    def least_alike(self, count: int) -> NDArray[np.intp]:
        """The cases (positions in `by_case`) on which the sets agree least, worst first; of equals the earlier."""
        return np.argsort(self.by_case, kind="stable")[:count]


def nearest_others(vectors: NDArray[np.float64], patient: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """The k cases most similar to each case [n, k] by cosine, most similar first, among those of other patients.

    vectors: [n, d]. Of equally similar cases the earlier comes first. Raises FlexiCTError on an all-zero vector, and
    where some case has fewer than k candidates.
    """
    smallest = smallest_gallery(patient)
    if k > smallest:
        raise FlexiCTError(f"Some case has {smallest} cases of other patients: {k} nearest cannot be taken.")
    unit = unit_rows(vectors)
    found = np.empty((len(unit), k), dtype=np.intp)
    for rows in np.array_split(np.arange(len(unit)), -(-len(unit) // QUERIES_AT_ONCE)):
        # Rounded, so that ties stay ties when a set is rotated.
        alike = (unit[rows] @ unit.T).round(12)
        alike[patient[rows][:, None] == patient] = -np.inf
        found[rows] = np.argsort(-alike, axis=1, kind="stable")[:, :k]
    return found


def smallest_gallery(patient: NDArray[np.intp]) -> int:
    """How many cases of other patients every case has at least."""
    return int(len(patient) - np.bincount(patient).max())


def chance_overlap(gallery: NDArray[np.intp], k: int) -> NDArray[np.float64]:
    """The expected Jaccard index of two independent draws of k from each gallery of G cases.

    They share i with the hypergeometric probability C(k, i) C(G - k, k - i) / C(G, k); the index is i / (2k - i).
    """
    shared = np.arange(k + 1)
    index = shared / (2 * k - shared)
    return np.array([(hypergeom.pmf(shared, one, k, k) * index).sum() for one in gallery])


def overlaps(
    names: Sequence[str],
    tables: Sequence[NDArray[np.float64]],
    patient: NDArray[np.intp],
    k: Sequence[int],
    weights: NDArray[np.float64],
) -> tuple[PairOverlap, ...]:
    """The overlap of every pair of sets at every k; weights: [m, n] of a patient bootstrap.

    Raises FlexiCTError on k below 1, or one that leaves no candidate out.
    """
    smallest = smallest_gallery(patient)
    if not k or min(k) < 1 or max(k) >= smallest:
        raise FlexiCTError(f"Neighbourhoods can be of 1 to {smallest - 1} cases here, not of k = {list(k)}.")
    nearest = [nearest_others(table, patient, max(k) + 1) for table in tables]
    gallery = len(patient) - np.bincount(patient)[patient]
    sizes, of_size = np.unique(gallery, return_inverse=True)
    found = []
    for depth in k:
        chance = float(chance_overlap(sizes, depth)[of_size].mean())
        for a, b in pairs_of(names):
            index, without = _overlap(nearest[a], nearest[b], depth)
            drawn = weights @ index / weights.sum(axis=1) - (weights - 1.0) @ without
            # A pair that agrees wholly stays so in every resample.
            low, high = percentile_interval(np.clip(drawn.round(12), 0.0, 1.0))
            found.append(PairOverlap(names[a], names[b], depth, float(index.mean()), low, high, chance, index))
    return tuple(found)


def _overlap(
    first: NDArray[np.intp], second: NDArray[np.intp], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The Jaccard index [n] of the k first of two orders [n, > k], and what their mean gains when a case leaves, [n].

    When a case leaves, the next in each order that held it moves up: exact for one case at a time.
    """
    n = len(first)
    index, gained = np.empty(n), np.zeros(n)
    for rows in np.array_split(np.arange(n), -(-n // QUERIES_AT_ONCE)):
        one, other = first[rows, :k], second[rows, :k]
        next_one, next_other = first[rows, k], second[rows, k]
        in_one, in_other = _members(one, n), _members(other, n)
        shared = (in_one & in_other).sum(axis=1)
        at = np.arange(len(rows))
        up_one, up_other = in_other[at, next_one].astype(int), in_one[at, next_other].astype(int)
        up_both = up_one + up_other + (next_one == next_other)
        here = shared / (2 * k - shared)
        index[rows] = here
        for order, elsewhere, up, counts_both in ((one, in_other, up_one, True), (other, in_one, up_other, False)):
            both = np.take_along_axis(elsewhere, order, axis=1)
            left = np.where(both, (shared - 1 + up_both)[:, None], (shared + up)[:, None])
            change = left / (2 * k - left) - here[:, None]
            # A case in both orders leaves once.
            kept = np.where(both, counts_both, True)
            gained += np.bincount(order.ravel(), (change * kept).ravel(), minlength=n)
    return index, gained / n


def _members(order: NDArray[np.intp], n: int) -> NDArray[np.bool_]:
    member = np.zeros((len(order), n), dtype=bool)
    np.put_along_axis(member, order, True, axis=1)
    return member
