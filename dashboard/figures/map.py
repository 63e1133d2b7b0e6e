"""The map: every item a point, coloured by one column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from dashboard.wording.escaping import in_html
from embeddings.formatting import counted

from .style.colouring import ColourColumn, PointGroup
from .style.theme import (
    MISSING,
    SINGLE_COLUMN_MM,
    Mark,
    finish_print,
    finish_screen,
    legend_below,
    print_canvas,
    ramp_for_screen,
)

AXIS_NAMES = ("UMAP 1", "UMAP 2")
# Past this many points a vector file is slow to open; the points alone become an image within it.
MAX_VECTOR_POINTS = 3000
# The rim of a point on screen.
RIM = "rgba(255,255,255,0.7)"


def screen(
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    colour: ColourColumn,
    *,
    hover: pd.DataFrame | None = None,
    axis_names: tuple[str, str] = AXIS_NAMES,
    title: str | None = None,
    footer: str | None = None,
) -> go.Figure:
    """The map as a plotly figure; `customdata[0]` of every point is its item id.

    coordinates: [n, 2], without unit. hover: further columns to show, one row an item.
    """
    points = _checked(coordinates, item_ids, colour)
    texts = hover_texts(item_ids, colour, hover)
    figure = go.Figure()

    def add(rows: NDArray[np.intp], name: str, marker: dict) -> None:
        figure.add_trace(
            go.Scattergl(
                x=points[rows, 0],
                y=points[rows, 1],
                mode="markers",
                name=name,
                marker=marker,
                customdata=[[str(item_ids[row])] for row in rows],
                text=[texts[row] for row in rows],
                hovertemplate="%{text}<extra></extra>",
            )
        )

    size = point_size(len(points))
    if colour.kind == "continuous":
        numbers = colour.numbers()
        known, absent = np.flatnonzero(np.isfinite(numbers)), np.flatnonzero(~np.isfinite(numbers))
        add(known, f"known (n = {len(known)})", _continuous_marker(colour, numbers[known], size))
        if absent.size:
            add(absent, f"missing (n = {len(absent)})", screen_marker(MISSING, size))
        figure.update_layout(showlegend=True)
    else:
        for group in colour.groups():
            add(group.rows, in_html(group.legend), screen_marker(group.mark, size))
        figure.update_layout(showlegend=True, legend_title_text=in_html(colour.name))
    figure.update_xaxes(title=in_html(axis_names[0]), showticklabels=False)
    figure.update_yaxes(title=in_html(axis_names[1]), showticklabels=False, scaleanchor="x")
    finish_screen(figure, title=title or _title(colour, len(points)), footer=footer, height=600)
    # Beside the map stands the colour bar of a quantity, and the legend of everything else.
    return legend_below(figure) if colour.kind == "continuous" else figure


def print_figure(
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    colour: ColourColumn,
    *,
    axis_names: tuple[str, str] = AXIS_NAMES,
    title: str | None = None,
    footer: str | None = None,
    width_mm: float = SINGLE_COLUMN_MM,
    selected: NDArray[np.bool_] | None = None,
) -> Figure:
    """The map for print, one journal column wide, legend below or colour bar beside; selected `[n]` get a ring."""
    points = _checked(coordinates, item_ids, colour)
    area = 14.0 if len(points) <= 300 else 6.0 if len(points) <= 2000 else 2.0
    raster = len(points) > MAX_VECTOR_POINTS
    groups: tuple[PointGroup, ...] = ()
    figure, (axes,) = print_canvas(width_mm=width_mm, height_mm=width_mm)
    if colour.kind == "continuous":
        numbers = colour.numbers()
        known, absent = np.flatnonzero(np.isfinite(numbers)), np.flatnonzero(~np.isfinite(numbers))
        drawn = axes.scatter(
            points[known, 0],
            points[known, 1],
            s=area,
            c=numbers[known],
            cmap=cm.batlow,
            norm=LogNorm() if colour.on_log_scale else None,
            linewidths=0.2,
            edgecolors="white",
            rasterized=raster,
        )
        figure.colorbar(drawn, ax=axes, label=colour.label, shrink=0.7, pad=0.02).outline.set_visible(False)
        if absent.size:
            groups = (PointGroup("missing", absent, MISSING),)
    else:
        groups = colour.groups()
    for group in groups:
        is_missing = group.mark is MISSING
        axes.scatter(
            points[group.rows, 0],
            points[group.rows, 1],
            s=area,
            c=group.mark.colour,
            marker=group.mark.marker,
            label=group.legend,
            linewidths=0.6 if is_missing else 0.2,
            edgecolors=None if is_missing else "white",
            rasterized=raster,
        )
    if selected is not None and selected.any():
        axes.scatter(
            points[selected, 0],
            points[selected, 1],
            s=2.5 * area,
            facecolors="none",
            edgecolors="black",
            linewidths=0.6,
            rasterized=raster,
        )
        footer = ". ".join([*([footer] if footer else []), f"Rings: {int(selected.sum()):,} selected"])
    if groups:
        _legend_under(figure, axes, groups, width_mm)
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    return finish_print(figure, title=title or _title(colour, len(points)), footer=footer)


def data(
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    colour: ColourColumn,
    *,
    axis_names: tuple[str, str] = AXIS_NAMES,
) -> pd.DataFrame:
    """One row a point: item id, both coordinates, the value it is coloured by."""
    points = _checked(coordinates, item_ids, colour)
    values = colour.numbers() if colour.kind == "continuous" else colour.texts()
    return pd.DataFrame(
        {
            "item_id": list(item_ids),
            axis_names[0]: points[:, 0],
            axis_names[1]: points[:, 1],
            colour.label: values,
        }
    )


def hover_texts(item_ids: Sequence[str], colour: ColourColumn, hover: pd.DataFrame | None) -> list[str]:
    """What shows over each point: item id, the colour's value, further columns; all text is escaped."""
    columns = {colour.name: list(colour.values)}
    if hover is not None:
        columns |= {str(name): hover[name].tolist() for name in hover.columns if name != colour.name}
    lines = []
    for row, item in enumerate(item_ids):
        parts = [f"<b>{in_html(str(item))}</b>"]
        for name, values in columns.items():
            value = values[row]
            shown = "missing" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else str(value)
            parts.append(f"{in_html(name)}: {in_html(shown)}")
        lines.append("<br>".join(parts))
    return lines


