"""A panel: estimates with their 95 % intervals, one a line (a forest plot)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes

from dashboard.wording.escaping import in_hovertemplate, in_html
from embeddings.analysis import Adjusted, p_sides

from .theme import CATEGORY_COLOURS, INK

# The part of a panel on screen that its numbers take.
NUMBERS_SHARE = 0.32
LINE_CHARACTERS = 34
# Why an interval and a p can seem to disagree, for the axis of a panel that shows both.
KEY = "interval: patients resampled, fit kept; p: fit redone to permuted labels"


@dataclass(frozen=True)
class IntervalRow:
    """One estimate. Without an interval (NaN) it is drawn hollow. `note` stands at the right, such as a
    p-value.
    """

    label: str
    value: float
    low: float
    high: float
    note: str = ""

    @property
    def has_interval(self) -> bool:
        """Whether low and high are known."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def text(self) -> str:
        """Estimate, interval and note as a sentence of numbers."""
        return ", ".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """Estimate with interval, and the note where there is one: a line each."""
        span = f" [{self.low:z.2f}, {self.high:z.2f}]" if self.has_interval else ""
        return [f"{self.value:z.2f}{span}", *([self.note] if self.note else [])]

    def wrapped(self, line_break: str) -> str:
        """The text on one line where it is short enough, else on two."""
        return self.text if len(self.text) <= LINE_CHARACTERS else line_break.join(self.lines)


def axis_label(measure: str, sides: str, adjusted: Adjusted | None = None, key: str = KEY) -> list[str]:
    """The lines under an axis: the measure, what the p beside the values are, and what interval and p ask."""
    return [measure, f"p {p_sides(sides, adjusted)}", *([key] if key else [])]


def screen_label(lines: Sequence[str]) -> dict[str, Any]:
    """Such lines as the title of a plotly axis, close under it: what lies below has little room."""
    return {"text": "<br>".join(map(in_html, lines)), "font": {"size": 13}, "standoff": 6}


def print_label(axes: Axes, lines: Sequence[str], characters: int = 40) -> None:
    """Such lines under matplotlib axes, in small type and no wider than a panel."""
    axes.set_xlabel("\n".join(textwrap.fill(line, characters, break_on_hyphens=False) for line in lines), fontsize=6)


def screen_panel(figure: go.Figure, lines: Sequence[IntervalRow], *, reference: float, row: int, col: int) -> None:
    """Add the intervals to one cell of a plotly grid, their numbers in a column at its right; the cell should
    be as wide as the figure. A dashed rule stands at `reference` (no effect).
    """
    axis = figure.get_subplot(row, col).xaxis
    start, end = axis.domain
    axis.domain = (start, end - NUMBERS_SHARE * (end - start))
    for position, line in enumerate(lines):
        bars = None
        if line.has_interval:
            bars = {
                "type": "data",
                "symmetric": False,
                "array": [line.high - line.value],
                "arrayminus": [line.value - line.low],
                "thickness": 2,
            }
        figure.add_trace(
            go.Scatter(
                x=[line.value],
                y=[position],
                error_x=bars,
                mode="markers",
                marker={
                    "size": 11,
                    "symbol": "square" if line.has_interval else "square-open",
                    "color": CATEGORY_COLOURS[0],
                },
                hovertemplate=f"{in_hovertemplate(line.label)}: {in_hovertemplate(line.text)}<extra></extra>",
                showlegend=False,
                cliponaxis=False,
            ),
            row=row,
            col=col,
        )
        figure.add_annotation(
            text=in_html(line.wrapped("\n")).replace("\n", "<br>"),
            align="left",
            x=1.0,
            xref="x domain",
            xanchor="left",
            xshift=14,
            y=position,
            showarrow=False,
            row=row,
            col=col,
        )
    figure.update_xaxes(range=_span(lines, reference), row=row, col=col)
    figure.add_vline(x=reference, line={"dash": "dash", "color": INK, "width": 1}, row=row, col=col)
    figure.update_yaxes(
        tickvals=list(range(len(lines))),
        ticktext=[in_html(line.label).replace("\n", "<br>") for line in lines],
        range=[len(lines) - 0.5, -0.7],
        row=row,
        col=col,
    )


def print_panel(axes: Axes, lines: Sequence[IntervalRow], *, reference: float) -> None:
    """Draw the intervals on matplotlib axes, the numbers above each."""
    for position, line in enumerate(lines):
        if line.has_interval:
            axes.plot([line.low, line.high], [position, position], color=CATEGORY_COLOURS[0], linewidth=1.2)
        axes.plot(
            line.value,
            position,
            marker="s",
            markersize=4,
            color=CATEGORY_COLOURS[0],
            markerfacecolor=CATEGORY_COLOURS[0] if line.has_interval else "white",
        )
    _write_numbers(axes, lines, reference)
    axes.axvline(reference, color="#777777", linewidth=0.6, linestyle="--", zorder=0)
    axes.set_yticks(range(len(lines)), [line.label for line in lines])
    axes.set_ylim(len(lines) - 0.5, -0.8)


def _span(lines: Sequence[IntervalRow], reference: float) -> tuple[float, float]:
    """The range that holds every estimate, interval and the reference, with a margin."""
    ends = [end for line in lines for end in (line.value, line.low, line.high) if np.isfinite(end)]
    low, high = min([reference, *ends]), max([reference, *ends])
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _write_numbers(axes: Axes, lines: Sequence[IntervalRow], reference: float) -> None:
    """Each line's numbers above it: intervals' in the middle of the panel, where the longest still fits."""
    low, high = _span(lines, reference)
    axes.set_xlim(low, high)
    for position, line in enumerate(lines):
        axes.annotate(
            line.wrapped("\n"),
            ((low + high) / 2 if line.has_interval else line.value, position),
            xytext=(0, 4.5),
            textcoords="offset points",
            ha="center" if line.has_interval else "right",
            fontsize=6,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
