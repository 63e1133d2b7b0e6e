"""The audit: what else predicts the stage, and do the vectors predict it; a line each, the vectors' own first."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dashboard.wording.escaping import in_html
from embeddings.analysis import Estimate, ShortcutAudit, ShortcutColumn, p_bracketed, p_sides
from embeddings.formatting import counted, of_patients

from .style.intervals import screen_label
from .style.theme import CATEGORY_COLOURS, INK, finish_print, finish_screen, panel_title, print_canvas

ALPHA = 0.05
ALONE = "Concordance with stage of each alone (dashed: 0.5)"
HEADINGS = ("Predicted by\nthe vectors", "Stage axis\nwithout it")
# One and a half columns of a journal page: a forest with its numbers is too much for one.
WIDTH_MM, LINE_MM, FRAME_MM = 120.0, 5.6, 30.0
# A printed page holds no more; the table has them all.
MOST_PRINTED = 36
LABEL_CHARACTERS, KEY_CHARACTERS = 26, 52
LINE_PX, TOP_PX, RIGHT_PX = 34, 110, 235
# From the right end of the axes to the two columns of numbers, in points and in pixels.
_COLUMNS_PT, _COLUMNS_PX = (7.0, 66.0), (14, 118)
_ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


def screen(result: ShortcutAudit, *, vectors_name: str = "vectors", footer: str | None = None) -> go.Figure:
    """The forest on screen. vectors_name: what to call the vectors."""
    lines = _lines(result, vectors_name)
    figure = go.Figure()
    own = result.stage_auc
    figure.add_vrect(x0=own.low, x1=own.high, fillcolor=CATEGORY_COLOURS[0], opacity=0.12, line_width=0)
    figure.add_vline(x=0.5, line={"dash": "dash", "color": INK, "width": 1})
    for colour, start, stop in ((CATEGORY_COLOURS[0], 0, 1), (CATEGORY_COLOURS[1], 1, len(lines))):
        shown = [(at, line) for at, line in enumerate(lines[start:stop], start) if line.is_tested]
        figure.add_trace(
            go.Scatter(
                x=[line.alone.value for _, line in shown],
                y=[at for at, _ in shown],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [line.alone.high - line.alone.value for _, line in shown],
                    "arrayminus": [line.alone.value - line.alone.low for _, line in shown],
                    "thickness": 2,
                },
                mode="markers",
                marker={"size": 11, "symbol": [line.symbol for _, line in shown], "color": colour},
                text=[line.hover for _, line in shown],
                hovertemplate="%{text}<extra></extra>",
                showlegend=False,
                cliponaxis=False,
            )
        )
    ticks = [(at, line) for at, line in enumerate(lines) if np.isfinite(line.chance)]
    figure.add_trace(
        go.Scatter(
            x=[line.chance for _, line in ticks],
            y=[at for at, _ in ticks],
            mode="markers",
            marker={"size": 15, "symbol": "line-ns-open", "color": INK, "line": {"width": 2}},
            text=[f"{in_html(line.label)}: chance {line.chance:.2f}" for _, line in ticks],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    )
    for at, line in enumerate(lines):
        if not line.is_tested:
            _beside(figure, at, "not tested", x=0.5, xref="x", xshift=8)
        for pixels, text in zip(_COLUMNS_PX, (line.held, line.remaining), strict=True):
            _beside(figure, at, in_html(text), xshift=pixels)
    for pixels, text in zip(_COLUMNS_PX, HEADINGS, strict=True):
        _beside(figure, -0.55, text.replace("\n", "<br>"), xshift=pixels, yanchor="bottom", align="left")
    figure.update_xaxes(title=screen_label([ALONE, *_key(result)]), range=_span(lines))
    figure.update_yaxes(
        tickvals=list(range(len(lines))),
        ticktext=[in_html(_short(line.label)) for line in lines],
        range=[len(lines) - 0.4, -0.6],
        showgrid=False,
    )
    height = TOP_PX + 125 + LINE_PX * len(lines)
    figure = finish_screen(figure, title=_title(result), footer=footer, height=height)
    return figure.update_layout(margin={"t": TOP_PX, "r": RIGHT_PX}, title={"y": 1 - 14 / height, "yanchor": "top"})


def print_figure(result: ShortcutAudit, *, vectors_name: str = "vectors", footer: str | None = None) -> Figure:
    """The forest for print, one and a half journal columns wide; of very many columns the first."""
    drawn = min(MOST_PRINTED, len(result.columns))
    figure, panels = print_canvas(
        width_mm=WIDTH_MM, height_mm=FRAME_MM + LINE_MM * (drawn + 1) + (6.0 if footer else 0.0)
    )
    draw(panels[0], result, vectors_name=vectors_name, most=drawn)
    left = len(result.columns) - drawn
    if left:
        panel_title(panels[0], "", f"{counted(left, 'more column')} in the table")
    return finish_print(figure, title=textwrap.fill(_title(result), 68), footer=footer)


def draw(axes: Axes, result: ShortcutAudit, *, vectors_name: str = "vectors", most: int | None = None) -> None:
    """Draw the forest on matplotlib axes, its two columns of numbers at their right, for a layout to make room.

    A mark is filled where the column is associated with stage, and a dot beside a number where that is beyond
    chance, both at an adjusted p below 0.05. A tick is what a column reaches by chance. most: draw only that many
    columns.
    """
    lines = _lines(result, vectors_name)[: None if most is None else most + 1]
    own = result.stage_auc
    axes.axvspan(own.low, own.high, color=CATEGORY_COLOURS[0], alpha=0.12, linewidth=0)
    axes.axvline(0.5, color="#777777", linewidth=0.6, linestyle="--", zorder=0)
    for at, line in enumerate(lines):
        colour = CATEGORY_COLOURS[min(at, 1)]
        if line.is_tested:
            axes.plot([line.alone.low, line.alone.high], [at, at], color=colour, linewidth=1.2)
            face = colour if line.is_filled else "white"
            axes.plot(line.alone.value, at, marker=line.marker, markersize=4, color=colour, markerfacecolor=face)
        else:
            axes.annotate(
                "not tested", (0.5, at), ha="center", va="center", fontsize=6, color="#444444", bbox=_ON_WHITE
            )
        if np.isfinite(line.chance):
            axes.plot(line.chance, at, marker="|", markersize=7, markeredgewidth=0.9, color="#444444", zorder=3)
        for points, text in zip(_COLUMNS_PT, (line.held, line.remaining), strict=True):
            _print_beside(axes, points, at, text)
    for points, text in zip(_COLUMNS_PT, HEADINGS, strict=True):
        _print_beside(axes, points, -0.65, text, va="bottom")
    # A column's name may hold dollar signs, which are not mathematics.
    axes.set_yticks(range(len(lines)), [_short(line.label) for line in lines], parse_math=False)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlim(*_span(lines))
    axes.set_xlabel("\n".join([ALONE, *_key(result)]))


def data(result: ShortcutAudit, *, vectors_name: str = "vectors") -> pd.DataFrame:
    """The vectors' concordance with stage, then one row a column; p adjusted over the columns."""
    own = result.stage_auc
    rows: list[dict[str, object]] = [
        {
            "column": vectors_name,
            "n": result.n,
            "stage_auc": own.value,
            "stage_auc_low": own.low,
            "stage_auc_high": own.high,
        }
    ]
    for one in result.columns:
        alone, held, left = one.stage_from_column, one.column_from_vectors, one.after_removal
        rows.append(
            {
                "column": one.name,
                "n": one.n,
                "stage_auc": alone.value,
                "stage_auc_low": alone.low,
                "stage_auc_high": alone.high,
                "stage_auc_chance": one.stage_from_column_chance,
                "stage_auc_p": one.stage_from_column_p,
                "stage_auc_p_adjusted": one.stage_from_column_p_adjusted,
                "columns": "; ".join(one.parts) or None,
                "kind": one.kind,
                "levels": one.n_levels,
                "association": one.association,
                "association_value": one.association_value,
                "association_p": one.association_p,
                "association_p_adjusted": one.association_p_adjusted,
                "from_vectors_measure": _measure(one),
                "from_vectors": held.value,
                "from_vectors_low": held.low,
                "from_vectors_high": held.high,
                "from_vectors_p": one.column_from_vectors_p,
                "from_vectors_p_adjusted": one.column_from_vectors_p_adjusted,
                "stage_rho": one.before_removal.value,
                "stage_rho_low": one.before_removal.low,
                "stage_rho_high": one.before_removal.high,
                "stage_rho_p": one.before_removal_p,
                "stage_rho_p_adjusted": one.before_removal_p_adjusted,
                "stage_rho_without": left.value,
                "stage_rho_without_low": left.low,
                "stage_rho_without_high": left.high,
                "stage_rho_without_p": one.after_removal_p,
                "stage_rho_without_p_adjusted": one.after_removal_p_adjusted,
                "verdict": one.verdict,
                "note": one.note,
            }
        )
    return pd.DataFrame(rows)