def screen_marker(mark: Mark, size: float) -> dict:
    """A plotly marker, with a thin rim that keeps it apart from its neighbours on any page."""
    rim = 1.2 if mark is MISSING else 0.5
    colour = mark.colour if mark is MISSING else RIM
    return {
        "color": mark.colour,
        "symbol": mark.symbol,
        "size": size,
        "line": {"width": rim, "color": colour},
    }


def point_size(n: int) -> float:
    """Pixels of a point on screen, smaller where there are many."""
    return 9.0 if n <= 500 else 6.0 if n <= 5000 else 3.0


def _continuous_marker(colour: ColourColumn, numbers: NDArray[np.float64], size: float) -> dict:
    """A plotly marker coloured by a quantity, with its colour bar; of wide positive ranges the logarithm."""
    bar: dict = {"title": {"text": in_html(colour.label)}, "thickness": 14, "outlinewidth": 0}
    shown = numbers
    if colour.on_log_scale:
        shown = np.log10(numbers)
        ticks = np.unique(np.round(np.linspace(shown.min(), shown.max(), 6), 6))
        bar |= {"tickvals": ticks.tolist(), "ticktext": [_two_digits(10**tick) for tick in ticks]}
    rim = {"width": 0.5, "color": RIM}
    return {"color": shown, "colorscale": ramp_for_screen(), "colorbar": bar, "size": size, "line": rim}


def _two_digits(value: float) -> str:
    return np.format_float_positional(value, precision=2, fractional=False, trim="-")


def _legend_under(figure: Figure, axes: Axes, groups: tuple[PointGroup, ...], width_mm: float) -> None:
    """The legend under the axes in as many columns as its longest name allows, the page grown by its rows."""
    column_mm = 6.0 + 1.3 * max(len(group.legend) for group in groups)
    columns = int(np.clip((width_mm - 6.0) // column_mm, 1, len(groups)))
    rows = -(-len(groups) // columns)
    figure.set_size_inches(width_mm / 25.4, (width_mm + 3.6 * rows) / 25.4)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0.0, -0.07),
        borderaxespad=0.0,
        ncols=columns,
        frameon=False,
        handletextpad=0.2,
        columnspacing=1.0,
    )


def _title(colour: ColourColumn, n: int) -> str:
    return f"Map of {counted(n, 'item')} by {colour.name}"


def _checked(coordinates: ArrayLike, item_ids: Sequence[str], colour: ColourColumn) -> NDArray[np.float64]:
    points = np.asarray(coordinates, dtype=np.float64)
    if points.shape != (len(item_ids), 2) or len(colour.values) != len(item_ids):
        raise ValueError(
            f"The map needs one point and one value of {colour.name} for each of {len(item_ids)} items, "
            f"but has points of shape {points.shape} and {len(colour.values)} values."
        )
    return points
