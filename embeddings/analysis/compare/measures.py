"""The measures of the single-set analyses, of several sets at once on the same folds and draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from flexict.errors import FlexiCTError

from ..checks import checked_codes
from ..gradient.crossfit import FOLDS, out_of_fold_smoother, repeats_for
from ..gradient.gradient import MIN_CASES, MIN_PATIENTS
from ..gram import Gram
from ..probe.discrimination import macro_auc
from ..probe.logistic import Components
from ..probe.nested import out_of_fold_probability
from ..probe.probe import labelled_classes, stratified_folds
from ..resampling import (
    bootstrap_weights,
    grouped_folds,
    percentile_interval,
    permutation_p,
    permuted_labels,
    two_sided_p,
)
from ..retrieval.retrieval import answered, label_numbers, unit_rows
from ..trend import spearman, spearman_columns, weighted_spearman
from .paired import (
    SetDifference,
    adjusted,
    exact,
    given_fits,
    pairs_of,
    swap_signs,
    swapped_mean_p,
    swapped_rho_p,
    with_fits,
)
from .results import SetComparison, SetScore

ANALYSIS = "comparison of encoders"


@dataclass(frozen=True)
class Cohort:
    """The sets that are compared: vectors [n, width] each, patients [n] as numbers, rows [n] of the input."""

    names: tuple[str, ...]
    tables: tuple[NDArray[np.float64], ...]
    patients: NDArray[np.intp]
    rows: NDArray[np.intp]

    def of_cases(self, kept: NDArray[np.bool_]) -> Cohort:
        """The same sets on some of the cases [n]."""
        patients = np.unique(self.patients[kept], return_inverse=True)[1]
        return Cohort(self.names, tuple(one[kept] for one in self.tables), patients, self.rows[kept])

    @property
    def n_patients(self) -> int:
        """How many patients the cases are of."""
        return int(self.patients.max()) + 1 if len(self.patients) else 0


@dataclass(frozen=True)
class Draws:
    """How much is drawn, and from which seed."""

    n_permutations: int
    n_bootstrap: int
    seed: int


def compare_gradients(cohort: Cohort, stage: ArrayLike, draws: Draws) -> SetComparison:
    """Out-of-fold rho of each set's stage axis, as `stage_gradient` has it, and the differences.

    Each axis is fitted once: permuted stages are a product with its smoother, and swaps need its scores alone.
    Raises FlexiCTError as `stage_gradient` does.
    """
    n = len(cohort.rows)
    if n < MIN_CASES or cohort.n_patients < MIN_PATIENTS:
        raise FlexiCTError(
            f"The stage axis needs at least {MIN_CASES} cases of {MIN_PATIENTS} patients, but there are {n} of "
            f"{cohort.n_patients}."
        )
    codes = checked_codes(stage, ANALYSIS, n=n)
    n_repeats = repeats_for(n)
    permuted = permuted_labels(codes, cohort.patients, n_permutations=draws.n_permutations, seed=draws.seed).T
    weights = bootstrap_weights(cohort.patients, n_resamples=draws.n_bootstrap, seed=draws.seed)
    scores, resampled, sets = [], [], []
    for name, table in zip(cohort.names, cohort.tables, strict=True):
        gram = Gram.of(table, ANALYSIS)
        smoother = out_of_fold_smoother(
            lambda train, gram=gram: gram,  # type: ignore[misc]
            cohort.patients,
            n_folds=FOLDS,
            n_repeats=n_repeats,
            seed=draws.seed,
        )
        score = smoother @ codes
        rho = spearman(score, codes)
        null = spearman_columns(smoother @ permuted, permuted)
        draw = weighted_spearman(score, codes, weights)
        sets.append(SetScore(name, rho, *percentile_interval(draw), 0.0, permutation_p(rho, null)))
        scores.append(score)
        resampled.append(draw)
    ranks, stage_ranks = rankdata(scores, axis=1), rankdata(codes)
    swapped = swap_signs(cohort.patients, n_permutations=draws.n_permutations, seed=draws.seed)
    differences = []
    for a, b in pairs_of(cohort.names):
        p_given_fits = swapped_rho_p(ranks[a], ranks[b], stage_ranks, swapped)
        differences.append(_fitted(cohort, sets[a], sets[b], resampled[a] - resampled[b], p_given_fits))
    return _comparison("rho", cohort, draws, sets, differences, np.stack(scores), n_folds=FOLDS, n_repeats=n_repeats)


def compare_probes(cohort: Cohort, label: ArrayLike, draws: Draws, *, n_repeats: int) -> SetComparison:
    """Out-of-fold AUC of each set's linear probe, as `linear_probe` has it, and the differences.

    Raises FlexiCTError as `linear_probe` does.
    """
    n = len(cohort.rows)
    classes, truth = labelled_classes(label, ANALYSIS, n=n)
    n_folds = stratified_folds(classes, truth, cohort.patients, ANALYSIS)
    fold = np.stack(
        [
            grouped_folds(cohort.patients, truth, n_folds=n_folds, seed=draws.seed * 1000 + repeat)
            for repeat in range(n_repeats)
        ]
    )
    weights = bootstrap_weights(cohort.patients, n_resamples=draws.n_bootstrap, seed=draws.seed)
    weights = np.vstack([np.ones(n), weights])
    areas, by_case, sets = [], [], []
    for name, table in zip(cohort.names, cohort.tables, strict=True):
        components = Components.of([Gram.of(table, ANALYSIS, at_least=MIN_CASES)])
        repeated = np.tile(truth, (n_repeats, 1))
        probability = out_of_fold_probability(components, repeated, cohort.patients, fold, len(classes))
        area = macro_auc(probability, truth, weights)
        sets.append(SetScore(name, float(area[0]), *percentile_interval(area[1:]), 0.5, float("nan")))
        areas.append(area)
        by_case.append(probability.mean(axis=0)[np.arange(n), truth])
    differences = []
    for a, b in pairs_of(cohort.names):
        drawn = areas[a][1:] - areas[b][1:]
        differences.append(_fitted(cohort, sets[a], sets[b], drawn, two_sided_p(exact(drawn))))
    return _comparison(
        "AUC",
        cohort,
        draws,
        sets,
        differences,
        np.stack(by_case),
        classes=classes,
        n_folds=n_folds,
        n_repeats=n_repeats,
    )


def compare_retrieval(cohort: Cohort, label: ArrayLike, draws: Draws) -> SetComparison:
    """Mean average precision of each set, every case against all other patients as `evaluate` has it, and the
    differences over the same queries.

    Raises FlexiCTError as `evaluate` does.
    """
    n = len(cohort.rows)
    number = label_numbers(label, n)
    if cohort.n_patients < MIN_PATIENTS:
        raise FlexiCTError(f"Retrieval is compared over at least {MIN_PATIENTS} patients, not {cohort.n_patients}.")
    allowed = cohort.patients[:, None] != cohort.patients
    weights = bootstrap_weights(cohort.patients, n_resamples=draws.n_bootstrap, seed=draws.seed)
    queries, resampled, sets = [], [], []
    for name, table in zip(cohort.names, cohort.tables, strict=True):
        found = answered([unit_rows(table)], number, np.arange(n), allowed, k=(1,), fusion_k=60.0)
        precision = found.measures[:, -1]
        draw = found.resampled(weights)[:, -1]
        chance = float(found.chance[:, -1].mean())
        interval = percentile_interval(np.clip(draw, 0.0, 1.0))
        sets.append(SetScore(name, float(precision.mean()), *interval, chance, float("nan")))
        queries.append(precision)
        resampled.append(draw)
    swapped = swap_signs(cohort.patients, n_permutations=draws.n_permutations, seed=draws.seed)
    share = weights / weights.sum(axis=1, keepdims=True)
    differences = []
    for a, b in pairs_of(cohort.names):
        by_query, drawn = exact(queries[a] - queries[b]), exact(resampled[a] - resampled[b])
        differences.append(
            SetDifference(
                cohort.names[a],
                cohort.names[b],
                float(by_query.mean()),
                *percentile_interval(drawn),
                two_sided_p(drawn),
                float("nan"),
                *given_fits(share @ by_query),
                swapped_mean_p(by_query, swapped),
            )
        )
    classes, _ = labelled_classes(label, ANALYSIS, n=n)
    return _comparison("mAP", cohort, draws, sets, differences, np.stack(queries), classes=classes)


def _fitted(
    cohort: Cohort, first: SetScore, second: SetScore, drawn: NDArray[np.float64], p_given_fits: float
) -> SetDifference:
    """The difference of two sets by fitted models, from that of each patient bootstrap given the fits `[m]`."""
    value = float(exact(first.value - second.value))
    test = with_fits(value, drawn, cohort.n_patients)
    return SetDifference(
        first.name,
        second.name,
        value,
        test.low,
        test.high,
        test.p,
        float("nan"),
        *given_fits(drawn),
        p_given_fits,
    )


def _comparison(
    measure: str,
    cohort: Cohort,
    draws: Draws,
    sets: Sequence[SetScore],
    differences: Sequence[SetDifference],
    by_case: NDArray[np.float64],
    *,
    classes: tuple[str, ...] = (),
    n_folds: int = 0,
    n_repeats: int = 0,
) -> SetComparison:
    return SetComparison(
        measure=measure,
        sets=tuple(sets),
        differences=adjusted(differences),
        classes=classes,
        cases=cohort.rows,
        by_case=by_case,
        n=len(cohort.rows),
        n_patients=cohort.n_patients,
        n_folds=n_folds,
        n_repeats=n_repeats,
        n_permutations=draws.n_permutations,
        n_bootstrap=draws.n_bootstrap,
        seed=draws.seed,
    )
