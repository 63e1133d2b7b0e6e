"""Does an axis through the embedding follow the tumour stage, beyond chance and beyond tumour size?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embeddings.formatting import counted
from flexict.errors import FlexiCTError

from .. import progress
from ..checks import checked_codes, checked_column, checked_columns, checked_draws, patient_numbers
from ..display import Displayed
from ..gram import Gram
from ..resampling import NothingToExchangeError, percentile_interval, permutation_p, permuted_given, permuted_labels
from ..trend import TrendTest, concordance_columns, jonckheere_terpstra, spearman
from .adjustment import size_bins, size_design
from .crossfit import (
    FOLDS,
    Adjustment,
    discriminant_scores,
    fold_plan,
    in_sample_smoother,
    out_of_fold_smoother,
    repeats_for,
)
from .evidence import AxisEvidence, Labelling, PermutedStages, adjusted_for_each_other, own_fields

ANALYSIS = "stage gradient"
MIN_CASES = 20
MIN_PATIENTS = 10
# Bins of six left enough of a pure size effect within them to be called stage in 12 % of simulated cohorts
# of 90, where 5 % is due; bins of three did not (5 %).
PATIENTS_PER_SIZE_BIN = 3
# Below these a result is said to rest on little.
PATIENTS_PER_COLUMN = 5
MIXED_BINS = 0.25
NAMED_STAGES = 3


@dataclass(frozen=True)
class StageGroup:
    """The scores of one stage: numbers of cases and patients, quartiles and mean."""

    stage: float
    n: int
    n_patients: int
    median: float
    q25: float
    q75: float
    mean: float


@dataclass(frozen=True)
class StageGradient(Displayed, AxisEvidence):
    """The stage axis of `stage_gradient`: the plain evidence, and the same after size is accounted for.

    `score` [n] is each case's out-of-fold score, in stage steps from the cohort's mean (shrunk by the
    ridge). `trend` is Jonckheere-Terpstra on it; its normal p takes scores as independent of the fit, which
    out-of-fold scores are not quite, so quote `trend_p_permutation`, the cross-fit redone. `lda` and
    `lda_residual` ask the same of a shrinkage discriminant, a second opinion; `discriminants` [n, 1 or 2]
    holds its out-of-fold score and, with three stages or more, that of the middle stages against the ends.
    `residual` and `size_matched` are None where they were not requested or cannot be computed; `warnings`
    say so. The p of these tests are adjusted for each other (Holm). `warnings` say what limits the result.
    """

    stage: NDArray[np.float64]
    size: NDArray[np.float64] | None
    size_rho: float
    size_rho_low: float
    size_rho_high: float
    groups: tuple[StageGroup, ...]
    trend: TrendTest
    trend_p_permutation: float
    lda: AxisEvidence
    lda_residual: AxisEvidence | None
    discriminants: NDArray[np.float64]
    residual: AxisEvidence | None
    size_matched: AxisEvidence | None
    n_folds: int
    n_repeats: int
    n_permutations: int
    n_bootstrap: int
    warnings: tuple[str, ...]


def stage_gradient(
    X: ArrayLike | Gram,
    stage: ArrayLike,
    *,
    patient: ArrayLike | None = None,
    size: ArrayLike | None = None,
    covariates: ArrayLike | None = None,
    n_permutations: int = 1000,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> StageGradient:
    """A supervised stage axis, fitted and scored on different patients.

    The axis is ordinal ridge: ridge regression of the stage code on the standardised vectors, its penalty
    set to a third of n effective degrees of freedom, in repeated 5-fold cross-validation by patient. Folds,
    scaling and penalty see no label, and ridge scores are linear in the labels, so the whole cross-fit under
    a permuted stage is one matrix product; that of the shrinkage discriminant is a few.

    - plain: all patients exchange stages.
    - `residual` (with `size` or `covariates`): a restricted cubic spline of log(size) and the covariates
      are regressed out of the vectors, with coefficients of the training folds, before the axis is fitted;
      permuted stages keep their relation with size and covariates (`resampling.permuted_given`).
    - `size_matched` (with `size`): cases are compared, and stages exchanged, only within bins of three
      patients of similar size; `rho` is the correlation of ranks within bins, pooled over bins. Where stage and size
      both change between scans of a patient, on the first scan of each.

    X: [n, d] vectors, or their `Gram`. stage: [n] ordered codes. patient: [n] ids (every case its own patient
    if None). size: [n], positive, in any unit (ml or mm). covariates: [n, k] numbers.

    Raises FlexiCTError on NaN vectors, missing values, a single stage, fewer than 20 cases or 10 patients.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> stage = np.repeat([0, 1, 2], 20)
        >>> X = rng.normal(size=(60, 8))
        >>> X[:, 0] += 2.0 * stage
        >>> found = stage_gradient(X, stage, n_permutations=199, n_bootstrap=100)
        >>> found.n, found.rho > 0.7, found.p_permutation
        (60, True, 0.005)
    """
    checked_draws(ANALYSIS, seed=seed, permutations=n_permutations, resamples=n_bootstrap)
    gram = Gram.of(X, ANALYSIS, at_least=MIN_CASES)
    n = len(gram)
    codes = checked_codes(stage, ANALYSIS, n=n)
    patients = patient_numbers(patient, ANALYSIS, n=n)
    n_patients = int(patients.max()) + 1
    if n_patients < MIN_PATIENTS:
        raise FlexiCTError(f"The {ANALYSIS} needs at least {MIN_PATIENTS} patients, but there are {n_patients}.")
    sizes = None if size is None else checked_column(size, ANALYSIS, n=n, name="tumour size")
    if sizes is not None and (sizes <= 0).any():
        raise FlexiCTError(
            f"The {ANALYSIS} needs a tumour size above 0, but {(sizes <= 0).sum()} of {n} cases has none."
        )
    extra = None if covariates is None else checked_columns(covariates, ANALYSIS, n=n, name="covariates")
    labelling = Labelling(codes, patients, n_bootstrap, seed)
    permuted = PermutedStages(permuted_labels(codes, patients, n_permutations=n_permutations, seed=seed))
    n_repeats = repeats_for(n)

    def raw(train: NDArray[np.intp]) -> Gram:
        return gram

    def adjusted(train: NDArray[np.intp]) -> Gram:
        return gram.without(size_design(train, size=sizes, covariates=extra, n=n), train)

    work = {"plain": 10.0, "after": 12.0 if sizes is not None or extra is not None else 0.0, "rest": 2.0}
    share = progress.shares(work)
    with progress.part(*share["plain"], "fitting the stage axis, and again under every permutation"):
        with progress.part(0.0, 0.1):
            plain = _Axes(raw, labelling, n_repeats)
        with progress.part(0.1, 1.0):
            overall, lda = plain.ridge(permuted), plain.lda(permuted)
    warnings = _warnings(codes, patients)
    residual = lda_residual = matched = None
    if sizes is not None or extra is not None:
        design = size_design(np.arange(n), size=sizes, covariates=extra, n=n)
        keeping, said = _keeping(labelling, design, n_permutations)
        warnings += said
        if keeping is not None:
            with progress.part(*share["after"], "fitting the axis to what is left without size and covariates"):
                with progress.part(0.0, 0.2):
                    after = _Axes(adjusted, labelling, n_repeats)
                with progress.part(0.2, 1.0):
                    residual, lda_residual = after.ridge(keeping), after.lda(keeping)
    size_rho = size_low = size_high = float("nan")
    if sizes is not None:
        size_rho = spearman(overall.score, sizes)
        size_low, size_high = percentile_interval(labelling.resampled(overall.score, sizes))
        with progress.part(*share["rest"], "comparing cases of similar size"):
            matched, said = _size_matched(gram, plain, labelling, sizes, n_permutations)
        warnings += said

    tests = adjusted_for_each_other(
        {"plain": overall, "residual": residual, "size_matched": matched, "lda": lda, "lda_residual": lda_residual}
    )
    adjusted_plain, adjusted_lda = tests["plain"], tests["lda"]
    assert adjusted_plain is not None
    assert adjusted_lda is not None
    trend = jonckheere_terpstra(overall.score, codes)
    return StageGradient(
        **own_fields(adjusted_plain),
        stage=codes,
        size=sizes,
        size_rho=size_rho,
        size_rho_low=size_low,
        size_rho_high=size_high,
        groups=_groups(overall.score, codes, patients),
        trend=trend,
        trend_p_permutation=_trend_p(plain, permuted, codes),
        lda=adjusted_lda,
        lda_residual=tests["lda_residual"],
        discriminants=plain.discriminants(lda.score),
        residual=tests["residual"],
        size_matched=tests["size_matched"],
        n_folds=FOLDS,
        n_repeats=n_repeats,
        n_permutations=n_permutations,
        n_bootstrap=n_bootstrap,
        warnings=tuple(warnings),
    )


class _Axes:
    """The stage axes of one way of preparing the vectors; `smoother` [n, n] turns labels into ridge scores."""

    def __init__(self, adjust: Adjustment, labelling: Labelling, n_repeats: int) -> None:
        self._adjust, self._labelling, self._n_repeats = adjust, labelling, n_repeats
        self.smoother = out_of_fold_smoother(
            adjust, labelling.patient, n_folds=FOLDS, n_repeats=n_repeats, seed=labelling.seed
        )

    @cached_property
    def _ridge_in_sample(self) -> NDArray[np.float64]:
        """The ridge score [n] fitted and scored on all cases."""
        return in_sample_smoother(self._adjust, len(self._labelling.stage)) @ self._labelling.stage

    def ridge(self, permuted: PermutedStages) -> AxisEvidence:
        """The evidence of the ordinal ridge."""
        stage = self._labelling.stage
        return self._labelling.evidence(
            self.smoother @ stage, self.smoother @ permuted.labels.T, self._ridge_in_sample, permuted
        )

    def lda(self, permuted: PermutedStages) -> AxisEvidence:
        """The evidence of the shrinkage discriminant."""
        stage, everyone = self._labelling.stage[None], np.arange(len(self._labelling.stage))
        scores = discriminant_scores(self._adjust, np.vstack([stage, permuted.labels]), self._splits())
        in_sample = discriminant_scores(self._adjust, stage, [(everyone, everyone)])
        return self._labelling.evidence(scores[:, 0], scores[:, 1:], in_sample[:, 0], permuted)

    def discriminants(self, along_stage: NDArray[np.float64]) -> NDArray[np.float64]:
        """The discriminant along the stages beside that of the middle against the ends, where there is a middle."""
        stage = self._labelling.stage
        if np.unique(stage).size < 3:
            return along_stage[:, None]
        return np.column_stack([along_stage, discriminant_scores(self._adjust, stage[None], self._splits(), degree=2)])

    def _splits(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        patient, seed = self._labelling.patient, self._labelling.seed
        return list(fold_plan(patient, n_folds=FOLDS, n_repeats=self._n_repeats, seed=seed))


def _keeping(
    labelling: Labelling, design: NDArray[np.float64], n_permutations: int
) -> tuple[PermutedStages | None, list[str]]:
    """Stages permuted so that they keep their relation with the columns regressed out, and warnings."""
    columns, n_patients = int(np.linalg.matrix_rank(design)) - 1, int(labelling.patient.max()) + 1
    taken = f"{counted(columns, 'column')} of size and covariates removed from vectors of {n_patients} patients"
    if columns > n_patients / 2:
        return None, [f"{taken}: too little is left for a reliable axis after them."]
    try:
        permuted = permuted_given(
            labelling.stage, design, labelling.patient, n_permutations=n_permutations, seed=labelling.seed
        )
    except NothingToExchangeError:
        return None, ["Size and covariates determine the stage, so no axis is left without them."]
    said = [f"{taken}: little of the vectors is left."] if columns > n_patients / PATIENTS_PER_COLUMN else []
    return PermutedStages(permuted), said


def _size_matched(
    gram: Gram, axes: _Axes, labelling: Labelling, size: NDArray[np.float64], n_permutations: int
) -> tuple[AxisEvidence | None, list[str]]:
    said = []
    if _varies(labelling.stage, labelling.patient) and _varies(size, labelling.patient):
        # Bins hold patients, ranks are of scans: growth within a patient would count as stage at similar size.
        first = np.sort(np.unique(labelling.patient, return_index=True)[1])
        said.append(
            f"The test at similar size takes the first scan of each of the {len(first)} patients, as stage and size "
            "both change between scans of a patient."
        )
        if np.unique(labelling.stage[first]).size < 2:
            return None, ["The first scans of all patients share a stage, so there is no test at similar size."]
        first_scans, size = gram.of_cases(first), size[first]
        labelling = replace(labelling, stage=labelling.stage[first], patient=labelling.patient[first])
        axes = _Axes(lambda train: first_scans, labelling, repeats_for(len(first)))
    bins = size_bins(size, labelling.patient, per_bin=PATIENTS_PER_SIZE_BIN, seed=labelling.seed)
    try:
        within = permuted_labels(
            labelling.stage, labelling.patient, n_permutations=n_permutations, seed=labelling.seed, within=bins
        )
    except NothingToExchangeError:
        return None, ["No two patients of similar size differ in stage, so there is no test at similar size."]
    mixed = [np.unique(labelling.stage[bins == one]).size > 1 for one in np.unique(bins)]
    if np.mean(mixed) < MIXED_BINS:
        said.append(
            f"Only {sum(mixed)} of {len(mixed)} groups of similar size have different stages: the test at similar size "
            "rests on those alone."
        )
    return axes.ridge(PermutedStages(within, bins)), said


def _varies(values: NDArray[np.float64], patient: NDArray[np.intp]) -> bool:
    """Whether the values [n] differ between scans of some patient."""
    first = values[np.unique(patient, return_index=True)[1]]
    return bool((values != first[patient]).any())


def _trend_p(axes: _Axes, permuted: PermutedStages, stage: NDArray[np.float64]) -> float:
    """J over its pairs, as permuted stages of patients with unequal scans change how many pairs there are."""
    labels = np.vstack([stage, permuted.labels]).T
    share = concordance_columns(axes.smoother @ labels, labels)
    return permutation_p(float(share[0]), share[1:])


def _warnings(stage: NDArray[np.float64], patient: NDArray[np.intp]) -> list[str]:
    single = [level for level in np.unique(stage) if np.unique(patient[stage == level]).size == 1]
    said = [
        f"Stage {level:g} has a single patient: on the axis, stage and patient cannot be separated." for level in single
    ]
    if len(single) > NAMED_STAGES:
        said = [
            f"{len(single)} stages have a single patient each: group stages, as stage and patient cannot be separated."
        ]
    highest, lowest = np.zeros(patient.max() + 1), np.full(patient.max() + 1, np.inf)
    np.maximum.at(highest, patient, stage)
    np.minimum.at(lowest, patient, stage)
    if (highest > lowest).any() and np.unique(np.bincount(patient)).size > 1:
        said.append(
            f"Patients with scans of different stages: {(highest > lowest).sum()}. In a permutation, only patients "
            "with equally many scans therefore exchange theirs."
        )
    return said


def _groups(
    score: NDArray[np.float64], stage: NDArray[np.float64], patient: NDArray[np.intp]
) -> tuple[StageGroup, ...]:
    groups = []
    for level in np.unique(stage):
        rows = stage == level
        q25, median, q75 = np.quantile(score[rows], [0.25, 0.5, 0.75])
        groups.append(
            StageGroup(
                stage=float(level),
                n=int(rows.sum()),
                n_patients=int(np.unique(patient[rows]).size),
                median=float(median),
                q25=float(q25),
                q75=float(q75),
                mean=float(score[rows].mean()),
            )
        )
    return tuple(groups)
