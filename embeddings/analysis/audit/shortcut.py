"""One column of the audit, and what it says in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ..estimate import Estimate
from ..gradient.evidence import AxisTest
from .covariate import Covariate

ALPHA = 0.05
# A category that is associated with stage this closely is nearly the same split as the stage itself.
ALIKE = 0.9


@dataclass(frozen=True)
class LeftOut:
    """The stage axis on the `n` cases of one level (a site): `within`, its concordance with stage when other
    cases of the level were trained on, `auc` when none was, and the drop from one to the other.
    """

    level: str
    n: int
    within: float
    auc: float
    drop: float


@dataclass(frozen=True)
class ShortcutColumn:
    """One column of the audit; p-values are by permutation of patients, one-sided, and adjusted over the columns
    for the false discovery rate (that of `before_removal` excepted).

    association_value: Cramer's V with stage (categories) or the correlation ratio eta (numbers), 0 to 1.
    stage_from_column: concordance of stage with its out-of-fold prediction from this column alone (the area
    under the ROC curve where there are two stages); stage_from_column_chance, its mean under permuted stages,
    is some way below 0.5 for a column of few levels, as the slope of a training fold then leans against the
    cases left out. column_from_vectors: area under the ROC
    curve (categories, mean over levels) or Spearman's rho (numbers) of the column's out-of-fold prediction
    from the vectors. before_removal: Spearman's rho of the out-of-fold stage axis with stage on the cases that have
    a value, its p adjusted as `on_axis` says; after_removal: the same after the column is regressed out of the vectors.
    note: why something is missing, or empty. parts: the columns that were
    audited as one, by the mean of their ranks; empty for a single column.
    """

    name: str
    kind: str
    n: int
    n_levels: int
    association: str
    association_value: float
    association_p: float
    association_p_adjusted: float
    stage_from_column: Estimate
    stage_from_column_chance: float
    stage_from_column_p: float
    stage_from_column_p_adjusted: float
    column_from_vectors: Estimate
    column_from_vectors_p: float
    column_from_vectors_p_adjusted: float
    before_removal: Estimate
    before_removal_p: float
    before_removal_p_adjusted: float
    after_removal: Estimate
    after_removal_p: float
    after_removal_p_adjusted: float
    left_out: tuple[LeftOut, ...]
    verdict: str
    note: str
    parts: tuple[str, ...] = ()

    @property
    def is_associated(self) -> bool:
        """Whether it is shown to be associated with stage."""
        return self.association_p_adjusted < ALPHA

    @property
    def is_predicted(self) -> bool:
        """Whether the vectors are shown to predict it."""
        return self.column_from_vectors_p_adjusted < ALPHA

    @property
    def has_axis(self) -> bool:
        """Whether the stage axis is shown to follow stage on the cases that have a value."""
        return self.before_removal_p_adjusted < ALPHA

    @property
    def is_same_split(self) -> bool:
        """Whether it divides the cases nearly as the stage does."""
        return self.kind == "categorical" and self.association_value >= ALIKE

    @property
    def explains_axis(self) -> bool:
        """Whether it alone explains the stage axis: associated with stage, predicted by the vectors, and no stage
        axis is shown without it.
        """
        remains = self.after_removal_p_adjusted < ALPHA and not self.is_same_split
        return self.is_associated and self.is_predicted and self.has_axis and not remains


def unanswered(column: Covariate, note: str) -> ShortcutColumn:
    """The row of a column that cannot be audited, with the reason as its note and verdict."""
    nan = float("nan")
    unknown = Estimate(nan, nan, nan)
    return ShortcutColumn(
        name=column.name,
        kind="categorical" if column.is_categorical else "numeric",
        n=int(column.present.sum()),
        n_levels=len(column.levels),
        association="",
        association_value=nan,
        association_p=nan,
        association_p_adjusted=nan,
        stage_from_column=unknown,
        stage_from_column_chance=nan,
        stage_from_column_p=nan,
        stage_from_column_p_adjusted=nan,
        column_from_vectors=unknown,
        column_from_vectors_p=nan,
        column_from_vectors_p_adjusted=nan,
        before_removal=unknown,
        before_removal_p=nan,
        before_removal_p_adjusted=nan,
        after_removal=unknown,
        after_removal_p=nan,
        after_removal_p_adjusted=nan,
        left_out=(),
        verdict=note,
        note=note,
        parts=column.parts,
    )


def on_axis(column: ShortcutColumn, axis: AxisTest, n: int) -> ShortcutColumn:
    """The column's test before removal as one with the test of the stage axis, and its verdict.

    On all `n` cases of the audit it is that test. On fewer cases it counts only where that one does (a fixed
    sequence), so its adjusted p is the larger of the two.
    """
    if not column.note and column.n == n == axis.n:
        column = replace(
            column,
            before_removal=Estimate(axis.rho, axis.rho_low, axis.rho_high),
            before_removal_p=axis.p_permutation,
            before_removal_p_adjusted=axis.p_adjusted,
        )
    else:
        adjusted = float(np.maximum(axis.p_adjusted, column.before_removal_p))
        column = replace(column, before_removal_p_adjusted=adjusted)
    return replace(column, verdict=verdict(column) + _of_parts(column))


def verdict(column: ShortcutColumn) -> str:
    """What the column's numbers say, in one sentence, by the adjusted p-values."""
    if column.note:
        return column.note
    name = column.name
    measured = f"{column.association} {column.association_value:.2f}"
    predicted = (
        f"AUC {column.column_from_vectors.value:.2f}"
        if column.kind == "categorical"
        else f"rho {column.column_from_vectors.value:.2f}"
    )
    if not column.is_associated:
        known = "predict it" if column.is_predicted else "are not shown to predict it either"
        return f"{name} is not shown to be associated with stage ({measured}); the vectors {known} ({predicted})."
    if not column.is_predicted:
        return (
            f"{name} is associated with stage ({measured}), but the vectors are not shown to predict it ({predicted})."
        )
    before, after = f"rho {column.before_removal.value:.2f}", f"rho {column.after_removal.value:.2f}"
    shared = f"{name} is associated with stage ({measured}) and the vectors predict it ({predicted})"
    if not column.has_axis:
        return f"{shared}, but there is no stage axis to explain: the axis is not shown to follow stage ({before})."
    if not column.explains_axis:
        return (
            f"{shared}, but it alone does not explain the stage axis: with it removed from the vectors, the axis "
            f"still follows stage ({after})."
        )
    explains = f"{name} alone explains the stage axis here: it is associated with stage ({measured})"
    if column.is_same_split:
        return (
            f"{explains}, so closely that the two are nearly the same split of the cases, and the vectors predict it "
            f"({predicted})."
        )
    if math.isnan(column.after_removal_p):
        return f"{explains}, so closely that it determines the stage, and the vectors predict it ({predicted})."
    return (
        f"{explains}, the vectors predict it ({predicted}), and with it removed from the vectors no stage axis is "
        f"shown ({after}; {before} before removal)."
    )


def _of_parts(column: ShortcutColumn) -> str:
    """What follows a verdict on several columns that were audited as one: their names."""
    if not column.parts:
        return ""
    names = f"{', '.join(column.parts[:-1])} and {column.parts[-1]}"
    return f" {column.name[:1].upper()}{column.name[1:]} is the mean rank of {names}."
