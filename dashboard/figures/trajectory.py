"""The trajectory: the map coloured by pseudotime, pseudotime by stage, and the simple axes beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from dashboard.wording.escaping import in_html
from embeddings.analysis import Pseudotime, p_text, p_words
from embeddings.formatting import of_patients

from . import by_stage
from .map import AXIS_NAMES, MAX_VECTOR_POINTS, RIM, point_size
from .style import intervals
from .style.intervals import IntervalRow
from .style.theme import (
    CATEGORY_COLOURS,
    DOUBLE_COLUMN_MM,
    SINGLE_COLUMN_MM,
    finish_print,
    finish_screen,
    legend_below,
    panel_title,
    print_canvas,
    ramp_for_screen,
)

PSEUDOTIME = "Pseudotime (0 at the root to 1)"
RHO_LABEL = intervals.axis_label(
    "Spearman's rho with stage", "one-sided", key="interval: patients resampled, axis kept; p: axis redone"
)
BESIDE = "Does it beat simple axes?"
# From the axis of the map on screen to its legend: its title lies between.
LEGEND_BELOW_PX = 44


def screen(
    result: Pseudotime,
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    *,
    stage_names: Mapping[float, str] | None = None,
    axis_names: tuple[str, str] = AXIS_NAMES,
    footer: str | None = None,
) -> go.Figure:
    """The map coloured by pseudotime with its root starred; where there is a stage, pseudotime by stage
    beside it and the simple axes below.
    """
    points = _checked(result, coordinates, item_ids)
    has_stage = result.stage is not None
    figure = make_subplots(
        rows=2 if has_stage else 1,
        cols=2 if has_stage else 1,
        specs=[[{}, {}], [{"colspan": 2}, None]] if has_stage else None,
        subplot_titles=["Map by pseudotime", *([_stage_title(result), BESIDE] if has_stage else [])],
        row_heights=[0.68, 0.32] if has_stage else None,
        vertical_spacing=0.16,
        horizontal_spacing=0.2,
    )
    lower, upper = figure.get_subplot(1, 1).yaxis.domain
    figure.add_trace(
        go.Scattergl(
            x=points[:, 0],
            y=points[:, 1],
            mode="markers",
            marker={
                "color": result.pseudotime,
                "line": {"width": 0.5, "color": RIM},
                "colorscale": ramp_for_screen(),
                "size": point_size(result.n),
                "colorbar": {
                    "title": {"text": "Pseudotime", "side": "right"},
                    "thickness": 12,
                    "outlinewidth": 0,
                    "x": 0.41 if has_stage else 1.0,
                    "y": (lower + upper) / 2,
                    "len": upper - lower,
                },
            },
            customdata=[[str(one)] for one in item_ids],
            text=[
                f"<b>{in_html(str(one))}</b><br>pseudotime: {time:.3f}"
                for one, time in zip(item_ids, result.pseudotime, strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        ),
        row=1,
        col=1,
    )
    figure.add_trace(
        go.Scattergl(
            x=points[[result.root], 0],
            y=points[[result.root], 1],
            mode="markers",
            marker={
                "symbol": "star",
                "size": 20,
                "color": CATEGORY_COLOURS[1],
                "line": {"width": 1, "color": "white"},
            },
            name=in_html(f"root ({result.root_rule})"),
            customdata=[[str(item_ids[result.root])]],
            text=[in_html(str(item_ids[result.root]))],
            hovertemplate="root: %{text}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    figure.update_xaxes(title=in_html(axis_names[0]), showticklabels=False, row=1, col=1)
    figure.update_yaxes(title=in_html(axis_names[1]), showticklabels=False, scaleanchor="x", row=1, col=1)
    if result.stage is not None:
        by_stage.screen_panel(
            figure,
            result.pseudotime,
            result.stage,
            names=stage_names,
            item_ids=item_ids,
            value_name="pseudotime",
            row=1,
            col=2,
        )
        figure.update_yaxes(title=PSEUDOTIME, row=1, col=2)
        intervals.screen_panel(figure, axis_rows(result), reference=0.0, row=2, col=1)
        figure.update_xaxes(title=intervals.screen_label(RHO_LABEL), row=2, col=1)
    figure = finish_screen(figure, title=_title(result), footer=footer, height=820 if has_stage else 570)
    if not has_stage:
        return legend_below(figure)
    # Right below the map that it belongs to: the lines under the simple axes take the room at the bottom.
    inside = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    y = lower - LEGEND_BELOW_PX / inside
    return figure.update_layout(legend={"orientation": "h", "x": 0.0, "y": y, "yanchor": "top"})


def print_figure(
    result: Pseudotime,
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    *,
    stage_names: Mapping[float, str] | None = None,
    axis_names: tuple[str, str] = AXIS_NAMES,
    footer: str | None = None,
) -> Figure:
    """The panels for print: two journal columns with a stage, one without."""
    has_stage = result.stage is not None
    figure, panels = print_canvas(
        width_mm=DOUBLE_COLUMN_MM if has_stage else SINGLE_COLUMN_MM,
        height_mm=80.0,
        panels=3 if has_stage else 1,
        widths=(1.2, 0.9, 0.9) if has_stage else None,
    )
    draw_map(panels[0], result, coordinates, item_ids, axis_names=axis_names)
    panels[0].legend(loc="upper left", bbox_to_anchor=(0.0, 0.0, 1.0, -0.08), frameon=False, handletextpad=0.2)
    panel_title(panels[0], "a", "Map by pseudotime")
    if has_stage:
        draw(panels[1], result, stage_names=stage_names)
        panel_title(panels[1], "b", _stage_title(result).replace("; ", ";\n").replace("By stage: ", "By stage\n"))
        draw_axes(panels[2], result)
        panel_title(panels[2], "c", BESIDE)
    return finish_print(figure, title=_title(result), footer=footer)


def draw_map(
    axes: Axes,
    result: Pseudotime,
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    *,
    axis_names: tuple[str, str] = AXIS_NAMES,
) -> None:
    """Draw the map coloured by pseudotime on matplotlib axes, with its colour bar and the root as a star."""
    points = _checked(result, coordinates, item_ids)
    drawn = axes.scatter(
        points[:, 0],
        points[:, 1],
        s=12 if result.n <= 500 else 4,
        c=result.pseudotime,
        cmap=cm.batlow,
        linewidths=0.2,
        edgecolors="white",
        rasterized=result.n > MAX_VECTOR_POINTS,
    )
    axes.scatter(
        points[result.root, 0],
        points[result.root, 1],
        s=90,
        marker="*",
        c=CATEGORY_COLOURS[1],
        edgecolors="white",
        linewidths=0.5,
        label=f"root ({result.root_rule})",
        zorder=4,
    )
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(drawn, ax=axes, label=PSEUDOTIME, shrink=0.8).outline.set_visible(False)
    axes.set_xlabel(axis_names[0])
    axes.set_ylabel(axis_names[1])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")


def draw(axes: Axes, result: Pseudotime, *, stage_names: Mapping[float, str] | None = None) -> None:
    """Draw pseudotime by stage on matplotlib axes; ValueError where the result has no stage."""
    if result.stage is None:
        raise ValueError("A trajectory without a stage has no panel by stage.")
    by_stage.print_panel(axes, result.pseudotime, result.stage, names=stage_names)
    axes.set_xlabel("Stage")
    axes.set_ylabel(PSEUDOTIME)


def draw_axes(axes: Axes, result: Pseudotime) -> None:
    """Draw the correlation with stage of the pseudotime and of the simple axes on matplotlib axes."""
    intervals.print_panel(axes, axis_rows(result), reference=0.0)
    intervals.print_label(axes, RHO_LABEL)


def axis_rows(result: Pseudotime) -> list[IntervalRow]:
    """The lines of the panel of simple axes; an axis that could not be fitted is left out."""
    lines = [
        IntervalRow("Pseudotime", result.rho, result.rho_low, result.rho_high, p_text(result.p_permutation)),
        IntervalRow(
            "First principal\ncomponent",
            result.pc1_rho,
            result.pc1_low,
            result.pc1_high,
            p_text(result.pc1_p_permutation),
        ),
        IntervalRow(
            "Supervised axis,\nout of fold",
            result.supervised_rho,
            result.supervised_low,
            result.supervised_high,
            p_text(result.supervised_p_permutation),
        ),
    ]
    return [line for line in lines if np.isfinite(line.value)]


def data(
    result: Pseudotime,
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    *,
    stage_names: Mapping[float, str] | None = None,
    axis_names: tuple[str, str] = AXIS_NAMES,
) -> pd.DataFrame:
    """One row a case: item id, coordinates, pseudotime, the simple axes, whether root, stage."""
    points = _checked(result, coordinates, item_ids)
    table = pd.DataFrame(
        {
            "item_id": [str(one) for one in item_ids],
            axis_names[0]: points[:, 0],
            axis_names[1]: points[:, 1],
            "pseudotime": result.pseudotime,
            "first_principal_component": result.pc1,
            **({"supervised_axis_out_of_fold": result.supervised} if np.isfinite(result.supervised).all() else {}),
            "root": np.arange(result.n) == result.root,
        }
    )
    if result.stage is not None:
        table["stage"] = [by_stage.stage_name(code, stage_names) for code in result.stage]
        table["stage_code"] = result.stage
    return table


def axes_data(result: Pseudotime) -> pd.DataFrame:
    """The numbers of the panel of simple axes: one row an axis, with rho, interval and p."""
    rows = [
        ("pseudotime", result.rho, result.rho_low, result.rho_high, result.p_permutation),
        ("first principal component", result.pc1_rho, result.pc1_low, result.pc1_high, result.pc1_p_permutation),
        (
            "supervised axis, out of fold",
            result.supervised_rho,
            result.supervised_low,
            result.supervised_high,
            result.supervised_p_permutation,
        ),
    ]
    table = pd.DataFrame(rows, columns=["axis", "rho", "rho_low", "rho_high", "p_permutation"])
    return table.assign(n=result.n, n_patients=result.n_patients)


def _stage_title(result: Pseudotime) -> str:
    return (
        f"By stage: rho {result.rho:z.2f} [{result.rho_low:z.2f}, {result.rho_high:z.2f}], "
        f"{p_words(result.p_permutation, 'one-sided')}"
    )


def _title(result: Pseudotime) -> str:
    return f"Diffusion pseudotime, {of_patients(result.n, result.n_patients)}"


def _checked(result: Pseudotime, coordinates: ArrayLike, item_ids: Sequence[str]) -> NDArray[np.float64]:
    points = np.asarray(coordinates, dtype=np.float64)
    if points.shape != (result.n, 2) or len(item_ids) != result.n:
        raise ValueError(
            f"The trajectory of {result.n} cases needs as many points and item ids, but has points of shape "
            f"{points.shape} and {len(item_ids)} ids."
        )
    return points
