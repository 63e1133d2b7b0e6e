"""Survival by a score: Kaplan-Meier curves with numbers at risk, and the hazard ratios of Cox's model."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from embeddings.analysis import FALSE_DISCOVERY, Adjusted, CoxTerm, SurvivalByScore, p_short, p_words
from embeddings.formatting import counted

from .style import intervals
from .style.intervals import IntervalRow
from .style.theme import (
    BOTTOM_PX,
    DOUBLE_COLUMN_MM,
    SINGLE_COLUMN_MM,
    TRANSPARENT,
    finish_print,
    finish_screen,
    panel_title,
    print_canvas,
)
from .survival_curves import draw, screen_panels

_RATIO_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_LABEL_CHARACTERS = 26
# Above the axes on screen: title, legend, title of the panel.
_TOP_PX = 105

__all__ = ["cox_data", "data", "draw", "draw_ratios", "group_data", "print_figure", "ratio_rows", "screen"]


@dataclass(frozen=True)
class RatioRow(IntervalRow):
    """A hazard ratio, placed by its logarithm and written as itself."""

    @property
    def lines(self) -> list[str]:
        """Ratio with interval, and the note where there is one: a line each."""
        value, low, high = np.exp([self.value, self.low, self.high])
        return [f"{value:.2f} [{low:.2f}, {high:.2f}]", *([self.note] if self.note else [])]


def screen(
    result: SurvivalByScore, *, score_name: str = "Score", time_label: str = "Time", footer: str | None = None
) -> go.Figure:
    """Curves, under them the numbers at risk, under those the hazard ratios where there are any."""
    rows = ratio_rows(result, score_name)
    parts = [330.0, 26.0 * len(result.groups) + 10] + ([52.0 * len(rows) + 30] if rows else [])
    gap, frame = 75.0, float(BOTTOM_PX + _TOP_PX)
    inside = sum(parts) + gap * (len(parts) - 1)
    figure = make_subplots(
        rows=len(parts),
        cols=1,
        subplot_titles=[_curves_title(result), "Patients at risk", *([_cox_title(result)] if rows else [])],
        row_heights=parts,
        vertical_spacing=gap / inside,
    )
    screen_panels(figure, result, time_label=time_label)
    if rows:
        intervals.screen_panel(figure, rows, reference=0.0, row=3, col=1)
        at = _ratio_ticks(rows)
        figure.update_xaxes(title=intervals.screen_label(_ratio_label(result)), row=3, col=1)
        figure.update_xaxes(tickvals=np.log(at).tolist(), ticktext=[f"{t:g}" for t in at], row=3, col=1)
    figure = finish_screen(figure, title=_title(result, score_name), footer=footer, height=int(inside + frame))
    figure.update_xaxes(linecolor=TRANSPARENT, row=2, col=1)
    figure.update_yaxes(linecolor=TRANSPARENT, row=2, col=1)
    height = figure.layout.height
    # The legend stands above the curves: below everything it would be a page away from them.
    legend = {
        "orientation": "h",
        "yref": "container",
        "y": 1 - 44 / height,
        "yanchor": "top",
        "x": 0,
        "xanchor": "left",
    }
    return figure.update_layout(legend=legend, title={"y": 1 - 14 / height, "yanchor": "top"}, margin={"t": _TOP_PX})


def print_figure(
    result: SurvivalByScore, *, score_name: str = "Score", time_label: str = "Time", footer: str | None = None
) -> Figure:
    """Curves with numbers at risk; beside them the hazard ratios, where there are any."""
    rows = ratio_rows(result, score_name)
    figure, panels = print_canvas(
        width_mm=DOUBLE_COLUMN_MM if rows else SINGLE_COLUMN_MM,
        # A group takes a line of numbers at risk and one of the legend.
        height_mm=max(62.0 + 6.0 * len(result.groups), 30.0 + 9.0 * len(rows)) + (6.0 if footer else 0.0),
        panels=2 if rows else 1,
        widths=(1.15, 1.0) if rows else None,
    )
    draw(panels[0], result, time_label=time_label)
    panel_title(panels[0], "a", _curves_title(result))
    if rows:
        draw_ratios(panels[1], result, score_name=score_name)
        panel_title(panels[1], "b", _cox_title(result))
    width = 95 if rows else 52
    return finish_print(figure, title=textwrap.fill(_title(result, score_name), width), footer=footer)


def draw_ratios(axes: Axes, result: SurvivalByScore, *, score_name: str = "Score") -> None:
    """The hazard ratios on matplotlib axes; there must be some."""
    rows = ratio_rows(result, score_name)
    intervals.print_panel(axes, rows, reference=0.0)
    at = _ratio_ticks(rows)
    axes.set_xticks(np.log(at), [f"{t:g}" for t in at])
    intervals.print_label(axes, _ratio_label(result))


def data(result: SurvivalByScore) -> pd.DataFrame:
    """One row a group and time: survival with its band, and how many were censored then."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "group": group.name,
                    "time": group.time,
                    "survival": group.survival,
                    "low": group.low,
                    "high": group.high,
                    "n_censored": group.n_censored,
                }
            )
            for group in result.groups
        ],
        ignore_index=True,
    )


