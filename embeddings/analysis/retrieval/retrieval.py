"""Which cases are similar, and do similar cases share a label?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

from .. import progress
from ..checks import checked_vectors, patient_numbers
from ..display import Displayed
from ..resampling import bootstrap_weights, grouped_folds, percentile_interval
from ..serialise import plain
from .chance import average_precision, recall_at
from .measures import measures, without_each
from .rank_fusion import fused_order

ANALYSIS = "search for similar cases"
MIN_PATIENTS = 5
QUERIES_AT_ONCE = 512

Protocol = Literal["leave-patient-out", "halves"]
PROTOCOLS: tuple[Protocol, ...] = ("leave-patient-out", "halves")


@dataclass(frozen=True)
class Neighbours:
    """The nearest rows of a query, most similar first, with their cosine similarity (-1..1)."""

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
class Retrieval(Displayed):
    """Result of `evaluate`.

    mean_average_precision: mean over queries of the average precision over the whole gallery, with its 95 %
    patient bootstrap interval and the value of a random order. n_sets: tables of vectors that were fused.
    n_splits: random halves that the figures are means over (1 when every patient is left out in turn).
    n_without_match: cases whose label no other patient has.
    """

    at_k: tuple[RetrievalAtK, ...]
    mean_average_precision: float
    mean_average_precision_low: float
    mean_average_precision_high: float
    mean_average_precision_chance: float
    protocol: Protocol
    n_sets: int
    fusion_k: float
    n_splits: int
    n: int
    n_patients: int
    n_without_match: int
    n_bootstrap: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


def nearest(X: ArrayLike, query_index: int, *, k: int, exclude_patient: ArrayLike | None = None) -> Neighbours:
    """The k rows of X [n, d] most similar to row `query_index` by cosine, exactly, without the row itself.

    exclude_patient: [n] patient ids; rows of the query's patient are then left out. Fewer than k rows come
    back when there are no more. Of equally similar rows the earlier comes first.

    Raises FlexiCTError on NaN or all-zero vectors, a query outside the rows, k below 1, or no row to compare
    with.

    Example:
        >>> found = nearest([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], 0, k=2)
        >>> found.index.tolist()
        [1, 2]
    """
    vectors = checked_vectors(X, ANALYSIS, at_least=2)
    n = len(vectors)
    if not 0 <= query_index < n:
        raise FlexiCTError(f"The {ANALYSIS} has {n} rows, and row {query_index} is not one of them.")
    if k < 1:
        raise FlexiCTError(f"The {ANALYSIS} needs to return at least 1 neighbour, not {k}.")
    patients = patient_numbers(exclude_patient, ANALYSIS, n=n)
    unit = unit_rows(vectors)
    similarity = np.clip(unit @ unit[query_index], -1.0, 1.0)
    allowed = np.flatnonzero((np.arange(n) != query_index) & (patients != patients[query_index]))
    if not allowed.size:
        raise FlexiCTError(f"The {ANALYSIS} finds no case of another patient to compare with.")
    best = allowed[np.argsort(-similarity[allowed], kind="stable")[:k]]
    return Neighbours(query_index=int(query_index), index=best, similarity=similarity[best])


def evaluate(
    X: ArrayLike | Sequence[ArrayLike],
    label: ArrayLike,
    *,
    patient: ArrayLike | None = None,
    k: Sequence[int] = (1, 3, 5),
    protocol: Protocol = "leave-patient-out",
    n_splits: int = 20,
    fusion_k: float = 60.0,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Retrieval:
    """Do the nearest cases of other patients, by cosine, carry the same label?

    X: `[n, d]`, or a list of such tables of the same cases (two crop scales, two encoders), whose orders are
    fused by reciprocal rank: 1 / (fusion_k + rank), rank from 0. label: [n], text or codes.

    protocol:
    - "leave-patient-out": every case is a query once and searches the cases of all other patients.
    - "halves": patients are split in half, stratified by label (a patient counts with the highest of its
      labels); the cases of one half query those of the other. Figures are means over `n_splits` random
      splits. With half the gallery, values differ from those of the other protocol; compare with `chance`.

    Recall@k is the share of queries with at least one case of the same label among the k nearest,
    Precision@k the mean share of such cases, average precision the mean over a query's m matching cases of
    the precision at their rank. With G cases in the gallery, chance is 1 - C(G-m, k) / C(G, k), m / G, and
    the closed form in `chance.average_precision`. A query without any match (m = 0) counts as a
    failure, with chance 0.

    Intervals resample patients in both of their roles: with their queries, and as candidates to first order,
    by what the figures lose when a candidate leaves the gallery. In simulated cohorts of 60 and 140 they held
    the expected mean average precision in 91 to 98 %, and Recall@k and Precision@k, where they are up to half
    as wide again as they need be, in 95 to 100 %; with the gallery held fixed it was 58 % for the mean average
    precision.

    Raises FlexiCTError on NaN or all-zero vectors, tables of different length, a single label, missing labels,
    fewer than 5 patients, or a k larger than the smallest gallery.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> stage = np.repeat([0, 1, 2], 20)
        >>> X = rng.normal(size=(60, 8))
        >>> X[:, 0] += 2.0 * stage
        >>> found = evaluate(X, stage, k=(1, 5), n_bootstrap=50)
        >>> found.mean_average_precision > found.mean_average_precision_chance
        True
    """
    tables: Sequence[ArrayLike] = X if _is_several(X) else [X]  # type: ignore[assignment,list-item]
    sets = [unit_rows(checked_vectors(table, ANALYSIS, at_least=MIN_PATIENTS)) for table in tables]
    n = len(sets[0])
    if any(len(one) != n for one in sets):
        lengths = ", ".join(str(len(one)) for one in sets)
        raise FlexiCTError(f"The {ANALYSIS} fuses sets of the same cases, but the sets contain {lengths} vectors.")
    number = label_numbers(label, n)
    patients = patient_numbers(patient, ANALYSIS, n=n)
    n_patients = int(patients.max()) + 1
    if n_patients < MIN_PATIENTS:
        raise FlexiCTError(f"The {ANALYSIS} needs at least {MIN_PATIENTS} patients, but there are {n_patients}.")
    if not fusion_k > 0:
        raise FlexiCTError(f"The {ANALYSIS} fuses ranks with a constant above 0, not {fusion_k:g}.")

    rounds = []
    splits = _splits(protocol, number, patients, n_splits=n_splits, seed=seed)
    for done, (queries, support) in enumerate(splits):
        allowed = support & (patients[queries][:, None] != patients)
        with progress.part(0.9 * done / len(splits), 0.9 * (done + 1) / len(splits), "searching for similar cases"):
            rounds.append(answered(sets, number, queries, allowed, k=k, fusion_k=fusion_k))
    progress.report(9, 10, "resampling the patients")
    weights = bootstrap_weights(patients, n_resamples=n_bootstrap, seed=seed)
    draws = np.nanmean([one.resampled(weights) for one in rounds], axis=0)
    value = np.mean([one.measures.mean(axis=0) for one in rounds], axis=0)
    chance = np.mean([one.chance.mean(axis=0) for one in rounds], axis=0)
    low, high = np.transpose([percentile_interval(one) for one in np.clip(draws, 0.0, 1.0).T])

    found = np.stack([value, low, high, chance], axis=1).tolist()
    recall, precision, whole = found[: len(k)], found[len(k) : -1], found[-1]
    same_label = number[:, None] == number
    return Retrieval(
        at_k=tuple(RetrievalAtK(int(k[i]), *recall[i], *precision[i]) for i in range(len(k))),
        mean_average_precision=whole[0],
        mean_average_precision_low=whole[1],
        mean_average_precision_high=whole[2],
        mean_average_precision_chance=whole[3],
        protocol=protocol,
        n_sets=len(sets),
        fusion_k=float(fusion_k),
        n_splits=len(rounds),
        n=n,
        n_patients=n_patients,
        n_without_match=int((~(same_label & (patients[:, None] != patients)).any(axis=1)).sum()),
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def unit_rows(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows scaled to length 1; ValueError where a row is all zero and so has no direction."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (length == 0).any():
        raise FlexiCTError(
            f"Cosine similarity needs vectors that are not all zero, but {(length == 0).sum()} of "
            f"{len(vectors)} are; embed those cases again or leave them out."
        )
    return vectors / length


@dataclass(frozen=True)
class Round:
    """The answers of one split.

    queries: [q] rows. measures, chance: [q, m], a column each for recall at every k, precision at every k,
    average precision. without: [n, m], the change of the means when a case leaves the gallery.
    """

    queries: NDArray[np.intp]
    measures: NDArray[np.float64]
    chance: NDArray[np.float64]
    without: NDArray[np.float64]

    def resampled(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The means in every resample [b, m]; NaN where it holds none of the queries."""
        drawn = weights[:, self.queries]
        total = drawn.sum(axis=1, keepdims=True)
        means = np.divide(
            drawn @ self.measures, total, out=np.full((len(weights), self.measures.shape[1]), np.nan), where=total > 0
        )
        return means - (weights - 1.0) @ self.without