def summary(result: ShortcutAudit) -> pd.DataFrame:
    """The audit as text, one row a column: measures with intervals, each one-sided p with the one adjusted over the
    columns in brackets.
    """
    return pd.DataFrame(
        [
            {
                "column": one.name,
                "n": one.n,
                "associated with stage": _with_p(_association(one), one.association_p, one.association_p_adjusted),
                "predicts stage, AUC": _with_p(
                    _interval(one.stage_from_column), one.stage_from_column_p, one.stage_from_column_p_adjusted
                ),
                "predicted by the vectors": _with_p(
                    _interval(one.column_from_vectors, _measure(one)),
                    one.column_from_vectors_p,
                    one.column_from_vectors_p_adjusted,
                ),
                "stage axis without it, rho": _with_p(
                    _interval(one.after_removal), one.after_removal_p, one.after_removal_p_adjusted
                ),
            }
            for one in result.columns
        ]
    )


def about_p(result: ShortcutAudit) -> str:
    """What the p of the summary are."""
    adjusted = result.adjusted(float("nan"))
    return f"p one-sided{f'; in brackets: adjusted, {adjusted.words}' if adjusted.n > 1 else ''}."


def left_out_data(result: ShortcutAudit) -> pd.DataFrame:
    """One row a level: concordance of the stage axis on its cases, trained on others of the level and on none."""
    rows = [
        (one.name, part.level, part.n, part.within, part.auc, part.drop)
        for one in result.columns
        for part in one.left_out
    ]
    return pd.DataFrame(rows, columns=["column", "level", "n", "auc_within", "auc_left_out", "drop"])