def group_data(result: SurvivalByScore) -> pd.DataFrame:
    """One row a group: its patients, events, range of the score, median survival with interval, numbers at risk."""
    table = pd.DataFrame(
        [
            (g.name, g.n, g.n_events, g.score_low, g.score_high, g.median, g.median_low, g.median_high)
            for g in result.groups
        ],
        columns=["group", "n", "n_events", "score_from", "score_to", "median", "median_low", "median_high"],
    )
    at_risk = {f"at_risk_{t:g}": result.at_risk.n[:, k] for k, t in enumerate(result.at_risk.time)}
    return table.assign(**at_risk)


def cox_data(result: SurvivalByScore, *, score_name: str = "Score") -> pd.DataFrame:
    """One row a term of each Cox model; p adjusted within the model; p of the proportional hazards check."""
    rows = [
        (
            model,
            score_name if term.name == "score" else term.name,
            term.contrast,
            term.hazard_ratio,
            term.low,
            term.high,
            term.p,
            term.p_adjusted,
            term.ph_p,
            term.ph_p_adjusted,
            n,
            n_events,
        )
        for model, terms, n, n_events in _models(result)
        for term in terms
    ]
    numbers = ["hazard_ratio", "low", "high", "p", "p_adjusted", "ph_p", "ph_p_adjusted", "n", "n_events"]
    return pd.DataFrame(rows, columns=["model", "term", "contrast", *numbers])


def ratio_rows(result: SurvivalByScore, score_name: str) -> list[IntervalRow]:
    """The lines of the panel of hazard ratios."""
    return [
        RatioRow(
            label=_label(term, model, score_name),
            value=float(np.log(term.hazard_ratio)),
            low=float(np.log(term.low)),
            high=float(np.log(term.high)),
            note=p_short(term.p, Adjusted(term.p_adjusted, len(terms), FALSE_DISCOVERY)),
        )
        for model, terms, _, _ in _models(result)
        for term in terms
    ]


def _models(result: SurvivalByScore) -> list[tuple[str, tuple[CoxTerm, ...], int, int]]:
    """The score alone, and the model with covariates where it is another one: name, terms, patients, events."""
    alone = (result.score_alone,) if result.score_alone else ()
    models: list[tuple[str, tuple[CoxTerm, ...], int, int]] = []
    if alone:
        models.append(("score alone", alone, result.n, result.n_events))
    if result.cox and result.cox != alone:
        models.append(("with covariates", result.cox, result.n_cox, result.n_cox_events))
    return models


def _label(term: CoxTerm, model: str, score_name: str) -> str:
    if term.name == "score":
        lines = (score_name, f"{'alone' if model == 'score alone' else 'adjusted'}, {term.contrast}")
    else:
        lines = (term.name, term.contrast)
    return "\n".join(textwrap.shorten(line, _LABEL_CHARACTERS, placeholder=" ...") for line in lines)


def _ratio_ticks(rows: list[IntervalRow]) -> NDArray[np.float64]:
    low = min(0.0, *(row.low for row in rows))
    high = max(0.0, *(row.high for row in rows))
    ticks = np.array(_RATIO_TICKS)
    # Narrow panels get narrow ticks: without a second one an axis has no scale.
    if high - low < np.log(4):
        ticks = np.array([0.25, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0])
    return ticks[(np.log(ticks) >= low - 0.05) & (np.log(ticks) <= high + 0.05)]


def _curves_title(result: SurvivalByScore) -> str:
    return f"Kaplan-Meier, log-rank {p_words(result.logrank_p, 'two-sided')}"


def _cox_title(result: SurvivalByScore) -> str:
    return f"Cox; C-index {result.c_index:.2f} [{result.c_index_low:.2f}, {result.c_index_high:.2f}]"


def _ratio_label(result: SurvivalByScore) -> list[str]:
    # Of several models the largest; the score alone is one term, whose p needs no adjusting.
    adjusted = Adjusted(float("nan"), len(result.cox), FALSE_DISCOVERY, "terms")
    return intervals.axis_label("Hazard ratio", "two-sided", adjusted, key="")


def _title(result: SurvivalByScore, score_name: str) -> str:
    return f"Survival by {score_name}, {counted(result.n, 'patient')}, {counted(result.n_events, 'event')}"
