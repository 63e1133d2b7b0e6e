"""One column of a cohort beside its vectors: numbers or categories, and as features of a linear model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from flexict.errors import FlexiCTError

from .one_quantity import mean_rank

RARE_PATIENTS = 3
MAX_LEVELS = 20
OTHER = "other (rare)"


@dataclass(frozen=True)
class Covariate:
    """A column's present values: `present` [n], the cases that have one, and per such case a number or a level.

    values: [m] numbers, or level numbers 0..L-1 where `levels` names them (levels of fewer than three patients
    are one, called other). Numbers have no levels. note: why the column cannot be analysed, or empty. parts: the
    columns of a group, of which the numbers are the mean rank.
    """

    name: str
    present: NDArray[np.bool_]
    values: NDArray[np.float64]
    levels: tuple[str, ...]
    note: str = ""
    parts: tuple[str, ...] = ()

    @property
    def is_categorical(self) -> bool:
        """Whether the column holds categories."""
        return bool(self.levels)

    def one_hot(self) -> NDArray[np.float64]:
        """Membership [m, L] of a categorical column."""
        return (self.values[:, None] == np.arange(len(self.levels))).astype(np.float64)

    def features(self) -> NDArray[np.float64]:
        """Columns [m, k] from which a linear model can predict stage: membership, or the rank and its square.

        Ranks make the answer the same for a diameter, its logarithm and the volume of a ball.
        """
        if self.is_categorical:
            return self.one_hot()
        rank = rankdata(self.values) / len(self.values) - 0.5
        return np.column_stack([rank, rank**2])


def read_covariate(name: str, values: ArrayLike | Mapping[str, ArrayLike], patient: NDArray[np.intp]) -> Covariate:
    """A column of n values as a covariate: numbers with more than two different values are numeric.

    Of several columns of numbers that measure one quantity, the mean of a case's ranks in them.
    """
    if isinstance(values, Mapping):
        return replace(read_covariate(name, mean_rank(values), patient), parts=tuple(values))
    column = np.array(values, dtype=object)
    if column.shape != patient.shape:
        raise FlexiCTError(f"The audit needs one value of {name} for each of the {len(patient)} cases.")
    present = ~pd.isna(column) & np.array([not isinstance(one, str) or one != "" for one in column])
    held = column[present]
    if len(set(held.tolist())) < 2:
        what = "has no value" if not len(held) else f"has the same value, {held[0]!s}, in every case that has one"
        return Covariate(name, present, np.zeros(len(held)), (), f"{name} {what}: nothing can be compared.")
    if all(_is_number(one) for one in held) and len(set(held.tolist())) > 2:
        numbers = held.astype(np.float64)
        if np.isfinite(numbers).all():
            return Covariate(name, present, numbers, ())
        column[np.flatnonzero(present)[~np.isfinite(numbers)]] = None
        return read_covariate(name, column, patient)
    return _categories(name, present, held.astype(str), patient[present])


def _categories(name: str, present: NDArray[np.bool_], held: NDArray, patient: NDArray[np.intp]) -> Covariate:
    patients_of = {level: np.unique(patient[held == level]).size for level in sorted(set(held.tolist()))}
    common = [level for level, count in patients_of.items() if count >= RARE_PATIENTS]
    levels = (*common, OTHER) if len(common) < len(patients_of) else tuple(common)
    number = {level: k for k, level in enumerate(common)}
    values = np.array([number.get(one, len(common)) for one in held.tolist()], dtype=np.float64)
    note = ""
    if len(common) < 2:
        note = f"{name} has fewer than two levels of {RARE_PATIENTS} patients or more: nothing can be compared."
    elif len(common) > MAX_LEVELS:
        note = f"{name} has {len(common)} levels, more than the {MAX_LEVELS} that can be compared."
    return Covariate(name, present, values, levels, note)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal | np.integer | np.floating) and not isinstance(
        value, bool | np.bool_
    )
