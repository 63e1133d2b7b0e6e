"""Kaplan-Meier curves by group of a score with bands, censoring and numbers at risk, on screen and for print."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from dashboard.wording.escaping import in_hovertemplate, in_html
from embeddings.analysis import SurvivalByScore, SurvivalGroup
from embeddings.formatting import counted

from .style.theme import CATEGORY_COLOURS

SURVIVAL = "Survival probability"
# Line styles say again what colours say: (matplotlib, plotly).
_STYLES = (("-", "solid"), ("--", "dash"), (":", "dot"), ("-.", "dashdot"), ((0, (7, 2)), "longdash"))
# Blue for the lowest score, vermilion always for the highest.
_COLOURS = tuple(CATEGORY_COLOURS[i] for i in (0, 2, 5, 3, 1))
# Print: from the axis down to the numbers at risk, past tick labels and axis title; and from line to line.
_AT_RISK_PT, _AT_RISK_LINE_PT = 30.0, 8.5


def screen_panels(figure: go.Figure, result: SurvivalByScore, *, time_label: str) -> None:
    """Add the curves to row 1 of a plotly grid of one column, and the numbers at risk to row 2."""
    for group, colour, (_, dash) in _styled(result):
        _screen_curve(figure, group, colour, dash)
    last = _last(result)
    ticks = result.at_risk.time.tolist()
    for row in (1, 2):
        figure.update_xaxes(range=[-0.02 * last, 1.03 * last], tickvals=ticks, row=row, col=1)
    figure.update_xaxes(title=in_html(time_label), row=1, col=1)
    figure.update_yaxes(title=SURVIVAL, range=[-0.02, 1.04], row=1, col=1)
    _screen_at_risk(figure, result)


def draw(axes: Axes, result: SurvivalByScore, *, time_label: str = "Time", at_risk: bool = True) -> None:
    """The curves with bands and ticks at censoring on matplotlib axes, the numbers at risk below them."""
    for group, colour, (style, _) in _styled(result):
        axes.step(
            group.time, group.survival, where="post", color=colour, linestyle=style, linewidth=1.1, label=_named(group)
        )
        known = np.isfinite(group.low)
        axes.fill_between(
            group.time[known],
            group.low[known],
            group.high[known],
            step="post",
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        censored = group.n_censored > 0
        axes.plot(
            group.time[censored],
            group.survival[censored],
            linestyle="none",
            marker="|",
            markersize=4,
            markeredgewidth=0.6,
            color=colour,
        )
    last = _last(result)
    axes.set_xlim(-0.02 * last, 1.03 * last)
    axes.set_ylim(-0.02, 1.04)
    axes.set_xticks(result.at_risk.time, [f"{t:g}" for t in result.at_risk.time])
    axes.set_xlabel(time_label)
    axes.set_ylabel(SURVIVAL)
    if at_risk:
        _print_at_risk(axes, result)
    _legend(axes, result, below_pt=_AT_RISK_PT + _AT_RISK_LINE_PT * (len(result.groups) + 1) if at_risk else 24.0)


def _styled(result: SurvivalByScore) -> list[tuple[SurvivalGroup, str, tuple[Any, str]]]:
    n = len(result.groups)
    colours = (*_COLOURS[: n - 1], _COLOURS[-1])
    return list(zip(result.groups, colours, _STYLES[:n], strict=True))


def _screen_curve(figure: go.Figure, group: SurvivalGroup, colour: str, dash: str) -> None:
    known = np.isfinite(group.low)
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    line = {"shape": "hv", "color": colour, "width": 2, "dash": dash}
    edge = {"shape": "hv", "width": 0}
    for values, fill in ((group.low, None), (group.high, "tonexty")):
        figure.add_trace(
            go.Scatter(
                x=group.time[known],
                y=values[known],
                mode="lines",
                line=edge,
                fill=fill,
                fillcolor=f"rgba({red},{green},{blue},0.15)",
                hoverinfo="skip",
                showlegend=False,
                legendgroup=group.name,
            ),
            row=1,
            col=1,
        )
    figure.add_trace(
        go.Scatter(
            x=group.time,
            y=group.survival,
            mode="lines",
            line=line,
            name=in_html(_named(group)),
            legendgroup=group.name,
            hovertemplate=f"{in_hovertemplate(group.name)}: %{{y:.2f}} at %{{x:g}}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    censored = group.n_censored > 0
    figure.add_trace(
        go.Scatter(
            x=group.time[censored],
            y=group.survival[censored],
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 8, "color": colour, "line": {"width": 1.2}},
            text=[f"{n} censored" for n in group.n_censored[censored]],
            hovertemplate=f"{in_hovertemplate(group.name)}: %{{text}} at %{{x:g}}<extra></extra>",
            showlegend=False,
            legendgroup=group.name,
        ),
        row=1,
        col=1,
    )


def _screen_at_risk(figure: go.Figure, result: SurvivalByScore) -> None:
    for position, counts in enumerate(result.at_risk.n):
        figure.add_trace(
            go.Scatter(
                x=result.at_risk.time,
                y=[position] * len(counts),
                mode="text",
                text=[str(n) for n in counts],
                hoverinfo="skip",
                showlegend=False,
            ),
            row=2,
            col=1,
        )
    figure.update_xaxes(showgrid=False, showticklabels=False, row=2, col=1)
    figure.update_yaxes(
        tickvals=list(range(len(result.groups))),
        ticktext=[f"<span style='color:{colour}'>■</span> {in_html(g.name)}" for g, colour, _ in _styled(result)],
        range=[len(result.groups) - 0.5, -0.5],
        showgrid=False,
        row=2,
        col=1,
    )


def _print_at_risk(axes: Axes, result: SurvivalByScore) -> None:
    """A line of numbers a group, with a square of the group's colour, set in points below the axis."""

    def write(text: str, x: float, xycoords: Any, down: float, *, shift: float = 0.0, **how: Any) -> None:
        axes.annotate(
            text,
            (x, 0),
            xycoords=xycoords,
            xytext=(shift, -down),
            textcoords="offset points",
            va="top",
            fontsize=6,
            annotation_clip=False,
            **how,
        )

    write("At risk", 0.0, "axes fraction", _AT_RISK_PT, ha="right", shift=-13.0, weight="bold")
    for position, (group, colour, _) in enumerate(_styled(result), start=1):
        down = _AT_RISK_PT + position * _AT_RISK_LINE_PT
        write(group.name, 0.0, "axes fraction", down, ha="right", shift=-13.0)
        write("■", 0.0, "axes fraction", down, ha="right", shift=-6.0, color=colour)
        for time, count in zip(result.at_risk.time, result.at_risk.n[position - 1], strict=True):
            write(str(count), float(time), ("data", "axes fraction"), down, ha="center")


