"""The selection: item ids, so that every page selects the same cases whatever it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.path import Path as Outline
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

Mode = Literal["replace", "add", "subtract"]
MODES: tuple[Mode, ...] = ("replace", "add", "subtract")
MOST_CORNERS = 200
MOST_STEPS = 50


@dataclass(frozen=True)
class Selection:
    """Items and their cases, and how they were selected.

    Attributes:
        items: item ids of one embedding set; empty where whole cases were selected.
        cases: the cases of the items.
        origin: how they were selected, such as `lasso on the map`.
    """

    items: frozenset[str] = frozenset()
    cases: frozenset[str] = frozenset()
    origin: str = ""

    def __bool__(self) -> bool:
        return bool(self.cases)

    def rows(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows of a table (`item_id`, `case_id`) are selected, `[n]`.

        If the table has none of the items (another view of the same cases), the rows of their cases.
        """
        if self.items:
            found = frame["item_id"].isin(self.items).to_numpy(dtype=bool)
            if found.any():
                return found
        return frame["case_id"].isin(self.cases).to_numpy(dtype=bool)


def of_rows(frame: pd.DataFrame, rows: NDArray[np.bool_], origin: str) -> Selection:
    """The selection of some rows of a table with `item_id` and `case_id`."""
    return Selection(frozenset(frame["item_id"][rows]), frozenset(frame["case_id"][rows]), origin)


def of_cases(case_ids: Iterable[str], origin: str = "") -> Selection:
    """The selection of whole cases, in every view."""
    return Selection(frozenset(), frozenset(map(str, case_ids)), origin)


def combined(frame: pd.DataFrame, before: Selection, rows: NDArray[np.bool_], mode: Mode, origin: str) -> Selection:
    """The selection before, replaced by rows of a table, extended by them or without them."""
    if mode == "replace" or not before:
        return of_rows(frame, rows if mode != "subtract" else np.zeros(len(frame), dtype=bool), origin)
    old = before.rows(frame)
    kept = old | rows if mode == "add" else old & ~rows
    words = {"add": f"{before.origin}, more by {origin}", "subtract": f"{before.origin}, fewer by {origin}"}
    return of_rows(frame, kept, words[mode] if len(words[mode]) < 120 else "several steps")


def inside(coordinates: ArrayLike, polygon: Sequence[Sequence[float]]) -> NDArray[np.bool_]:
    """Which points `[n, 2]` lie within a polygon of the same coordinates, which comes from a browser.

    Raises:
        FlexiCTError: the polygon is not 3 to 200 corners of two finite numbers.
    """
    try:
        corners = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FlexiCTError("a drawn area is a list of corners of two numbers") from error
    if corners.ndim != 2 or corners.shape[1] != 2 or not 3 <= len(corners) <= MOST_CORNERS:
        raise FlexiCTError(f"a drawn area has 3 to {MOST_CORNERS} corners of two numbers")
    if not np.isfinite(corners).all():
        raise FlexiCTError("a drawn area has finite corners")
    points = np.asarray(coordinates, dtype=np.float64)
    (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
    x, y = points[:, 0], points[:, 1]
    found = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    # Most points are far from a small area, and the exact test is slow.
    near = np.flatnonzero(found)
    found[near] = Outline(corners).contains_points(points[near])
    return found


@dataclass
class History:
    """Successive selections, with undo and redo."""

    steps: list[Selection] = field(default_factory=lambda: [Selection()])
    at: int = 0

    @property
    def current(self) -> Selection:
        """The current selection."""
        return self.steps[self.at]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier selection."""
        return self.at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a selection that was undone."""
        return self.at < len(self.steps) - 1

    def put(self, selection: Selection) -> None:
        """Make a selection current. Undone selections are forgotten, and so are those more than 50 steps back."""
        if selection == self.current:
            return
        self.steps = [*self.steps[: self.at + 1], selection][-MOST_STEPS:]
        self.at = len(self.steps) - 1

    def undo(self) -> None:
        """Return to the previous selection."""
        self.at = max(0, self.at - 1)

    def redo(self) -> None:
        """Return to the selection that was undone last."""
        self.at = min(len(self.steps) - 1, self.at + 1)


def mode_of(picked: Mapping[str, Any]) -> Mode:
    """The mode that the browser sent; `replace` for an unknown one."""
    mode = picked.get("mode")
    return mode if mode in MODES else "replace"
