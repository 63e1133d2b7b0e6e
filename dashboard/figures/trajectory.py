"""The trajectory: the map coloured by pseudotime, and pseudotime by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from cmcrameri import cm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from embeddings.analysis import Pseudotime

from . import by_stage
from .intervals import p_text
from .map import AXIS_NAMES, RIM, point_size
from .theme import (
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


def screen(
    result: Pseudotime,
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    *,
    stage_names: Mapping[float, str] | None = None,
    axis_names: tuple[str, str] = AXIS_NAMES,
    footer: str | None = None,
) -> go.Figure:
    """The map coloured by pseudotime with its root starred; beside it pseudotime by stage, where there is
    one.
    """
    points = _checked(result, coordinates, item_ids)
    titles = ["Map by pseudotime", *([_stage_title(result)] if result.stage is not None else [])]
    figure = make_subplots(rows=1, cols=len(titles), subplot_titles=titles, horizontal_spacing=0.2)
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
                    "x": 0.41 if len(titles) == 2 else 1.0,
                },
            },
            customdata=[[str(one)] for one in item_ids],
            text=[
                f"<b>{escape(str(one))}</b><br>pseudotime: {time:.3f}"
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
            name=f"root ({result.root_rule})",
            customdata=[[str(item_ids[result.root])]],
            text=[escape(str(item_ids[result.root]))],
            hovertemplate="root: %{text}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    figure.update_xaxes(title=escape(axis_names[0]), showticklabels=False, row=1, col=1)
    figure.update_yaxes(title=escape(axis_names[1]), showticklabels=False, scaleanchor="x", row=1, col=1)
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
    return legend_below(finish_screen(figure, title=_title(result), footer=footer, height=570))


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
    points = _checked(result, coordinates, item_ids)
    has_stage = result.stage is not None
    figure, panels = print_canvas(
        width_mm=DOUBLE_COLUMN_MM if has_stage else SINGLE_COLUMN_MM,
        height_mm=80.0,
        panels=2 if has_stage else 1,
    )
    drawn = panels[0].scatter(
        points[:, 0],
        points[:, 1],
        s=12 if result.n <= 500 else 4,
        c=result.pseudotime,
        cmap=cm.batlow,
        linewidths=0.2,
        edgecolors="white",
        rasterized=result.n > 3000,
    )
    panels[0].scatter(
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
    figure.colorbar(drawn, ax=panels[0], label=PSEUDOTIME, shrink=0.8).outline.set_visible(False)
    panels[0].set_xlabel(axis_names[0])
    panels[0].set_ylabel(axis_names[1])
    panels[0].set_xticks([])
    panels[0].set_yticks([])
    panels[0].set_aspect("equal", adjustable="datalim")
    panels[0].legend(loc="upper left", bbox_to_anchor=(0.0, 0.0, 1.0, -0.08), frameon=False, handletextpad=0.2)
    panel_title(panels[0], "a", "Map by pseudotime")
    if result.stage is not None:
        by_stage.print_panel(panels[1], result.pseudotime, result.stage, names=stage_names)
        panels[1].set_xlabel("Stage")
        panels[1].set_ylabel(PSEUDOTIME)
        panel_title(panels[1], "b", _stage_title(result))
    return finish_print(figure, title=_title(result), footer=footer)


def data(
    result: Pseudotime,
    coordinates: ArrayLike,
    item_ids: Sequence[str],
    *,
    stage_names: Mapping[float, str] | None = None,
    axis_names: tuple[str, str] = AXIS_NAMES,
) -> pd.DataFrame:
    """One row a case: item id, coordinates, pseudotime, first principal component, whether root, stage."""
    points = _checked(result, coordinates, item_ids)
    table = pd.DataFrame(
        {
            "item_id": [str(one) for one in item_ids],
            axis_names[0]: points[:, 0],
            axis_names[1]: points[:, 1],
            "pseudotime": result.pseudotime,
            "first_principal_component": result.pc1,
            "root": np.arange(result.n) == result.root,
        }
    )
    if result.stage is not None:
        table["stage"] = [by_stage.stage_name(code, stage_names) for code in result.stage]
        table["stage_code"] = result.stage
    return table


def _stage_title(result: Pseudotime) -> str:
    return (
        f"By stage: rho {result.rho:z.2f} [{result.rho_low:z.2f}, {result.rho_high:z.2f}], "
        f"{p_text(result.p_permutation)}; PC1 {result.pc1_rho:z.2f}"
    )


def _title(result: Pseudotime) -> str:
    return f"Diffusion pseudotime, {result.n} cases of {result.n_patients} patients"


def _checked(result: Pseudotime, coordinates: ArrayLike, item_ids: Sequence[str]) -> NDArray[np.float64]:
    points = np.asarray(coordinates, dtype=np.float64)
    if points.shape != (result.n, 2) or len(item_ids) != result.n:
        raise ValueError(
            f"The trajectory of {result.n} cases needs as many points and item ids, but has points of shape "
            f"{points.shape} and {len(item_ids)} ids."
        )
    return points
