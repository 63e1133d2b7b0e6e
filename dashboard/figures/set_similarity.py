"""How alike embedding sets are: a matrix of shared neighbours and alignment, and each pair with interval and chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboard.wording.escaping import in_html
from embeddings.analysis import SetSimilarity
from embeddings.formatting import of_patients

from .compare import lettered, wrapped_footer
from .style.contrast import cell_texts, text_on
from .style.theme import (
    CATEGORY_COLOURS,
    DOUBLE_COLUMN_MM,
    INK,
    SHAPES,
    finish_print,
    finish_screen,
    panel_title,
    print_canvas,
    ramp_for_screen,
)

LINE_PX = 26
AXIS = "0: nothing shared, 1: the same (tick: chance)"


@dataclass(frozen=True)
class PairRow:
    """One pair at one k, or its alignment (k None)."""

    label: str
    k: int | None
    value: float
    low: float
    high: float
    chance: float

    @property
    def text(self) -> str:
        """Value, interval and chance as numbers."""
        return f"{self.value:z.2f} [{self.low:z.2f}, {self.high:z.2f}], chance {self.chance:.2f}"


def rows(result: SetSimilarity, names: Sequence[str]) -> list[PairRow]:
    """The lines of the panel: for every pair the overlap at each k, then the alignment."""
    short = lettered(names)
    found = []
    for aligned in result.alignments:
        pair = f"{short[aligned.first]}, {short[aligned.second]}"
        for k in result.k:
            one = result.overlap(aligned.first, aligned.second, k)
            found.append(PairRow(f"{pair}: k = {k}", k, one.value, one.low, one.high, one.chance))
        if np.isfinite(aligned.value):
            found.append(PairRow(f"{pair}: CKA", None, aligned.value, aligned.low, aligned.high, 0.0))
    return found


def matrix(result: SetSimilarity, names: Sequence[str], k: int) -> NDArray[np.float64]:
    """[sets, sets]: below the diagonal the overlap at k, above it CKA, on it 1."""
    place = {name: position for position, name in enumerate(names)}
    found = np.eye(len(names))
    for aligned in result.alignments:
        a, b = sorted((place[aligned.first], place[aligned.second]))
        found[b, a] = result.overlap(aligned.first, aligned.second, k).value
        found[a, b] = aligned.value
    return found


def screen(result: SetSimilarity, names: Sequence[str], k: int, *, footer: str | None = None) -> go.Figure:
    """The matrix at the left, each pair with its interval at the right, numbers beside it."""
    lines = rows(result, names)
    height = 250 + max(LINE_PX * len(lines), 60 * len(names))
    figure = make_subplots(
        rows=1,
        cols=2,
        column_widths=[0.34, 0.66],
        horizontal_spacing=0.15,
        subplot_titles=(f"Below: shared of the {k} nearest<br>Above: CKA", "Each pair"),
    )
    letters = list(lettered(names).values())
    values = matrix(result, names, k)
    hover = [[in_html(f"{one} and {other}") for other in names] for one in names]
    figure.add_trace(
        go.Heatmap(
            z=values,
            x=letters,
            y=letters,
            zmin=0,
            zmax=1,
            colorscale=[list(step) for step in ramp_for_screen()],
            text=hover,
            hovertemplate="%{text}: %{z:.3f}<extra></extra>",
            showscale=False,
            xgap=2,
            ygap=2,
        ),
        row=1,
        col=1,
    )
    texts = [[f"{value:z.2f}" for value in row] for row in values]
    figure.add_trace(cell_texts(values, texts, ramp_for_screen(), letters, letters), row=1, col=1)
    for kind, shape in zip([*result.k, None], SHAPES, strict=False):
        of_kind = [(at, line) for at, line in enumerate(lines) if line.k == kind]
        colour = CATEGORY_COLOURS[1] if kind is None else CATEGORY_COLOURS[0]
        figure.add_trace(
            go.Scatter(
                x=[line.value for _, line in of_kind],
                y=[at for at, _ in of_kind],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [line.high - line.value for _, line in of_kind],
                    "arrayminus": [line.value - line.low for _, line in of_kind],
                    "thickness": 2,
                },
                mode="markers",
                marker={"size": 10, "symbol": shape[1], "color": colour},
                text=[in_html(f"{line.label}: {line.text}") for _, line in of_kind],
                hovertemplate="%{text}<extra></extra>",
                showlegend=False,
                cliponaxis=False,
            ),
            row=1,
            col=2,
        )
    figure.add_trace(
        go.Scatter(
            x=[line.chance for line in lines],
            y=list(range(len(lines))),
            mode="markers",
            marker={"size": 16, "symbol": "line-ns-open", "color": INK, "line": {"width": 2.5, "color": INK}},
            hovertemplate="chance %{x:.3f}<extra></extra>",
            showlegend=False,
            cliponaxis=False,
        ),
        row=1,
        col=2,
    )
    start, end = figure.layout.xaxis2.domain
    figure.layout.xaxis2.domain = (start, end - 0.24)
    for at, line in enumerate(lines):
        figure.add_annotation(
            text=line.text, x=1.0, xref="x2 domain", xanchor="left", xshift=12, y=at, yref="y2", showarrow=False
        )
    figure.update_yaxes(autorange="reversed", row=1, col=1)
    figure.update_yaxes(
        tickvals=list(range(len(lines))),
        ticktext=[in_html(line.label) for line in lines],
        range=[len(lines) - 0.4, -0.6],
        showgrid=False,
        row=1,
        col=2,
    )
    figure.update_xaxes(title=AXIS, range=_span(lines), row=1, col=2)
    figure = finish_screen(figure, title=title(result, names), footer=footer, height=height)
    return wrapped_footer(figure, footer).update_layout(margin={"t": 100})


def print_figure(result: SetSimilarity, names: Sequence[str], k: int, *, footer: str | None = None) -> Figure:
    """Matrix and pairs side by side for print, two journal columns wide."""
    lines = rows(result, names)
    figure, (left, right) = print_canvas(
        width_mm=DOUBLE_COLUMN_MM, height_mm=max(70.0, 30.0 + 4.6 * len(lines)), panels=2, widths=(0.8, 1.0)
    )
    draw_matrix(left, matrix(result, names, k), names)
    panel_title(left, "a", f"{k} nearest shared (below),\n    CKA (above)")
    draw_pairs(right, lines)
    panel_title(right, "b", "each pair")
    return finish_print(figure, title=title(result, names), footer=footer)


def draw_matrix(axes: Axes, values: NDArray[np.float64], names: Sequence[str]) -> None:
    """The matrix [sets, sets] on matplotlib axes, each cell with its number."""
    axes.imshow(values, vmin=0.0, vmax=1.0, cmap=cm.batlow)
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        if np.isfinite(value):
            colour = text_on(to_hex(cm.batlow(value)))
            axes.text(column, row, f"{value:z.2f}", ha="center", va="center", color=colour, fontsize=7)
    short = lettered(names)
    axes.set_xticks(range(len(names)), list(short.values()))
    axes.set_yticks(range(len(names)), [f"{name[:28]}  {short[name]}" for name in names], parse_math=False)


def draw_pairs(axes: Axes, lines: Sequence[PairRow]) -> None:
    """Each pair's value and interval on matplotlib axes, the numbers at the right, a grey tick for chance."""
    kinds = list(dict.fromkeys(line.k for line in lines))
    for at, line in enumerate(lines):
        colour = CATEGORY_COLOURS[1] if line.k is None else CATEGORY_COLOURS[0]
        axes.plot([line.low, line.high], [at, at], color=colour, linewidth=1.0)
        marker = SHAPES[kinds.index(line.k)][0]
        axes.plot(line.value, at, marker=marker, markersize=3.5, color=colour, linestyle="none")
        axes.plot(line.chance, at, marker="|", markersize=7, markeredgewidth=1.2, color=INK, linestyle="none")
        axes.annotate(
            line.text,
            (1.0, at),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=6,
            annotation_clip=False,
        )
    axes.set_yticks(range(len(lines)), [line.label for line in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlim(*_span(lines))
    axes.set_xlabel(AXIS)


def data(result: SetSimilarity) -> pd.DataFrame:
    """One row a pair and measure: value, interval, chance level, p where it was tested."""
    found = [
        (one.first, one.second, f"Jaccard of the {one.k} nearest", one.value, one.low, one.high, one.chance, np.nan)
        for one in result.overlaps
    ]
    found += [
        (one.first, one.second, "debiased linear CKA", one.value, one.low, one.high, 0.0, one.p_adjusted)
        for one in result.alignments
    ]
    columns = ["first", "second", "measure", "value", "low", "high", "chance", "p_adjusted"]
    return pd.DataFrame(found, columns=columns).assign(n=result.n, n_patients=result.n_patients, seed=result.seed)


def title(result: SetSimilarity, names: Sequence[str]) -> str:
    """What is compared, on how many cases."""
    return f"Shared neighbours: {len(names)} sets, {of_patients(result.n, result.n_patients)}"


def _span(lines: Sequence[PairRow]) -> tuple[float, float]:
    low = min([0.0, *(line.low for line in lines)])
    return low - 0.03, 1.03