def _legend(axes: Axes, result: SurvivalByScore, *, below_pt: float) -> None:
    """In a corner that no curve or band enters; else below everything."""
    half = 0.55 * _last(result)
    lowest = min(_at(g, g.low, half) for g in result.groups)
    highest = max(_at(g, g.high, 0.4 * _last(result)) for g in result.groups)
    how: dict[str, Any] = {"frameon": False, "fontsize": 6, "handlelength": 2.6}
    if lowest > 0.32:
        axes.legend(loc="lower left", **how)
    elif highest < 0.7:
        axes.legend(loc="upper right", **how)
    else:
        figure = axes.get_figure(root=True)
        assert figure is not None
        below = axes.transAxes + ScaledTranslation(0, -below_pt / 72, figure.dpi_scale_trans)
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(0.0, 0.0),
            bbox_transform=below,
            borderaxespad=0.0,
            **how,
        )


def _at(group: SurvivalGroup, curve: NDArray[np.float64], time: float) -> float:
    """The curve's height at a time; past the end of a band the curve itself, which is 0 there."""
    k = int(np.searchsorted(group.time, time, side="right") - 1)
    return float(curve[k] if np.isfinite(curve[k]) else group.survival[k])


def _last(result: SurvivalByScore) -> float:
    return max(float(group.time[-1]) for group in result.groups)


def _named(group: SurvivalGroup) -> str:
    return f"{group.name}: n = {group.n}, {counted(group.n_events, 'event')}"