def _splits(
    protocol: Protocol, number: NDArray[np.intp], patients: NDArray[np.intp], *, n_splits: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """The queries and the support [n] of every round."""
    if protocol == "leave-patient-out":
        return [(np.arange(len(number)), np.ones(len(number), dtype=bool))]
    if protocol != "halves":
        raise FlexiCTError(f"The {ANALYSIS} knows the protocols {' and '.join(PROTOCOLS)}, not '{protocol}'.")
    if n_splits < 1:
        raise FlexiCTError(f"The {ANALYSIS} needs at least 1 split into halves, not {n_splits}.")
    halves = [grouped_folds(patients, number, n_folds=2, seed=seed * 1000 + split) for split in range(n_splits)]
    return [(np.flatnonzero(half == 0), half == 1) for half in halves]


def answered(
    sets: list[NDArray[np.float64]],
    number: NDArray[np.intp],
    queries: NDArray[np.intp],
    allowed: NDArray[np.bool_],
    *,
    k: Sequence[int],
    fusion_k: float,
) -> Round:
    """What each query [q] finds among the candidates allowed to it [q, n]."""
    gallery = allowed.sum(axis=1)
    if not len(k) or min(k) < 1 or max(k) > gallery.min():
        raise FlexiCTError(f"The {ANALYSIS} can look at 1 to {gallery.min()} nearest cases, not at k = {list(k)}.")
    found = np.empty((len(queries), 2 * len(k) + 1))
    without = np.zeros((len(number), 2 * len(k) + 1))
    relevant = np.empty(len(queries), dtype=np.intp)
    blocks = np.array_split(np.arange(len(queries)), -(-len(queries) // QUERIES_AT_ONCE))
    for block in progress.counted(blocks, len(blocks)):
        order = fused_order([one[queries[block]] @ one.T for one in sets], allowed[block], fusion_k=fusion_k)
        inside = np.arange(len(number)) < gallery[block][:, None]
        hits = (number[queries[block]][:, None] == number[order]) & inside
        relevant[block] = hits.sum(axis=1)
        found[block] = measures(hits, k)
        without += without_each(hits, order, gallery[block], k) / len(queries)
    chance = np.column_stack(
        [
            *(recall_at(gallery, relevant, depth) for depth in k),
            *(relevant / gallery for _ in k),
            average_precision(gallery, relevant),
        ]
    )
    return Round(queries, found, chance, without)


def _is_several(X: ArrayLike | Sequence[ArrayLike]) -> bool:
    """Whether X is a list of tables, not one table."""
    return isinstance(X, list | tuple) and len(X) > 0 and np.ndim(X[0]) == 2


def label_numbers(label: ArrayLike, n: int) -> NDArray[np.intp]:
    """The number [n] of each case's label; ValueError where one is missing or all are the same."""
    labels = np.asarray(label, dtype=object)
    if labels.shape != (n,) or any(one is None or one != one for one in labels):
        raise FlexiCTError(f"The {ANALYSIS} needs one label for each of the {n} cases.")
    number = np.unique(labels.astype(str), return_inverse=True)[1]
    if number.max() == 0:
        raise FlexiCTError(f"The {ANALYSIS} needs at least two different labels, but all cases share one.")
    return number
