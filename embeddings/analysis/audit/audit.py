"""What else than the disease could order the vectors by stage: site, scanner, spacing, sex, age, size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embeddings.formatting import counted, of_patients

from .. import progress
from ..checks import checked_codes, checked_draws, patient_numbers
from ..display import Displayed
from ..estimate import Estimate, estimate
from ..gradient.crossfit import FOLDS, Adjustment, out_of_fold_smoother, ridge_penalty, ridge_smoother
from ..gradient.evidence import AxisTest
from ..gram import Gram
from ..p_values import FALSE_DISCOVERY, Adjusted
from ..resampling import (
    NothingToExchangeError,
    benjamini_hochberg,
    bootstrap_weights,
    permutation_p,
    permuted_given,
    permuted_labels,
)
from ..serialise import plain
from ..trend import concordance_columns, spearman_columns, weighted_spearman
from .association import (
    areas_under_curve,
    concordance,
    correlation_ratio,
    cramers_v,
)
from .covariate import OTHER, Covariate, read_covariate
from .shortcut import LeftOut, ShortcutColumn, on_axis, unanswered

ANALYSIS = "audit"
MIN_CASES = 20
MIN_CASES_LEFT_OUT = 5
REPEATS = 4


@dataclass(frozen=True)
class ShortcutAudit(Displayed):
    """Result of `shortcuts`. stage_auc: concordance of stage with the out-of-fold axis from the vectors. axis: the test
    of that axis which the verdicts go by.
    """

    columns: tuple[ShortcutColumn, ...]
    stage_auc: Estimate
    axis: AxisTest
    n: int
    n_patients: int
    n_permutations: int
    n_bootstrap: int
    seed: int

    @property
    def n_tested(self) -> int:
        """How many columns could be audited."""
        return sum(not one.note for one in self.columns)

    def adjusted(self, p: float) -> Adjusted:
        """A p of a column, adjusted over the columns, with how."""
        return Adjusted(p, self.n_tested, FALSE_DISCOVERY, "columns")

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What each column's numbers say, in one sentence."""
        return tuple(one.verdict for one in self.columns)

    def with_axis(self, axis: AxisTest) -> ShortcutAudit:
        """The same audit with its verdicts by another test of the stage axis: the result of `stage_gradient`.

        Whether there is an axis is one question of a cohort. Where `stage_gradient` answers it too, its p is one of
        several and adjusted for them; what is no axis there must not be explained here.
        """
        own = AxisTest(**{field.name: getattr(axis, field.name) for field in fields(AxisTest)})
        return replace(self, axis=own, columns=tuple(on_axis(one, own, self.n) for one in self.columns))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self) | {"verdicts": list(self.verdicts)}


