"""The stage gradient: scores by stage, scores against size, and how much of it stands up."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboard.wording.escaping import in_hovertemplate, in_html
from embeddings.analysis import AxisEvidence, StageGradient, p_short
from embeddings.formatting import of_patients

from . import by_stage
from .map import point_size, screen_marker
from .style import intervals
from .style.intervals import IntervalRow
from .style.theme import (
    DOUBLE_COLUMN_MM,
    finish_print,
    finish_screen,
    panel_title,
    print_canvas,
    stage_marks,
)

SCORE = "Stage axis, out of fold (stage steps)"
RHO = "Spearman's rho with stage"
HOW_ASKED = "Does the axis follow stage?"


def screen(
    result: StageGradient,
    *,
    stage_names: Mapping[float, str] | None = None,
    item_ids: Sequence[str] | None = None,
    size_name: str = "Tumour volume",
    size_unit: str = "ml",
    taken_out: str = "size",
    footer: str | None = None,
) -> go.Figure:
    """Panels on screen, the intervals under the scores; the size panel is left out where there is no size.

    taken_out: what the residual axis is without, by `taken_out_words`, which the result does not know.
    """
    has_size = result.size is not None
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{}, {}] if has_size else [{"colspan": 2}, None], [{"colspan": 2}, None]],
        subplot_titles=["Score by stage", *([_size_title(result)] if has_size else []), HOW_ASKED],
        row_heights=[0.56, 0.44],
        vertical_spacing=0.17,
        horizontal_spacing=0.11,
    )
    by_stage.screen_panel(
        figure,
        result.score,
        result.stage,
        names=stage_names,
        item_ids=item_ids,
        value_name="score",
        row=1,
        col=1,
    )
    figure.update_yaxes(title=SCORE, row=1, col=1)
    if result.size is not None:
        levels = np.unique(result.stage)
        for level, mark in zip(levels, stage_marks(len(levels)), strict=True):
            rows = np.flatnonzero(result.stage == level)
            figure.add_trace(
                go.Scattergl(
                    x=result.size[rows],
                    y=result.score[rows],
                    mode="markers",
                    marker=screen_marker(mark, point_size(result.n) * 0.8),
                    customdata=[[one] for one in by_stage.named_rows(item_ids, rows)],
                    text=[in_html(one) for one in by_stage.named_rows(item_ids, rows)],
                    hovertemplate="<b>%{text}</b><br>"
                    f"{in_hovertemplate(size_name)}: %{{x:.3g}} {in_hovertemplate(size_unit)}<br>score: %{{y:.3f}}"
                    f"<extra>{in_hovertemplate(by_stage.stage_name(level, stage_names))}</extra>",
                    showlegend=False,
                ),
                row=1,
                col=2,
            )
        figure.update_xaxes(
            type="log",
            tickvals=_log_ticks(result.size),
            title=in_html(with_unit(size_name, size_unit)),
            row=1,
            col=2,
        )
    intervals.screen_panel(figure, evidence_rows(result, taken_out), reference=0.0, row=2, col=1)
    figure.update_xaxes(title=intervals.screen_label(rho_label(result)), row=2, col=1)
    return finish_screen(figure, title=_title(result), footer=footer, height=820)


def print_figure(
    result: StageGradient,
    *,
    stage_names: Mapping[float, str] | None = None,
    size_name: str = "Tumour volume",
    size_unit: str = "ml",
    taken_out: str = "size",
    footer: str | None = None,
) -> Figure:
    """The panels for print, two journal columns wide."""
    has_size = result.size is not None
    figure, panels = print_canvas(
        width_mm=DOUBLE_COLUMN_MM,
        height_mm=75.0,
        panels=3 if has_size else 2,
        widths=(1.0, 0.95, 1.0) if has_size else (1.0, 1.0),
    )
    by_stage.print_panel(panels[0], result.score, result.stage, names=stage_names)
    panels[0].set_ylabel(SCORE)
    panels[0].set_xlabel("Stage")
    panel_title(panels[0], "a", "Score by stage")
    if has_size:
        print_size_panel(panels[1], result, with_unit(size_name, size_unit))
        panel_title(panels[1], "b", _size_title(result))
    intervals.print_panel(panels[-1], evidence_rows(result, taken_out), reference=0.0)
    intervals.print_label(panels[-1], rho_label(result))
    panel_title(panels[-1], "c" if has_size else "b", HOW_ASKED)
    return finish_print(figure, title=_title(result), footer=footer)


def data(
    result: StageGradient,
    *,
    stage_names: Mapping[float, str] | None = None,
    item_ids: Sequence[str] | None = None,
    size_name: str = "Tumour volume",
    size_unit: str = "ml",
) -> pd.DataFrame:
    """One row a case: item id, stage, out-of-fold score, and where known size and score after size."""
    columns: dict[str, object] = {
        "item_id": [str(one) for one in item_ids] if item_ids is not None else range(result.n),
        "stage": [by_stage.stage_name(code, stage_names) for code in result.stage],
        "stage_code": result.stage,
        "score_out_of_fold": result.score,
    }
    if result.size is not None:
        columns[with_unit(size_name, size_unit)] = result.size
    if result.residual is not None:
        columns["score_after_adjustment"] = result.residual.score
    return pd.DataFrame(columns)


def taken_out_words(*, size: bool, covariates: bool) -> str:
    """What was regressed out of the vectors, as figures and tables call it."""
    return " and ".join(["size"] * size + ["covariates"] * covariates) or "size"


def evidence_data(result: StageGradient, taken_out: str = "size") -> pd.DataFrame:
    """The numbers of the interval panel: one row a way of asking, with rho, interval and one-sided p, Holm's over the
    rows beside it.
    """
    rows = [
        (
            name,
            *(part.rho, part.rho_low, part.rho_high, part.p_permutation, part.p_adjusted),
            *(part.rho_in_sample, part.n),
        )
        for name, part in (
            ("out of fold", result),
            (f"after {taken_out}", result.residual),
            ("at similar size", result.size_matched),
            ("LDA axis", result.lda),
            (f"LDA axis after {taken_out}", result.lda_residual),
        )
        if part is not None
    ]
    columns = ["axis", "rho", "rho_low", "rho_high", "p_permutation", "p_adjusted", "rho_in_sample", "n"]
    return pd.DataFrame(rows, columns=columns)


def evidence_rows(result: StageGradient, taken_out: str = "size") -> list[IntervalRow]:
    """The lines of the interval panel, the optimistic in-sample value first."""
    nan = float("nan")
    asked = (
        ("Out of fold", result),
        (textwrap.fill(f"After {taken_out}", 15), result.residual),
        ("At similar size", result.size_matched),
        ("LDA axis,\nout of fold", result.lda),
        (textwrap.fill(f"LDA axis, after {taken_out}", 15), result.lda_residual),
    )
    return [IntervalRow("In sample\n(optimistic)", result.rho_in_sample, nan, nan)] + [
        IntervalRow(label, part.rho, part.rho_low, part.rho_high, _p_of(part))
        for label, part in asked
        if part is not None
    ]


def rho_label(result: AxisEvidence) -> list[str]:
    """The lines under an axis of rho, with what the p beside the values are."""
    return intervals.axis_label(RHO, "one-sided", result.adjusted)


def _p_of(part: AxisEvidence) -> str:
    return p_short(part.p_permutation, part.adjusted)


def print_size_panel(axes: Axes, result: StageGradient, label: str) -> None:
    """Draw the scores against size on a logarithmic axis; `label` names the size with its unit."""
    assert result.size is not None
    levels = np.unique(result.stage)
    for level, mark in zip(levels, stage_marks(len(levels)), strict=True):
        rows = result.stage == level
        axes.scatter(
            result.size[rows],
            result.score[rows],
            s=7 if result.n <= 500 else 3,
            c=mark.colour,
            marker=mark.marker,
            linewidths=0.2,
            edgecolors="white",
            rasterized=result.n > 3000,
        )
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [tick for tick in _log_ticks(result.size) if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label)
    axes.set_ylabel(SCORE)


def with_unit(size_name: str, size_unit: str) -> str:
    return f"{size_name} ({size_unit})" if size_unit else size_name


def _log_ticks(size: NDArray[np.float64]) -> list[float]:
    """Round numbers around the sizes, fewer of each power of ten the more powers there are."""
    known = size[np.isfinite(size) & (size > 0)]
    low, high = np.log10(known.min()), np.log10(known.max())
    digits = (1, 2, 3, 4, 6, 8) if high - low < 1 else (1, 2, 5) if high - low < 2.5 else (1,)
    return [digit * 10.0**power for power in range(int(np.floor(low)), int(np.ceil(high)) + 1) for digit in digits]


def _size_title(result: StageGradient) -> str:
    span = f"[{result.size_rho_low:z.2f}, {result.size_rho_high:z.2f}]"
    return f"Score and size: rho {result.size_rho:z.2f} {span}"


def _title(result: StageGradient) -> str:
    return f"Stage gradient, {of_patients(result.n, result.n_patients)}"
