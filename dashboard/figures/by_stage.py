"""A panel: one number a case, by stage, as boxes with the cases over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from numpy.typing import NDArray

from .map import point_size, screen_marker
from .theme import INK, in_template, stage_marks

JITTER = 0.22
# Of fewer cases the outline is a matter of its bandwidth.
MIN_VIOLIN = 5


def stage_name(code: float, names: Mapping[float, str] | None) -> str:
    """A stage as people write it, or its code."""
    return names[code] if names and code in names else f"{code:g}"


def named_rows(item_ids: Sequence[str] | None, rows: NDArray[np.intp]) -> list[str]:
    """The item ids of some rows, or their numbers where there are no ids."""
    return [f"row {row}" if item_ids is None else str(item_ids[row]) for row in rows.tolist()]


def jitter(n: int) -> NDArray[np.float64]:
    """The same sideways shifts [n] at every drawing."""
    return np.random.default_rng(0).uniform(-JITTER, JITTER, n)


def screen_panel(
    figure: go.Figure,
    values: NDArray[np.float64],
    stage: NDArray[np.float64],
    *,
    names: Mapping[float, str] | None,
    item_ids: Sequence[str] | None,
    value_name: str,
    row: int,
    col: int,
) -> None:
    """Add boxes and points to one cell of a plotly grid; `customdata[0]` is the item id."""
    levels = np.unique(stage)
    for position, (level, mark) in enumerate(zip(levels, stage_marks(len(levels)), strict=True)):
        rows = np.flatnonzero(stage == level)
        name = stage_name(level, names)
        figure.add_trace(
            go.Box(
                x=np.full(len(rows), float(position)),
                y=values[rows],
                boxpoints=False,
                width=0.6,
                line={"color": INK, "width": 1.5},
                fillcolor="rgba(127,127,127,0.12)",
                hoverinfo="skip",
                showlegend=False,
            ),
            row=row,
            col=col,
        )
        ids = named_rows(item_ids, rows)
        figure.add_trace(
            go.Scattergl(
                x=position + jitter(len(rows)),
                y=values[rows],
                mode="markers",
                name=f"{escape(name)} (n = {len(rows)})",
                showlegend=False,  # The axis names the stages and their n.
                marker=screen_marker(mark, point_size(len(values)) * 0.8),
                customdata=[[one] for one in ids],
                text=[escape(one) for one in ids],
                hovertemplate=f"<b>%{{text}}</b><br>{value_name}: %{{y:.3f}}<extra>{in_template(name)}</extra>",
            ),
            row=row,
            col=col,
        )
    figure.update_xaxes(
        tickvals=list(range(len(levels))),
        ticktext=[f"{escape(stage_name(one, names))}<br>n = {(stage == one).sum()}" for one in levels],
        row=row,
        col=col,
    )


def print_panel(
    axes: Axes,
    values: NDArray[np.float64],
    stage: NDArray[np.float64],
    *,
    names: Mapping[float, str] | None,
) -> None:
    """Draw boxes and points on matplotlib axes, with n under every stage."""
    levels = np.unique(stage)
    groups = [values[stage == level] for level in levels]
    axes.boxplot(
        groups,
        positions=range(len(levels)),
        widths=0.6,
        showfliers=False,
        medianprops={"color": "black", "linewidth": 1.0},
        boxprops={"linewidth": 0.6},
        whiskerprops={"linewidth": 0.6},
        capprops={"linewidth": 0.6},
    )
    for position, (group, mark) in enumerate(zip(groups, stage_marks(len(levels)), strict=True)):
        axes.scatter(
            position + jitter(len(group)),
            group,
            s=7 if len(values) <= 500 else 3,
            c=mark.colour,
            marker=mark.marker,
            linewidths=0.2,
            edgecolors="white",
            zorder=3,
            rasterized=len(values) > 3000,
        )
    axes.set_xticks(range(len(levels)), [f"{stage_name(one, names)}\nn = {(stage == one).sum()}" for one in levels])


def violin_panel(
    axes: Axes,
    values: NDArray[np.float64],
    stage: NDArray[np.float64],
    *,
    names: Mapping[float, str] | None,
) -> None:
    """The print panel with the outline of each stage's distribution behind it (of stages of 5 cases or more)."""
    levels = np.unique(stage)
    for position, (level, mark) in enumerate(zip(levels, stage_marks(len(levels)), strict=True)):
        group = values[stage == level]
        if len(group) < MIN_VIOLIN or np.ptp(group) == 0:
            continue
        bodies: Any = axes.violinplot(group, positions=[position], widths=0.95, showextrema=False)["bodies"]
        for body in bodies:
            body.set(facecolor=mark.colour, edgecolor=mark.colour, alpha=0.22, linewidth=0.5)
    print_panel(axes, values, stage, names=names)
