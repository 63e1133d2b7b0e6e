"""The similarity of several embedding sets, without any label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..display import Displayed
from ..resampling import bootstrap_weights, holm
from ..serialise import plain
from .alignment import linear_cka, patient_means, similarities
from .measures import Cohort, Draws
from .neighbourhoods import PairOverlap, overlaps, smallest_gallery
from .paired import pairs_of


@dataclass(frozen=True)
class Alignment:
    """Debiased linear CKA of two sets over patients (1: equal up to rotation and scale, 0: unrelated).

    low, high: 95 % jackknife interval. p: one-sided, patients of one set exchanged; p_adjusted: Holm's, over pairs.
    """

    first: str
    second: str
    value: float
    low: float
    high: float
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class SetSimilarity(Displayed):
    """The overlap of neighbourhoods of every pair of sets at every k, and their alignment."""

    k: tuple[int, ...]
    overlaps: tuple[PairOverlap, ...]
    alignments: tuple[Alignment, ...]
    n: int
    n_patients: int
    n_permutations: int
    n_bootstrap: int
    seed: int

    def overlap(self, first: str, second: str, k: int) -> PairOverlap:
        """The overlap of two sets, in either order; KeyError where they were not compared at this k."""
        for one in self.overlaps:
            if one.k == k and {one.first, one.second} == {first, second}:
                return one
        raise KeyError((first, second, k))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


def set_similarity(cohort: Cohort, k: Sequence[int], draws: Draws) -> SetSimilarity:
    """Overlap of neighbourhoods and CKA of every pair of sets.

    k that leave no candidate out are dropped. Raises FlexiCTError where none is left, as `overlaps` and `linear_cka`.
    """
    usable = tuple(sorted({int(one) for one in k if one < smallest_gallery(cohort.patients)}))
    weights = bootstrap_weights(cohort.patients, n_resamples=draws.n_bootstrap, seed=draws.seed)
    found = overlaps(cohort.names, cohort.tables, cohort.patients, usable or tuple(k), weights)
    order = np.tile(np.arange(cohort.n_patients), (draws.n_permutations, 1))
    permutations = np.random.default_rng([draws.seed, 3]).permuted(order, axis=1)
    tables = [similarities(patient_means(table, cohort.patients)) for table in cohort.tables]
    pairs = pairs_of(cohort.names)
    aligned = [linear_cka(tables[a], tables[b], permutations) for a, b in pairs]
    p_adjusted = holm([one.p for one in aligned])
    return SetSimilarity(
        k=usable,
        overlaps=found,
        alignments=tuple(
            Alignment(cohort.names[a], cohort.names[b], one.value, one.low, one.high, one.p, float(p))
            for (a, b), one, p in zip(pairs, aligned, p_adjusted, strict=True)
        ),
        n=len(cohort.rows),
        n_patients=cohort.n_patients,
        n_permutations=draws.n_permutations,
        n_bootstrap=draws.n_bootstrap,
        seed=draws.seed,
    )
