"""What points are coloured by, and how its groups are drawn and named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .theme import MISSING, Mark, category_marks, stage_marks

MAX_CATEGORIES = 12


@dataclass(frozen=True)
class PointGroup:
    """The rows of one value, its name and mark."""

    name: str
    rows: NDArray[np.intp]
    mark: Mark

    @property
    def legend(self) -> str:
        """Name and number of cases."""
        return f"{self.name} (n = {len(self.rows)})"


@dataclass(frozen=True)
class ColourColumn:
    """One value a point: a category, an ordered stage (`levels` in order) or a continuous quantity with
    unit.
    """

    name: str
    values: Sequence[Any] | NDArray[Any] | pd.Series
    kind: Literal["category", "stage", "continuous"]
    unit: str | None = None
    levels: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name with unit, for a colour bar."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def numbers(self) -> NDArray[np.float64]:
        """A continuous column as numbers, NaN where missing."""
        return pd.to_numeric(pd.Series(self.values), errors="coerce").to_numpy(dtype=np.float64)

    @property
    def on_log_scale(self) -> bool:
        """Whether a continuous column is all positive and spans a factor of 30, as tumour volumes do."""
        numbers = self.numbers()
        known = numbers[np.isfinite(numbers)]
        return bool(known.size and known.min() > 0 and known.max() / known.min() > 30)

    def texts(self) -> list[str | None]:
        """Values as text, None where missing."""
        return [None if pd.isna(value) else str(value) for value in self.values]

    def groups(self) -> tuple[PointGroup, ...]:
        """Groups of a category or stage in their order, missing values last.

        Categories go from the most frequent on; past 12, the rarest become one group of others.
        """
        texts = np.array(self.texts(), dtype=object)
        present = [text for text in texts if text is not None]
        counts = pd.Series(present, dtype=object).value_counts()
        if self.kind == "stage":
            known = [level for level in self.levels if level in counts.index]
            names = known + sorted(set(counts.index) - set(known))
        else:
            names = sorted(counts.index, key=lambda name: (-int(counts[name]), name))
        others: list[str] = []
        if self.kind != "stage" and len(names) > MAX_CATEGORIES:
            names, others = names[: MAX_CATEGORIES - 1], names[MAX_CATEGORIES - 1 :]
        marks = stage_marks(len(names)) if self.kind == "stage" else category_marks(len(names))
        groups = [
            PointGroup(name, np.flatnonzero(texts == name), mark) for name, mark in zip(names, marks, strict=True)
        ]
        if others:
            rows = np.flatnonzero([text in set(others) for text in texts])
            groups.append(PointGroup(f"{len(others)} other values", rows, MISSING))
        absent = np.flatnonzero([text is None for text in texts])
        if absent.size:
            groups.append(PointGroup("missing", absent, MISSING))
        return tuple(groups)
