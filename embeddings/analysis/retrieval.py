"""Which cases are alike, and do like cases share a label?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from .checks import checked_vectors, patient_numbers
from .resampling import bootstrap_weights, percentile_interval
from .serialise import plain

ANALYSIS = "search for alike cases"


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of a query, most alike first, with their cosine similarity (-1..1)."""

    query_index: int
    index: NDArray[np.intp]
    similarity: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


@dataclass(frozen=True)
class RetrievalAtK:
    """Recall and precision of the k nearest, with 95 % patient bootstrap intervals and chance levels."""

    k: int
    recall: float
    recall_low: float
    recall_high: float
    recall_chance: float
    precision: float
    precision_low: float
    precision_high: float
    precision_chance: float


@dataclass(frozen=True)
class Retrieval:
    """Result of `evaluate`. `n_without_match` queries have no case of their label among other patients."""

    at_k: tuple[RetrievalAtK, ...]
    n: int
    n_patients: int
    n_without_match: int
    n_bootstrap: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


def nearest(X: ArrayLike, query_index: int, *, k: int, exclude_patient: ArrayLike | None = None) -> Neighbours:
    """The k rows of X [n, d] most alike to row `query_index` by cosine, exactly, without the row itself.

    exclude_patient: [n] patient ids; rows of the query's patient are then left out. Fewer than k rows come
    back when there are no more. Of equally alike rows the earlier comes first.

    Raises ValueError on NaN or all-zero vectors, a query outside the rows, k below 1, or no row to compare
    with.
    """
    vectors = checked_vectors(X, ANALYSIS, at_least=2)
    n = len(vectors)
    if not 0 <= query_index < n:
        raise ValueError(f"The {ANALYSIS} has {n} rows, and row {query_index} is not one of them.")
    if k < 1:
        raise ValueError(f"The {ANALYSIS} needs to return at least 1 neighbour, not {k}.")
    patients = patient_numbers(exclude_patient, ANALYSIS, n=n)
    unit = unit_rows(vectors)
    similarity = np.clip(unit @ unit[query_index], -1.0, 1.0)
    allowed = np.flatnonzero((np.arange(n) != query_index) & (patients != patients[query_index]))
    if not allowed.size:
        raise ValueError(f"The {ANALYSIS} finds no case of another patient to compare with.")
    best = allowed[np.argsort(-similarity[allowed], kind="stable")[:k]]
    return Neighbours(query_index=int(query_index), index=best, similarity=similarity[best])


def evaluate(
    X: ArrayLike,
    label: ArrayLike,
    *,
    patient: ArrayLike | None = None,
    k: Sequence[int] = (1, 3, 5),
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Retrieval:
    """Do the nearest cases of other patients carry the same label?

    Leave-one-patient-out: every case of X [n, d] is a query once and searches the cases of all other
    patients, by cosine. This is not the split into halves, gallery and queries, of some papers: it has no
    split to choose and a larger gallery, so figures are not comparable with theirs. Recall@k is the share
    of queries with at least one case of the same label among the k nearest, Precision@k the mean share of
    such cases. With m of the G gallery cases carrying the query's label, chance is 1 - C(G-m, k) / C(G, k)
    and m / G. Queries without any match (m = 0) count as failures. Intervals resample patients with their
    queries, the gallery kept.

    Raises ValueError on NaN or all-zero vectors, a single label, missing labels, fewer than 5 patients, or
    a k larger than the smallest gallery.
    """
    vectors = checked_vectors(X, ANALYSIS, at_least=5)
    n = len(vectors)
    labels = np.asarray(label, dtype=object)
    if labels.shape != (n,) or any(one is None or one != one for one in labels):
        raise ValueError(f"The {ANALYSIS} needs one label for each of the {n} cases.")
    number = np.unique(labels.astype(str), return_inverse=True)[1]
    if number.max() == 0:
        raise ValueError(f"The {ANALYSIS} needs at least two different labels, but all cases share one.")
    patients = patient_numbers(patient, ANALYSIS, n=n)
    n_patients = int(patients.max()) + 1
    if n_patients < 5:
        raise ValueError(f"The {ANALYSIS} needs at least 5 patients, but there are {n_patients}.")
    gallery = n - np.bincount(patients)[patients]
    if min(k) < 1 or max(k) > gallery.min():
        raise ValueError(f"The {ANALYSIS} can look at 1 to {gallery.min()} nearest cases, not at k = {list(k)}.")

    unit = unit_rows(vectors)
    same = number[:, None] == number[None, :]
    own = patients[:, None] == patients[None, :]
    similarity = np.where(own, -np.inf, unit @ unit.T)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, : max(k)]
    hits = np.take_along_axis(same, order, axis=1)
    relevant = (same & ~own).sum(axis=1)
    weights = bootstrap_weights(patients, n_resamples=n_bootstrap, seed=seed)
    weights /= weights.sum(axis=1, keepdims=True)

    at_k = []
    for depth in k:
        found = hits[:, :depth].any(axis=1).astype(np.float64)
        share = hits[:, :depth].mean(axis=1)
        recall_low, recall_high = percentile_interval(weights @ found)
        precision_low, precision_high = percentile_interval(weights @ share)
        at_k.append(
            RetrievalAtK(
                k=int(depth),
                recall=float(found.mean()),
                recall_low=recall_low,
                recall_high=recall_high,
                recall_chance=float((1.0 - _no_match(gallery, relevant, depth)).mean()),
                precision=float(share.mean()),
                precision_low=precision_low,
                precision_high=precision_high,
                precision_chance=float((relevant / gallery).mean()),
            )
        )
    return Retrieval(
        at_k=tuple(at_k),
        n=n,
        n_patients=n_patients,
        n_without_match=int((relevant == 0).sum()),
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def unit_rows(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows scaled to length 1; ValueError where a row is all zero and so has no direction."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (length == 0).any():
        raise ValueError(
            f"Cosine similarity needs vectors that are not all zero, but {(length == 0).sum()} of "
            f"{len(vectors)} are; embed those cases again or leave them out."
        )
    return vectors / length


def _no_match(gallery: NDArray[np.intp], relevant: NDArray[np.intp], k: int) -> NDArray[np.float64]:
    """C(G - m, k) / C(G, k): the chance that k cases drawn at once hold none of the m relevant."""
    others = gallery - relevant
    possible = others >= k
    rest = np.where(possible, others, k)
    log_ratio = gammaln(rest + 1) - gammaln(rest - k + 1) - gammaln(gallery + 1) + gammaln(gallery - k + 1)
    return np.where(possible, np.exp(log_ratio), 0.0)