def shortcuts(
    X: ArrayLike | Gram,
    stage: ArrayLike,
    covariates: Mapping[str, ArrayLike | Mapping[str, ArrayLike]],
    *,
    patient: ArrayLike | None = None,
    n_permutations: int = 999,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> ShortcutAudit:
    """For each column: is it associated with stage, do the vectors predict it, what is left of the axis without it?

    A column can explain the stage axis only where there is one, it is associated with stage and the vectors predict
    it. Every prediction is the ordinal ridge of `stage_gradient` (for a category one against the rest), out of fold and
    by patient, so that a permutation refits it by a matrix product. Cases without a value are left out of that column's
    row. The test of the axis stands alone here; where `stage_gradient` tests it too, take its verdict with
    `shortcuts(...).with_axis(stage_gradient(...))`.

    X: [n, d] vectors, or their `Gram`. stage: [n] ordered codes. covariates: name -> [n] numbers or categories,
    None or NaN where missing; or name -> columns [n] of numbers that measure one quantity, which are audited as one by
    the mean of their ranks. patient: [n] ids.

    Raises FlexiCTError on NaN vectors, a missing or single stage, or fewer than 20 cases; what is missing for one
    column is said in its note, and the others are audited.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> stage = np.repeat([0, 1, 2], 20)
        >>> X = rng.normal(size=(60, 8))
        >>> X[:, 0] += 2.0 * stage
        >>> found = shortcuts(X, stage, {"site": np.tile(["A", "B"], 30)}, n_permutations=99, n_bootstrap=50)
        >>> found.columns[0].name, found.columns[0].explains_axis
        ('site', False)
    """
    checked_draws(ANALYSIS, seed=seed, at_least=1, permutations=n_permutations, resamples=n_bootstrap)
    gram = Gram.of(X, ANALYSIS, at_least=MIN_CASES)
    n = len(gram)
    codes = checked_codes(stage, ANALYSIS, n=n)
    patients = patient_numbers(patient, ANALYSIS, n=n)
    settings = _Settings(n_permutations, n_bootstrap, seed)
    share = progress.shares({"axis": 1.0, **{f"column {name}": 3.0 for name in covariates}})
    with progress.part(*share["axis"], "fitting the stage axis"):
        smoother = settings.smoother(lambda train: gram, patients)
    columns = []
    for number, (name, values) in enumerate(covariates.items(), start=1):
        with progress.part(*share[f"column {name}"], f"auditing column {number} of {len(covariates)}"):
            columns.append(_audited(read_covariate(name, values, patients), gram, codes, patients, settings))
    axis = _axis_test(smoother, codes, patients, settings)
    return ShortcutAudit(
        columns=tuple(_adjusted(columns)),
        stage_auc=settings.concordance(smoother @ codes, codes, patients),
        axis=axis,
        n=n,
        n_patients=int(patients.max()) + 1,
        n_permutations=n_permutations,
        n_bootstrap=n_bootstrap,
        seed=seed,
    ).with_axis(axis)


def _axis_test(
    smoother: NDArray[np.float64], stage: NDArray[np.float64], patient: NDArray[np.intp], settings: _Settings
) -> AxisTest:
    """The stage axis of the smoother [n, n], as the only test of it; p is NaN where patients have no stages to
    exchange.
    """
    rho = estimate(weighted_spearman(smoother @ stage, stage, settings.weights(patient)))
    try:
        permuted = settings.permuted(stage, patient)
        p = permutation_p(rho.value, spearman_columns(smoother @ permuted.T, permuted.T))
    except NothingToExchangeError:
        p = float("nan")
    return AxisTest(rho.value, rho.low, rho.high, p, p, 1, len(stage), int(patient.max()) + 1)


@dataclass(frozen=True)
class _Settings:
    n_permutations: int
    n_bootstrap: int
    seed: int

    def smoother(self, adjust: Adjustment, patient: NDArray[np.intp]) -> NDArray[np.float64]:
        return out_of_fold_smoother(adjust, patient, n_folds=FOLDS, n_repeats=REPEATS, seed=self.seed)

    def permuted(self, values: NDArray[np.float64], patient: NDArray[np.intp]) -> NDArray[np.float64]:
        return permuted_labels(values, patient, n_permutations=self.n_permutations, seed=self.seed)

    def permuted_given(
        self, stage: NDArray[np.float64], design: NDArray[np.float64], patient: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        return permuted_given(stage, design, patient, n_permutations=self.n_permutations, seed=self.seed)

    def weights(self, patient: NDArray[np.intp]) -> NDArray[np.float64]:
        drawn = bootstrap_weights(patient, n_resamples=self.n_bootstrap, seed=self.seed)
        return np.vstack([np.ones(len(patient)), drawn])

    def concordance(
        self, score: NDArray[np.float64], stage: NDArray[np.float64], patient: NDArray[np.intp]
    ) -> Estimate:
        return estimate(concordance(score, stage, self.weights(patient)))


def _audited(
    column: Covariate, gram: Gram, stage: NDArray[np.float64], patient: NDArray[np.intp], settings: _Settings
) -> ShortcutColumn:
    cases = np.flatnonzero(column.present)
    codes, patients = stage[cases], np.unique(patient[cases], return_inverse=True)[1]
    if column.note:
        return unanswered(column, column.note)
    n_patients = np.unique(patients).size
    if len(cases) < MIN_CASES or np.unique(codes).size < 2 or n_patients < FOLDS:
        return unanswered(
            column,
            f"{column.name} has a value in {of_patients(len(cases), n_patients)} and "
            f"{counted(np.unique(codes).size, 'stage')}: at least {MIN_CASES} cases, {FOLDS} patients and 2 stages are "
            "needed.",
        )
    held = gram.of_cases(cases)
    features = Gram.of(column.features(), ANALYSIS)

    # A level's membership follows from those of the others.
    known_of_case = column.features()[:, 1:] if column.is_categorical else column.features()
    design = np.column_stack([np.ones(len(cases)), known_of_case])

    def without(train: NDArray[np.intp]) -> Gram:
        return held.without(design, train)

    try:
        permuted = settings.permuted(codes, patients)
        with progress.part(0.0, 0.2):
            vectors = settings.smoother(lambda train: held, patients)
        known, known_p = _column_from_vectors(column, vectors, patients, settings)
    except NothingToExchangeError:
        return unanswered(
            column, f"{column.name} cannot be tested: no two patients can exchange its values or their stage."
        )
    associated = cramers_v(column.one_hot(), np.vstack([codes, permuted])) if column.is_categorical else None
    if associated is None:
        associated = correlation_ratio(column.values, np.vstack([codes, permuted]))
    with progress.part(0.4, 0.5):
        of_column = settings.smoother(lambda train: features, patients)
    alone = settings.concordance(of_column @ codes, codes, patients)
    alone_null = concordance_columns(of_column @ permuted.T, permuted.T)
    axis, axis_null = vectors @ codes, spearman_columns(vectors @ permuted.T, permuted.T)
    before = estimate(weighted_spearman(axis, codes, settings.weights(patients)))
    with progress.part(0.7, 0.9):
        left = settings.smoother(without, patients)
    remaining, remaining_p = _after_removal(left, design, codes, patients, settings)
    nan = float("nan")
    return ShortcutColumn(
        name=column.name,
        kind="categorical" if column.is_categorical else "numeric",
        n=len(cases),
        n_levels=len(column.levels),
        association="Cramer's V" if column.is_categorical else "correlation ratio eta",
        association_value=float(associated[0]),
        association_p=permutation_p(float(associated[0]), associated[1:]),
        association_p_adjusted=nan,
        stage_from_column=alone,
        stage_from_column_chance=float(alone_null.mean()),
        stage_from_column_p=permutation_p(alone.value, alone_null),
        stage_from_column_p_adjusted=nan,
        column_from_vectors=known,
        column_from_vectors_p=known_p,
        column_from_vectors_p_adjusted=nan,
        before_removal=before,
        before_removal_p=permutation_p(before.value, axis_null),
        before_removal_p_adjusted=nan,
        after_removal=remaining,
        after_removal_p=remaining_p,
        after_removal_p_adjusted=nan,
        left_out=_left_out(column, held, codes, patients, settings) if column.is_categorical else (),
        verdict="",
        note="",
        parts=column.parts,
    )


def _column_from_vectors(
    column: Covariate, vectors: NDArray[np.float64], patient: NDArray[np.intp], settings: _Settings
) -> tuple[Estimate, float]:
    """How well the smoother `vectors` [m, m] predicts the column, and a p that exchanges it among patients."""
    permuted = settings.permuted(column.values, patient)
    weights = settings.weights(patient)
    if not column.is_categorical:
        null = spearman_columns(vectors @ permuted.T, permuted.T)
        found = estimate(weighted_spearman(vectors @ column.values, column.values, weights))
        return found, permutation_p(found.value, null)
    scored = range(1, 2) if len(column.levels) == 2 else range(len(column.levels))
    null = np.zeros(len(permuted))
    draws = np.zeros(len(weights))
    for level in scored:
        member = np.equal(permuted.T, level).astype(np.float64)
        null += areas_under_curve(vectors @ member, member) / len(scored)
        truth = (column.values == level).astype(np.float64)
        draws += concordance(vectors @ truth, truth, weights) / len(scored)
    return estimate(draws), permutation_p(float(draws[0]), null)


def _after_removal(
    left: NDArray[np.float64],
    design: NDArray[np.float64],
    stage: NDArray[np.float64],
    patient: NDArray[np.intp],
    settings: _Settings,
) -> tuple[Estimate, float]:
    """The stage axis of the smoother `left` [m, m], of vectors without `design` [m, p]; p is NaN where the design
    fixes the stage.
    """
    remaining = estimate(weighted_spearman(left @ stage, stage, settings.weights(patient)))
    try:
        keeping = settings.permuted_given(stage, design, patient)
    except NothingToExchangeError:
        return remaining, float("nan")
    return remaining, permutation_p(remaining.value, spearman_columns(left @ keeping.T, keeping.T))


def _left_out(
    column: Covariate, gram: Gram, stage: NDArray[np.float64], patient: NDArray[np.intp], settings: _Settings
) -> tuple[LeftOut, ...]:
    """Each level of at least 5 cases and two stages, scored by an axis that saw none of it."""
    n = len(gram)
    penalty = ridge_penalty(lambda train: gram, n)
    with progress.part(0.9, 1.0):
        within = settings.smoother(lambda train: gram, patient) @ stage
    found = []
    for number, level in enumerate(column.levels):
        here = column.values == number
        elsewhere = np.unique(patient[~here])
        test = np.flatnonzero(here & ~np.isin(patient, elsewhere))
        train = np.flatnonzero(~here)
        if level == OTHER or len(test) < MIN_CASES_LEFT_OUT or np.unique(stage[test]).size < 2:
            continue
        if len(train) < MIN_CASES_LEFT_OUT or np.unique(stage[train]).size < 2:
            continue
        score = ridge_smoother(gram.centred(train), train, test, penalty) @ stage[train]
        ones = np.ones((1, len(test)))
        before = float(concordance(within[test], stage[test], ones)[0])
        after = float(concordance(score, stage[test], ones)[0])
        found.append(LeftOut(level, len(test), before, after, before - after))
    return tuple(found)


def _adjusted(columns: list[ShortcutColumn]) -> list[ShortcutColumn]:
    """Every kind of p-value adjusted over the columns that have one."""
    associated = benjamini_hochberg([one.association_p for one in columns])
    held = benjamini_hochberg([one.column_from_vectors_p for one in columns])
    left = benjamini_hochberg([one.after_removal_p for one in columns])
    alone = benjamini_hochberg([one.stage_from_column_p for one in columns])
    return [
        replace(
            one,
            association_p_adjusted=float(first),
            column_from_vectors_p_adjusted=float(second),
            after_removal_p_adjusted=float(third),
            stage_from_column_p_adjusted=float(fourth),
        )
        for one, first, second, third, fourth in zip(columns, associated, held, left, alone, strict=True)
    ]
