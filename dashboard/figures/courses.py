"""Covariates along the pseudotime: a panel each, with its cases, its smooth and the band."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboard.wording.escaping import in_html
from embeddings.analysis import Courses, Smooth, p_short, p_sides
from embeddings.formatting import of_patients

from .map import MAX_VECTOR_POINTS
from .style.theme import (
    CATEGORY_COLOURS,
    DOUBLE_COLUMN_MM,
    INK,
    SINGLE_COLUMN_MM,
    finish_print,
    finish_screen,
    panel_title,
    print_canvas,
)

PSEUDOTIME = "Pseudotime"
# Panels in a row.
SCREEN_COLUMNS, PRINT_COLUMNS = 2, 3
BAND = "rgba(0,114,178,0.22)"
# Cases of a binary covariate are spread by this much around 0 and 1.
SPREAD = 0.03


def screen(result: Courses, *, labels: Mapping[str, str] | None = None, footer: str | None = None) -> go.Figure:
    """Small panels on screen, two in a row. labels: a column's name -> how people write it, with its unit."""
    smooths = result.smooths
    columns = min(SCREEN_COLUMNS, len(smooths))
    n_rows = -(-len(smooths) // columns)
    figure = make_subplots(
        rows=n_rows,
        cols=columns,
        subplot_titles=[in_html(_panel_title(result, one, labels)) for one in smooths],
        vertical_spacing=0.32 / n_rows,
        horizontal_spacing=0.13,
    )
    for position, one in enumerate(smooths):
        row, col = position // columns + 1, position % columns + 1
        _screen_panel(figure, one, row=row, col=col)
        figure.update_xaxes(title=PSEUDOTIME, range=[-0.03, 1.03], row=row, col=col)
        figure.update_yaxes(title=in_html(_axis_label(one, labels)), row=row, col=col)
    return finish_screen(figure, title=_title(result), footer=footer, height=150 + 330 * n_rows)


def print_figure(result: Courses, *, labels: Mapping[str, str] | None = None, footer: str | None = None) -> Figure:
    """Small panels for print: one journal column for one covariate, else two, three panels in a row."""
    smooths = result.smooths
    columns = min(PRINT_COLUMNS, len(smooths))
    n_rows = -(-len(smooths) // columns)
    figure, _ = print_canvas(
        width_mm=SINGLE_COLUMN_MM if columns == 1 else DOUBLE_COLUMN_MM, height_mm=22.0 + 55.0 * n_rows
    )
    figure.clf()
    panels = figure.subplots(n_rows, columns, squeeze=False).ravel()
    for position, (axes, one) in enumerate(zip(panels, smooths, strict=False)):
        draw(axes, one, label=_axis_label(one, labels))
        title = _panel_title(result, one, labels).replace(": ", "\n", 1)
        panel_title(axes, _letter(position), title)
    for axes in panels[len(smooths) :]:
        axes.remove()
    return finish_print(figure, title=_title(result), footer=footer)


def draw(axes: Axes, smooth: Smooth, *, label: str | None = None) -> None:
    """Draw one covariate on matplotlib axes: cases, smooth and band."""
    axes.fill_between(smooth.grid, smooth.low, smooth.high, color=CATEGORY_COLOURS[0], alpha=0.22, linewidth=0)
    axes.scatter(
        smooth.time,
        _shown(smooth),
        s=5 if smooth.n <= 500 else 2,
        c=INK,
        alpha=0.6,
        linewidths=0,
        rasterized=smooth.n > MAX_VECTOR_POINTS,
    )
    axes.plot(smooth.grid, smooth.fit, color=CATEGORY_COLOURS[0], linewidth=1.2)
    axes.set_xlabel(PSEUDOTIME)
    axes.set_ylabel(label or _axis_label(smooth, None))
    axes.set_xlim(-0.03, 1.03)


def data(result: Courses) -> pd.DataFrame:
    """The curves: one row a covariate and pseudotime with smooth and band."""
    return pd.DataFrame(
        [
            (one.name, one.level, time, fit, low, high)
            for one in result.smooths
            for time, fit, low, high in zip(one.grid, one.fit, one.low, one.high, strict=True)
        ],
        columns=["covariate", "share_of", "pseudotime", "fit", "low", "high"],
    )


def summary(result: Courses, *, labels: Mapping[str, str] | None = None) -> pd.DataFrame:
    """One row a covariate: rank correlation with interval, p, p adjusted for their number, n and missing."""
    return pd.DataFrame(
        [
            (
                _axis_label(one, labels),
                one.rho,
                one.rho_low,
                one.rho_high,
                one.p,
                one.p_adjusted,
                one.n,
                one.n_patients,
                one.n_missing,
            )
            for one in result.smooths
        ],
        columns=["covariate", "rho", "rho_low", "rho_high", "p", "p_adjusted", "n", "n_patients", "n_missing"],
    )


def cases_data(result: Courses) -> pd.DataFrame:
    """The points: one row a covariate and case."""
    return pd.DataFrame(
        [(one.name, time, value) for one in result.smooths for time, value in zip(one.time, one.value, strict=True)],
        columns=["covariate", "pseudotime", "value"],
    )


def _screen_panel(figure: go.Figure, one: Smooth, *, row: int, col: int) -> None:
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([one.grid, one.grid[::-1]]),
            y=np.concatenate([one.high, one.low[::-1]]),
            fill="toself",
            fillcolor=BAND,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
        ),
        row=row,
        col=col,
    )
    figure.add_trace(
        go.Scattergl(
            x=one.time,
            y=_shown(one),
            mode="markers",
            marker={"size": 5, "color": INK, "opacity": 0.6},
            hovertemplate="pseudotime %{x:.2f}: %{y:.3g}<extra></extra>" if one.kind == "numeric" else None,
            hoverinfo=None if one.kind == "numeric" else "skip",
            showlegend=False,
        ),
        row=row,
        col=col,
    )
    figure.add_trace(
        go.Scatter(
            x=one.grid,
            y=one.fit,
            customdata=np.column_stack([one.low, one.high]),
            mode="lines",
            line={"color": CATEGORY_COLOURS[0], "width": 2.5},
            hovertemplate="smooth %{y:.3g} [%{customdata[0]:.3g}, %{customdata[1]:.3g}]<extra></extra>",
            showlegend=False,
        ),
        row=row,
        col=col,
    )


def _shown(smooth: Smooth) -> NDArray[np.float64]:
    """The values as drawn: those of a binary covariate a little apart, or they would hide each other."""
    if smooth.kind == "numeric":
        return smooth.value
    return smooth.value + np.random.default_rng(0).uniform(-SPREAD, SPREAD, smooth.n)


def _axis_label(smooth: Smooth, labels: Mapping[str, str] | None) -> str:
    label = (labels or {}).get(smooth.name, smooth.name)
    return label if smooth.kind == "numeric" else f"{label}: share of {smooth.level}"


def _panel_title(result: Courses, smooth: Smooth, labels: Mapping[str, str] | None) -> str:
    label = (labels or {}).get(smooth.name, smooth.name)
    p = p_short(smooth.p, result.adjusted(smooth))
    return f"{label}: rho {smooth.rho:z.2f} [{smooth.rho_low:z.2f}, {smooth.rho_high:z.2f}], {p}"


def _letter(position: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[position] if position < 26 else ""


def _title(result: Courses) -> str:
    n, patients = (max(getattr(one, name) for one in result.smooths) for name in ("n", "n_patients"))
    p = p_sides("two-sided", result.adjusted(result.smooths[0]))
    return f"Covariates along pseudotime, {of_patients(n, patients)}; p {p}"
