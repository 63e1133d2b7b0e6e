"""A panel: one number a case, by stage, as boxes with the cases over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from numpy.typing import NDArray

from dashboard.wording.escaping import in_hovertemplate, in_html

from .map import point_size, screen_marker
from .style.theme import INK, stage_marks

JITTER = 0.22
# Of fewer cases quartiles and outlines say more than the cases do: they are points alone.
MIN_SUMMARISED = 8


@dataclass(frozen=True)
class Box:
    """A box plot of one group, drawn on screen and in print from these numbers; named as matplotlib's `bxp` has them.

    q1, med, q3: by linear interpolation between the sorted values (Hyndman and Fan's type 7, numpy's `linear`).
    whislo, whishi: the furthest values within 1.5 interquartile ranges of the box.
    """

    q1: float
    med: float
    q3: float
    whislo: float
    whishi: float


def box_of(values: NDArray[np.float64]) -> Box | None:
    """The box of a group `[n]`; None where fewer than 8 values are known."""
    known = values[np.isfinite(values)]
    if len(known) < MIN_SUMMARISED:
        return None
    q1, med, q3 = (float(one) for one in np.quantile(known, [0.25, 0.5, 0.75], method="linear"))
    reach = 1.5 * (q3 - q1)
    within = known[(known >= q1 - reach) & (known <= q3 + reach)]
    # A quartile is interpolated: no value need lie between it and its fence.
    return Box(q1, med, q3, min(float(within.min()), q1), max(float(within.max()), q3))


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
    """Add boxes (of groups of 8 or more) and points to one cell of a plotly grid; `customdata[0]` is the item id."""
    levels = np.unique(stage)
    for position, (level, mark) in enumerate(zip(levels, stage_marks(len(levels)), strict=True)):
        rows = np.flatnonzero(stage == level)
        name = stage_name(level, names)
        box = box_of(values[rows])
        if box is not None:
            figure.add_trace(
                go.Box(
                    x=[float(position)],
                    q1=[box.q1],
                    median=[box.med],
                    q3=[box.q3],
                    lowerfence=[box.whislo],
                    upperfence=[box.whishi],
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
                name=f"{in_html(name)} (n = {len(rows)})",
                showlegend=False,  # The axis names the stages and their n.
                marker=screen_marker(mark, point_size(len(values)) * 0.8),
                customdata=[[one] for one in ids],
                text=[in_html(one) for one in ids],
                hovertemplate=f"<b>%{{text}}</b><br>{value_name}: %{{y:.3f}}<extra>{in_hovertemplate(name)}</extra>",
            ),
            row=row,
            col=col,
        )
    figure.update_xaxes(
        tickvals=list(range(len(levels))),
        ticktext=[f"{in_html(stage_name(one, names))}<br>n = {(stage == one).sum()}" for one in levels],
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
    """Draw boxes (of groups of 8 or more) and points on matplotlib axes, with n under every stage."""
    levels = np.unique(stage)
    groups = [values[stage == level] for level in levels]
    boxes = [(position, box) for position, box in enumerate(map(box_of, groups)) if box is not None]
    axes.bxp(
        [asdict(box) for _, box in boxes],
        positions=[position for position, _ in boxes],
        widths=0.6,
        showfliers=False,
        manage_ticks=False,
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
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_xticks(range(len(levels)), [f"{stage_name(one, names)}\nn = {(stage == one).sum()}" for one in levels])


def violin_panel(
    axes: Axes,
    values: NDArray[np.float64],
    stage: NDArray[np.float64],
    *,
    names: Mapping[float, str] | None,
) -> None:
    """The print panel with the outline of each stage's distribution behind it, of stages of 8 cases or more."""
    levels = np.unique(stage)
    for position, (level, mark) in enumerate(zip(levels, stage_marks(len(levels)), strict=True)):
        group = values[stage == level]
        if len(group) < MIN_SUMMARISED or np.ptp(group) == 0:
            continue
        bodies: Any = axes.violinplot(group, positions=[position], widths=0.95, showextrema=False)["bodies"]
        for body in bodies:
            body.set(facecolor=mark.colour, edgecolor=mark.colour, alpha=0.22, linewidth=0.5)
    print_panel(axes, values, stage, names=names)
