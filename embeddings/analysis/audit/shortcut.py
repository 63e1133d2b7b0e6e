"""One column of the audit, and what it says in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..estimate import Estimate
from .covariate import Covariate

ALPHA = 0.05
# A category that goes with stage this closely is nearly the same split as the stage itself.
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
    for the false discovery rate.

    association_value: Cramer's V with stage (categories) or the correlation ratio eta (numbers), 0 to 1.
    stage_from_column: concordance of stage with its out-of-fold prediction from this column alone (the area
    under the ROC curve where there are two stages); stage_from_column_chance, its mean under permuted stages,
    is some way below 0.5 for a column of few levels, as the slope of a training fold then leans against the
    cases left out. column_from_vectors: area under the ROC
    curve (categories, mean over levels) or Spearman's rho (numbers) of the column's out-of-fold prediction
    from the vectors. after_removal: Spearman's rho of the out-of-fold stage axis with stage after the column
    is regressed out of the vectors. note: why something is missing, or empty. parts: the columns that were audited
    as one, by the mean of their ranks; empty for a column by itself.
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
    after_removal: Estimate
    after_removal_p: float
    after_removal_p_adjusted: float
    left_out: tuple[LeftOut, ...]
    verdict: str
    note: str
    parts: tuple[str, ...] = ()


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
        after_removal=unknown,
        after_removal_p=nan,
        after_removal_p_adjusted=nan,
        left_out=(),
        verdict=note,
        note=note,
        parts=column.parts,
    )


def verdict(column: ShortcutColumn) -> str:
    """What the column's numbers say, in one sentence; p-values adjusted over the columns."""
    if column.note:
        return column.note
    name = column.name
    goes = f"{column.association} {column.association_value:.2f}"
    held = (
        f"AUC {column.column_from_vectors.value:.2f}"
        if column.kind == "categorical"
        else f"rho {column.column_from_vectors.value:.2f}"
    )
    if column.association_p_adjusted >= ALPHA:
        known = "hold it" if column.column_from_vectors_p_adjusted < ALPHA else "are not shown to hold it either"
        return f"{name} is not shown to go with stage ({goes}); the vectors {known} ({held})."
    if column.column_from_vectors_p_adjusted >= ALPHA:
        return f"{name} goes with stage ({goes}), but the vectors are not shown to hold it ({held})."
    shared = f"{name} goes with stage ({goes}) and the vectors hold it ({held})"
    remaining = f"rho {column.after_removal.value:.2f}"
    if column.association_value >= ALIKE and column.kind == "categorical":
        return f"Stage cannot be told from {name} here: {shared}, and the two are nearly the same split."
    if math.isnan(column.after_removal_p):
        return f"Stage cannot be told from {name} here: {shared}, and it fixes the stage."
    if column.after_removal_p_adjusted >= ALPHA:
        return (
            f"Stage cannot be told from {name} here: {shared}; once it is taken out of the vectors, no stage axis "
            f"is shown ({remaining})."
        )
    return f"{shared}, but the stage axis stands after it is taken out of the vectors ({remaining})."


def of_parts(column: ShortcutColumn) -> str:
    """What follows a verdict on several columns that were audited as one: their names."""
    if not column.parts:
        return ""
    names = f"{', '.join(column.parts[:-1])} and {column.parts[-1]}"
    return f" {column.name[:1].upper()}{column.name[1:]} is the mean rank of {names}."
