"""Does an axis through the embedding follow the tumour stage, beyond chance and beyond tumour size?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from .adjustment import residual_rows, size_bins
from .checks import checked_codes, checked_columns, checked_vectors, patient_numbers
from .crossfit import Adjustment, in_sample_smoother, out_of_fold_lda, out_of_fold_smoother, standardised
from .resampling import (
    NothingToExchangeError,
    bootstrap_indices,
    bootstrap_weights,
    percentile_interval,
    permutation_p,
    permuted_labels,
)
from .serialise import plain
from .trend import TrendTest, column_correlations, jonckheere_terpstra, spearman

ANALYSIS = "stage gradient"
FOLDS = 5
MIN_PATIENTS = 10
# Bins of six left enough of a pure size effect within them to be called stage in 12 % of simulated cohorts
# of 90, where 5 % is due; bins of three did not (5 %).
PATIENTS_PER_SIZE_BIN = 3


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
class AxisEvidence:
    """One way of asking whether the axis follows stage.

    `rho` is Spearman's, of out-of-fold scores; `rho_low`, `rho_high` the 95 % patient bootstrap interval
    given the fitted axes; `p_permutation` one-sided, the cross-fit redone under every permutation;
    `rho_in_sample` the optimistic value of an axis scored on the cases it was fitted to.
    """

    rho: float
    rho_low: float
    rho_high: float
    p_permutation: float
    rho_in_sample: float
    n: int
    n_patients: int
    seed: int
    score: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


@dataclass(frozen=True)
class StageGradient(AxisEvidence):
    """The stage axis of `stage_gradient`: the plain evidence, and the same after size is accounted for.

    `score` [n] is each case's out-of-fold score, in stage steps from the cohort's mean (shrunk by the
    ridge). `trend` is Jonckheere-Terpstra on it; its normal p takes scores as independent of the fit, which
    out-of-fold scores are not quite, so quote `trend_p_permutation`, the cross-fit redone. `lda_rho` is
    Spearman's rho of a shrinkage LDA axis on the first fold plan, a second opinion. `residual` and
    `size_matched` are None where they were not asked for, the latter also where no two patients of like
    size differ in stage.
    """

    stage: NDArray[np.float64]
    size: NDArray[np.float64] | None
    size_rho: float
    size_rho_low: float
    size_rho_high: float
    groups: tuple[StageGroup, ...]
    trend: TrendTest
    trend_p_permutation: float
    lda_rho: float
    lda_rho_low: float
    lda_rho_high: float
    residual: AxisEvidence | None
    size_matched: AxisEvidence | None
    n_folds: int
    n_repeats: int
    n_permutations: int
    n_bootstrap: int


def stage_gradient(
    X: ArrayLike,
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
    set to n/3 effective degrees of freedom, in repeated 5-fold cross-validation by patient.
    Standardisation, penalty and axis come from the training folds. Ridge scores are linear in the labels
    and neither folds nor penalty see them, so the whole cross-fit under a permuted stage is one matrix
    product.

    - plain: all patients exchange stages.
    - `residual` (with `size` or `covariates`): a restricted cubic spline of log(size) and the covariates
      are regressed out of the vectors, with coefficients of the training folds, before the axis is fitted.
    - `size_matched` (with `size`): cases are compared, and stages exchanged, only within bins of three
      patients of like size; `rho` is the correlation of ranks within bins, pooled over bins.

    X: [n, d] vectors. stage: [n] ordered codes. patient: [n] ids (every case its own patient if None).
    size: [n], positive, in any unit (ml or mm). covariates: [n, k] numbers.

    Raises ValueError on NaN vectors, missing values, a single stage, or fewer than 10 patients.
    """
    vectors = checked_vectors(X, ANALYSIS, at_least=MIN_PATIENTS)
    n = len(vectors)
    codes = checked_codes(stage, ANALYSIS, n=n)
    patients = patient_numbers(patient, ANALYSIS, n=n)
    n_patients = int(patients.max()) + 1
    if n_patients < MIN_PATIENTS:
        raise ValueError(f"The {ANALYSIS} needs at least {MIN_PATIENTS} patients, but there are {n_patients}.")
    sizes = None if size is None else checked_columns(size, ANALYSIS, n=n, name="tumour size")[:, 0]
    if sizes is not None and (sizes <= 0).any():
        raise ValueError(f"The {ANALYSIS} needs a tumour size above 0, but {(sizes <= 0).sum()} of {n} cases has none.")
    extra = None if covariates is None else checked_columns(covariates, ANALYSIS, n=n, name="covariates")
    cohort = _Cohort(codes, patients, n_bootstrap, seed)
    permuted = permuted_labels(codes, patients, n_permutations=n_permutations, seed=seed)
    # Few repeats suffice in a large cohort, where each costs more.
    n_repeats = 10 if n <= 300 else 4 if n <= 1000 else 2

    def raw(train: NDArray[np.intp]) -> NDArray[np.float64]:
        return standardised(vectors, train)

    def adjusted(train: NDArray[np.intp]) -> NDArray[np.float64]:
        return residual_rows(vectors, train, size=sizes, covariates=extra)

    axis = _Axis.fitted(raw, patients, n_repeats=n_repeats, seed=seed)
    overall = cohort.evidence(axis, permuted)
    residual = matched = None
    if sizes is not None or extra is not None:
        residual = cohort.evidence(_Axis.fitted(adjusted, patients, n_repeats=n_repeats, seed=seed), permuted)
    size_rho = size_low = size_high = float("nan")
    if sizes is not None:
        size_rho = spearman(overall.score, sizes)
        size_low, size_high = percentile_interval(cohort.resampled(overall.score, sizes))
        matched = _size_matched(cohort, axis, sizes, n_permutations)

    trend = jonckheere_terpstra(overall.score, codes)
    trend_null = [
        jonckheere_terpstra(score, labels).z
        for score, labels in zip((axis.out_of_fold @ permuted.T).T, permuted, strict=True)
    ]
    lda = out_of_fold_lda(raw, codes, patients, n_folds=FOLDS, seed=seed)
    lda_low, lda_high = percentile_interval(cohort.resampled(lda, codes))
    return StageGradient(
        **vars(overall),
        stage=codes,
        size=sizes,
        size_rho=size_rho,
        size_rho_low=size_low,
        size_rho_high=size_high,
        groups=_groups(overall.score, codes, patients),
        trend=trend,
        trend_p_permutation=permutation_p(trend.z, trend_null),
        lda_rho=spearman(lda, codes),
        lda_rho_low=lda_low,
        lda_rho_high=lda_high,
        residual=residual,
        size_matched=matched,
        n_folds=FOLDS,
        n_repeats=n_repeats,
        n_permutations=n_permutations,
        n_bootstrap=n_bootstrap,
    )


