"""A result drawn in one call, shown below a notebook's cell and saved for a paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from embeddings.analysis import (
    Courses,
    Probe,
    Pseudotime,
    Retrieval,
    SetComparison,
    SetSimilarity,
    ShortcutAudit,
    StageGradient,
    SurvivalByScore,
)

from . import audit, compare, courses, gradient, probe, retrieval, set_similarity, survival, trajectory
from .style.export import csv_bytes, figure_bytes

_PRINTED: dict[type, Callable[..., Figure]] = {
    StageGradient: gradient.print_figure,
    Probe: probe.print_figure,
    ShortcutAudit: audit.print_figure,
    Pseudotime: trajectory.print_figure,
    Courses: courses.print_figure,
    Retrieval: retrieval.print_figure,
    SurvivalByScore: survival.print_figure,
    SetComparison: compare.print_figure,
    SetSimilarity: set_similarity.print_figure,
}


@dataclass(frozen=True)
class Drawing:
    """A figure for print that a notebook shows."""

    figure: Figure

    def save(self, path: Path | str) -> Path:
        """Write it as SVG, PDF or PNG (300 dpi) by the ending of `path`. Raises ValueError on another ending."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(figure_bytes(self.figure, path.suffix.removeprefix(".").lower()))  # type: ignore[arg-type]
        return path

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure, "png")


def save_table(table: pd.DataFrame, path: Path | str) -> Path:
    """Write the numbers behind a figure as CSV, safe to open in a spreadsheet (`csv_bytes`)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(csv_bytes(table))
    return path


def draw(result: Any, *details: Any, **words: Any) -> Drawing:
    """The figure of a result, or a figure that is drawn already, ready to show and to save.

    details, words: what `print_figure` of the result's module takes beside it: names, units, `footer`.

    Raises TypeError on anything that is neither.

    Example:
        >>> import numpy as np
        >>> from embeddings.analysis import stage_gradient
        >>> stage = np.repeat([0, 1], 15)
        >>> X = stage[:, None] + np.random.default_rng(0).normal(size=(30, 4))
        >>> draw(stage_gradient(X, stage, n_permutations=99, n_bootstrap=50)).figure.get_axes() != []
        True
    """
    if isinstance(result, Figure):
        return Drawing(result)
    if type(result) not in _PRINTED:
        raise TypeError(f"there is no figure of a {type(result).__name__}")
    return Drawing(_PRINTED[type(result)](result, *details, **words))