@dataclass(frozen=True)
class _Line:
    """One line of the forest. is_filled: whether it is associated with stage beyond chance (the vectors' is always)."""

    label: str
    n: int
    alone: Estimate
    is_vectors: bool
    is_filled: bool
    held: str = ""
    remaining: str = ""
    chance: float = float("nan")

    @property
    def is_tested(self) -> bool:
        return bool(np.isfinite(self.alone.value))

    @property
    def marker(self) -> str:
        return "s" if self.is_vectors else "o"

    @property
    def symbol(self) -> str:
        return ("square" if self.is_vectors else "circle") + ("" if self.is_filled else "-open")

    @property
    def hover(self) -> str:
        return f"{in_html(self.label)}, n = {self.n}: {_interval(self.alone)}"


def _lines(result: ShortcutAudit, vectors_name: str) -> list[_Line]:
    return [_Line(vectors_name, result.n, result.stage_auc, True, True)] + [
        _Line(
            one.name,
            one.n,
            one.stage_from_column,
            False,
            one.is_associated,
            _dotted(_measure(one), one.column_from_vectors, one.column_from_vectors_p_adjusted),
            _dotted("rho", one.after_removal, one.after_removal_p_adjusted),
            one.stage_from_column_chance,
        )
        for one in result.columns
    ]


def _dotted(measure: str, found: Estimate, p: float) -> str:
    return f"{'●' if p < ALPHA else '○'} {measure} {found.value:z.2f}" if np.isfinite(found.value) else "–"


def _measure(one: ShortcutColumn) -> str:
    return "AUC" if one.kind == "categorical" else "rho"


def _association(one: ShortcutColumn) -> str:
    if not np.isfinite(one.association_value):
        return ""
    return f"{'V' if one.kind == 'categorical' else 'eta'} {one.association_value:.2f}"


def _with_p(measured: str, p: float, p_adjusted: float) -> str:
    return ", ".join(part for part in (measured, p_bracketed(p, p_adjusted)) if part)


def _interval(found: Estimate, measure: str = "") -> str:
    if not np.isfinite(found.value):
        return ""
    return f"{measure} {found.value:z.2f} [{found.low:z.2f}, {found.high:z.2f}]".strip()


def _span(lines: list[_Line]) -> tuple[float, float]:
    """The range that holds every chance and every interval, with a margin."""
    ends = [end for line in lines for end in (line.alone.low, line.alone.high, line.chance) if np.isfinite(end)]
    low, high = min([0.5, *ends]), max([0.5, *ends])
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _short(name: str) -> str:
    return name if len(name) <= LABEL_CHARACTERS else name[: LABEL_CHARACTERS - 1] + "…"


def _title(result: ShortcutAudit) -> str:
    return f"Does anything else predict the stage? {of_patients(result.n, result.n_patients)}"


def _key(result: ShortcutAudit) -> list[str]:
    filled = f"filled: p < 0.05, {p_sides('one-sided', result.adjusted(float('nan')))}"
    return ["tick: chance for the column", *textwrap.wrap(filled, KEY_CHARACTERS, break_on_hyphens=False)]


def _beside(figure: go.Figure, at: float, text: str, **place: str | float) -> None:
    if text:
        place = {"x": 1.0, "xref": "paper", "xanchor": "left", "yref": "y", **place}
        figure.add_annotation(text=text, y=at, showarrow=False, **place)


def _print_beside(axes: Axes, points: float, at: float, text: str, va: str = "center") -> None:
    axes.annotate(
        text,
        (1.0, at),
        xycoords=("axes fraction", "data"),
        xytext=(points, 0.0),
        textcoords="offset points",
        va=va,
        fontsize=6,
        annotation_clip=False,
    )
