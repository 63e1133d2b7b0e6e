"""Retrieval: recall, precision and average precision with their intervals, each beside its chance level."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from embeddings.analysis import Retrieval
from embeddings.formatting import of_patients

from .style.intervals import NUMBERS_SHARE
from .style.theme import (
    CATEGORY_COLOURS,
    INK,
    SINGLE_COLUMN_MM,
    finish_print,
    finish_screen,
    legend_below,
    print_canvas,
)

CHANCE = "chance"
AXIS = "Value (0 to 1)"


@dataclass(frozen=True)
class RetrievalRow:
    """One measure with its 95 % interval and what a random order would reach."""

    label: str
    value: float
    low: float
    high: float
    chance: float

    @property
    def text(self) -> str:
        """Value, interval and chance level as numbers."""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}], {CHANCE} {self.chance:.2f}"


def rows(result: Retrieval) -> list[RetrievalRow]:
    """The lines of the panel. Precision@1 is Recall@1 and stands once."""
    recall = [
        RetrievalRow(f"Recall@{one.k}", one.recall, one.recall_low, one.recall_high, one.recall_chance)
        for one in result.at_k
    ]
    precision = [
        RetrievalRow(f"Precision@{one.k}", one.precision, one.precision_low, one.precision_high, one.precision_chance)
        for one in result.at_k
        if one.k > 1
    ]
    whole = RetrievalRow(
        "mAP",
        result.mean_average_precision,
        result.mean_average_precision_low,
        result.mean_average_precision_high,
        result.mean_average_precision_chance,
    )
    return [*recall, *precision, whole]


def screen(result: Retrieval, *, footer: str | None = None) -> go.Figure:
    """The panel on screen, the numbers in a column at its right; a grey tick is the chance level."""
    lines = rows(result)
    labels = [line.label for line in lines]
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[line.value for line in lines],
            y=labels,
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [line.high - line.value for line in lines],
                "arrayminus": [line.value - line.low for line in lines],
                "thickness": 2,
            },
            mode="markers",
            name="value, 95 % interval",
            marker={"size": 11, "symbol": "square", "color": CATEGORY_COLOURS[0]},
            text=[line.text for line in lines],
            hovertemplate="%{y}: %{text}<extra></extra>",
            cliponaxis=False,
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[line.chance for line in lines],
            y=labels,
            mode="markers",
            name=CHANCE,
            marker={"size": 22, "symbol": "line-ns-open", "color": INK, "line": {"width": 2.5, "color": INK}},
            hovertemplate="%{y}: chance %{x:.3f}<extra></extra>",
            cliponaxis=False,
        )
    )
    for line in lines:
        figure.add_annotation(
            text=line.text, x=1.0, xref="x domain", xanchor="left", xshift=14, y=line.label, showarrow=False
        )
    figure.update_xaxes(title=AXIS, range=[0, 1.02], domain=[0, 1 - NUMBERS_SHARE])
    figure.update_yaxes(autorange="reversed")
    return legend_below(finish_screen(figure, title=_title(result), footer=footer, height=210 + 48 * len(lines)))


def print_figure(result: Retrieval, *, footer: str | None = None) -> Figure:
    """The panel for print, one journal column wide."""
    figure, (axes,) = print_canvas(width_mm=SINGLE_COLUMN_MM, height_mm=32.0 + 9.0 * len(rows(result)))
    draw(axes, result)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=2, handletextpad=0.4)
    return finish_print(figure, title=_title(result).replace(", ", ",\n", 1), footer=footer)


def draw(axes: Axes, result: Retrieval) -> None:
    """Draw the panel on matplotlib axes: intervals with their numbers above, a grey tick for chance."""
    lines = rows(result)
    for position, line in enumerate(lines):
        first = position == 0
        axes.plot([line.low, line.high], [position, position], color=CATEGORY_COLOURS[0], linewidth=1.2)
        axes.plot(
            line.value,
            position,
            marker="s",
            markersize=4,
            linestyle="none",
            color=CATEGORY_COLOURS[0],
            label="value, 95 % interval" if first else None,
        )
        axes.plot(
            line.chance,
            position,
            marker="|",
            markersize=9,
            markeredgewidth=1.4,
            linestyle="none",
            color=INK,
            label=CHANCE if first else None,
        )
        axes.annotate(line.text, (0.5, position), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=6)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(lines) - 0.5, -0.8)
    axes.set_yticks(range(len(lines)), [line.label for line in lines])
    axes.set_xlabel(AXIS)


def data(result: Retrieval) -> pd.DataFrame:
    """One row a measure: value, interval, chance level, and how they were taken."""
    lines = [(line.label, line.value, line.low, line.high, line.chance) for line in rows(result)]
    table = pd.DataFrame(lines, columns=["measure", "value", "low", "high", "chance"])
    return table.assign(
        protocol=result.protocol,
        n_splits=result.n_splits,
        n_sets=result.n_sets,
        n=result.n,
        n_patients=result.n_patients,
        n_without_match=result.n_without_match,
    )


def protocol_words(result: Retrieval) -> str:
    """How the queries met their candidates, and whether sets were fused."""
    how = {"leave-patient-out": "each against all other patients", "halves": f"{result.n_splits} random halves"}
    fused = f", {result.n_sets} sets fused" if result.n_sets > 1 else ""
    return how[result.protocol] + fused


def _title(result: Retrieval) -> str:
    return f"Retrieval of similar cases, {of_patients(result.n, result.n_patients)}, {protocol_words(result)}"