@dataclass(frozen=True)
class _Axis:
    """The smoothers [n, n] of one kind of axis: labels to scores, out of fold and in sample."""

    out_of_fold: NDArray[np.float64]
    in_sample: NDArray[np.float64]

    @classmethod
    def fitted(cls, adjust: Adjustment, patient: NDArray[np.intp], *, n_repeats: int, seed: int) -> _Axis:
        return cls(
            out_of_fold_smoother(adjust, patient, n_folds=FOLDS, n_repeats=n_repeats, seed=seed),
            in_sample_smoother(adjust, len(patient)),
        )


@dataclass(frozen=True)
class _Cohort:
    """What every way of asking shares: stage [n], patient [n] and the settings of the resampling."""

    stage: NDArray[np.float64]
    patient: NDArray[np.intp]
    n_bootstrap: int
    seed: int

    def evidence(
        self, axis: _Axis, permuted: NDArray[np.float64], bins: NDArray[np.intp] | None = None
    ) -> AxisEvidence:
        """Spearman's rho of the axis with stage against `permuted` [m, n]; within `bins` [n] where given."""
        one_bin = np.zeros(len(self.stage), dtype=np.intp) if bins is None else bins

        def rho_of(score: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
            return column_correlations(_ranks_within(one_bin, score), _ranks_within(one_bin, labels))

        stage = self.stage[:, None]
        score = axis.out_of_fold @ stage
        rho = float(rho_of(score, stage)[0])
        if bins is None:
            draws = self.resampled(score[:, 0], self.stage)
        else:
            # A resample would fill bins of three with copies, so the ranks stay those of the whole cohort.
            weights = bootstrap_weights(self.patient, n_resamples=self.n_bootstrap, seed=self.seed)
            draws = _weighted_correlations(_ranks_within(bins, score)[:, 0], _ranks_within(bins, stage)[:, 0], weights)
        low, high = percentile_interval(draws)
        return AxisEvidence(
            rho=rho,
            rho_low=low,
            rho_high=high,
            p_permutation=permutation_p(rho, rho_of(axis.out_of_fold @ permuted.T, permuted.T)),
            rho_in_sample=float(rho_of(axis.in_sample @ stage, stage)[0]),
            n=len(self.stage),
            n_patients=int(self.patient.max()) + 1,
            seed=self.seed,
            score=score[:, 0],
        )

    def resampled(self, score: NDArray[np.float64], against: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spearman's rho of two vectors [n] in every patient bootstrap."""
        draws = bootstrap_indices(self.patient, n_resamples=self.n_bootstrap, seed=self.seed)
        return np.array([spearman(score[cases], against[cases]) for cases in draws])


def _size_matched(cohort: _Cohort, axis: _Axis, size: NDArray[np.float64], n_permutations: int) -> AxisEvidence | None:
    bins = size_bins(size, cohort.patient, per_bin=PATIENTS_PER_SIZE_BIN)
    try:
        within = permuted_labels(
            cohort.stage, cohort.patient, n_permutations=n_permutations, seed=cohort.seed, within=bins
        )
    except NothingToExchangeError:
        return None  # Stage follows from size alone: there is nothing to compare at like size.
    return cohort.evidence(axis, within, bins)


def _ranks_within(bins: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks within each bin, centred on 0 and scaled to -0.5..0.5, column by column of `values` [n, m]."""
    ranks = np.empty(values.shape)
    for one in np.unique(bins):
        rows = bins == one
        count = int(rows.sum())
        ranks[rows] = (rankdata(values[rows], axis=0) - (count + 1) / 2) / count
    return ranks


def _weighted_correlations(
    a: NDArray[np.float64], b: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pearson correlation of a and b [n] under each row of case weights [m, n]."""
    share = weights / weights.sum(axis=1, keepdims=True)
    mean_a, mean_b = share @ a, share @ b
    covariance = share @ (a * b) - mean_a * mean_b
    scale = np.sqrt(np.clip((share @ a**2 - mean_a**2) * (share @ b**2 - mean_b**2), 0.0, None))
    return np.divide(covariance, scale, out=np.full(len(weights), np.nan), where=scale > 1e-12)


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
