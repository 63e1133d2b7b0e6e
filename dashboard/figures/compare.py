"""Embedding sets in one measure: each with its interval and chance, and every pair's difference against zero."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from string import ascii_uppercase

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotly.subplots import make_subplots

from dashboard.wording.escaping import in_hovertemplate, in_html
from embeddings.analysis import Adjusted, SetComparison, SetDifference, SetScore, p_short, p_sides
from embeddings.formatting import of_patients

from .style.theme import (
    CATEGORY_COLOURS,
    DOUBLE_COLUMN_MM,
    INK,
    category_marks,
    finish_print,
    finish_screen,
    panel_title,
    print_canvas,
)

ALPHA = 0.05
MEASURES = {
    "rho": "Spearman's ρ with stage, out of fold",
    "AUC": "AUC of a linear probe, out of fold",
    "mAP": "Mean average precision of retrieval",
}
TITLES = {"rho": "Stage gradient", "AUC": "Linear probe", "mAP": "Retrieval"}
KEY = "thick: given the fits · thin: fits counted in · filled: adjusted p < 0.05"
RETRIEVAL_KEY = "thick: given the gallery · thin: gallery counted in · filled: adjusted p < 0.05"
NAME_CHARACTERS, FOOTER_CHARACTERS, LINE_PX = 26, 105, 40
# The part of the figure on screen that the numbers take.
NUMBERS_SHARE = 0.47


def letter(position: int) -> str:
    """The letter that stands for the set at this position, such as A for the first."""
    return ascii_uppercase[position]


def lettered(names: Sequence[str]) -> dict[str, str]:
    """The letter of each set's name."""
    return {name: letter(position) for position, name in enumerate(names)}


def screen(result: SetComparison, *, footer: str | None = None) -> go.Figure:
    """The sets above, a tick at what chance reaches; the differences below, with the numbers at the right."""
    names, texts = [one.name for one in result.sets], _score_texts(result)
    rows = (len(names) + 0.6, len(result.differences) + 0.6)
    height = round(270 + LINE_PX * sum(rows))
    figure = make_subplots(
        rows=2,
        cols=1,
        row_heights=list(rows),
        vertical_spacing=95 / (height - 195),
        subplot_titles=("Each set", "Difference of each pair, the first less the second"),
    )
    figure.update_annotations(x=0.0, xanchor="left")
    for position, (one, mark) in enumerate(zip(result.sets, category_marks(len(names)), strict=True)):
        _screen_interval(figure, position, one.low, one.high, mark.colour, 2.5, row=1)
        _screen_mark(figure, position, one.value, mark.symbol, mark.colour, f"{one.name}: {texts[position]}", row=1)
        _screen_number(figure, position, texts[position], row=1)
        figure.add_trace(
            go.Scatter(
                x=[one.chance],
                y=[position],
                mode="markers",
                marker={"size": 20, "symbol": "line-ns-open", "color": INK, "line": {"width": 2.5, "color": INK}},
                hovertemplate=f"chance {one.chance:.3f}<extra></extra>",
                showlegend=False,
                cliponaxis=False,
            ),
            row=1,
            col=1,
        )
    short = lettered(names)
    for position, pair in enumerate(result.differences):
        _screen_interval(figure, position, pair.low, pair.high, INK, 1.5, row=2)
        _screen_interval(figure, position, pair.low_given_fits, pair.high_given_fits, INK, 5, row=2)
        symbol = "diamond" if pair.p_adjusted < ALPHA else "diamond-open"
        said = f"{pair.first} less {pair.second}: {_difference_text(result, pair)}"
        _screen_mark(figure, position, pair.value, symbol, CATEGORY_COLOURS[0], said, row=2)
        _screen_number(figure, position, _difference_text(result, pair), row=2)
    figure.add_vline(x=0, line={"dash": "dash", "color": INK, "width": 1}, row=2, col=1)
    ticks = (
        [f"{letter(at)}  " + "<br>".join(map(in_html, _wrapped(name))) for at, name in enumerate(names)],
        [f"{short[pair.first]} − {short[pair.second]}" for pair in result.differences],
    )
    for row, labels in enumerate(ticks, start=1):
        figure.update_yaxes(
            tickvals=list(range(len(labels))), ticktext=labels, range=[len(labels) - 0.4, -0.6], showgrid=False, row=row
        )
    figure.update_xaxes(domain=[0, 1 - NUMBERS_SHARE])
    measure = f"{MEASURES[result.measure]} ({_sets_key(result)})"
    figure.update_xaxes(title=measure, title_font={"size": 12}, range=_span_of_sets(result), row=1)
    figure.update_xaxes(
        title=f"Difference ({_key(result)})", title_font={"size": 12}, range=_span_of_differences(result), row=2
    )
    return wrapped_footer(finish_screen(figure, title=title(result), footer=footer, height=height), footer)


def print_figure(result: SetComparison, *, footer: str | None = None) -> Figure:
    """Sets and differences side by side for print, two journal columns wide."""
    lines = max(len(result.sets), len(result.differences))
    figure, (left, right) = print_canvas(
        width_mm=DOUBLE_COLUMN_MM, height_mm=34.0 + 8.5 * lines, panels=2, widths=(1.0, 1.1)
    )
    draw_sets(left, result)
    draw_differences(right, result)
    panel_title(left, "a", "each set")
    panel_title(right, "b", "difference of each pair")
    return finish_print(figure, title=title(result), footer=footer)


def draw_sets(axes: Axes, result: SetComparison) -> None:
    """Each set's value and interval on matplotlib axes, the numbers above, a grey tick for chance."""
    low, high = _span_of_sets(result)
    texts = _score_texts(result)
    for position, (one, mark) in enumerate(zip(result.sets, category_marks(len(result.sets)), strict=True)):
        axes.plot([one.low, one.high], [position, position], color=mark.colour, linewidth=1.2)
        axes.plot(one.value, position, marker=mark.marker, markersize=4.5, color=mark.colour, linestyle="none")
        axes.plot(one.chance, position, marker="|", markersize=9, markeredgewidth=1.4, color=INK, linestyle="none")
        _print_number(axes, (low + high) / 2, position, texts[position])
    names = [f"{letter(at)}  " + "\n".join(_wrapped(one.name)) for at, one in enumerate(result.sets)]
    # A set's name may hold dollar signs, which are not mathematics.
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.8)
    axes.set_xlim(low, high)
    axes.set_xlabel(f"{MEASURES[result.measure]}\n{_sets_key(result)}")


def draw_differences(axes: Axes, result: SetComparison) -> None:
    """Every pair's difference on matplotlib axes: a thick line given the fits, a thin one with them counted in."""
    short = lettered([one.name for one in result.sets])
    for position, pair in enumerate(result.differences):
        axes.plot([pair.low, pair.high], [position, position], color=INK, linewidth=0.8)
        axes.plot([pair.low_given_fits, pair.high_given_fits], [position, position], color=INK, linewidth=2.6)
        axes.plot(
            pair.value,
            position,
            marker="D",
            markersize=4,
            color=CATEGORY_COLOURS[0],
            markerfacecolor=CATEGORY_COLOURS[0] if pair.p_adjusted < ALPHA else "white",
        )
    low, high = _span_of_differences(result)
    for position, pair in enumerate(result.differences):
        _print_number(axes, (low + high) / 2, position, _difference_text(result, pair))
    axes.axvline(0, color=INK, linewidth=0.6, linestyle="--", zorder=0)
    labels = [f"{short[pair.first]} − {short[pair.second]}" for pair in result.differences]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.8)
    axes.set_xlim(low, high)
    axes.set_xlabel("Difference\n" + textwrap.fill(_key(result), 52))


def data(result: SetComparison) -> pd.DataFrame:
    """One row a set: value, interval, chance, and how it was taken."""
    table = pd.DataFrame(
        [
            (one.name, one.value, one.low, one.high, one.chance, one.p_chance, adjusted.p)
            for one, adjusted in zip(result.sets, result.chance_adjusted, strict=True)
        ],
        columns=["set", result.measure, "low", "high", "chance", "p_chance", "p_chance_adjusted"],
    )
    return table.assign(
        n=result.n,
        n_patients=result.n_patients,
        n_folds=result.n_folds,
        n_repeats=result.n_repeats,
        n_permutations=result.n_permutations,
        n_bootstrap=result.n_bootstrap,
        seed=result.seed,
    )


def difference_data(result: SetComparison) -> pd.DataFrame:
    """One row a pair: the difference, its intervals and p-values."""
    columns = ["first", "second", "value", "low", "high", "p", "p_adjusted"]
    columns += ["low_given_fits", "high_given_fits", "p_given_fits"]
    rows = [[getattr(one, column) for column in columns] for one in result.differences]
    return pd.DataFrame(rows, columns=columns).rename(columns={"value": f"difference_{result.measure}"})


def case_data(result: SetComparison, case_ids: Sequence[str]) -> pd.DataFrame:
    """One row a case that was scored: what each set gives it. case_ids: of the rows that were compared."""
    table = pd.DataFrame({"case_id": [case_ids[row] for row in result.cases]})
    for one, values in zip(result.sets, result.by_case, strict=True):
        table[one.name] = values
    return table


def title(result: SetComparison) -> str:
    """What is compared, on how many cases."""
    return f"{TITLES[result.measure]}: {len(result.sets)} sets, {of_patients(result.n, result.n_patients)}"


def wrapped_footer(figure: go.Figure, footer: str | None) -> go.Figure:
    """The footer of a finished screen figure over as many lines as it takes: names of several sets are long."""
    if footer:
        lines = "<br>".join(map(in_html, textwrap.wrap(footer, FOOTER_CHARACTERS)))
        figure.layout.annotations[-1].update(text=f"<i>{lines}</i>", align="left")
    return figure


def _key(result: SetComparison) -> str:
    key = RETRIEVAL_KEY if result.measure == "mAP" else KEY
    return f"{key} · p {p_sides('two-sided', result.adjusted(result.differences[0]))}"


def _sets_key(result: SetComparison) -> str:
    adjusted = result.chance_adjusted[0]
    return "tick: chance" + (f" · p {p_sides('one-sided', adjusted)}" if np.isfinite(adjusted.p) else "")


def _score_texts(result: SetComparison) -> list[str]:
    return [_score_text(one, adjusted) for one, adjusted in zip(result.sets, result.chance_adjusted, strict=True)]


def _score_text(one: SetScore, adjusted: Adjusted) -> str:
    against = p_short(one.p_chance, adjusted)
    chance = f"chance {one.chance:.2f}" + (f", {against}" if against else "")
    return f"{one.value:z.2f} [{one.low:z.2f}, {one.high:z.2f}], {chance}"


def _difference_text(result: SetComparison, pair: SetDifference) -> str:
    p = p_short(pair.p, result.adjusted(pair))
    return f"{pair.value:+z.3f} [{pair.low:+z.3f}, {pair.high:+z.3f}]" + (f", {p}" if p else "")


def _wrapped(name: str) -> list[str]:
    return textwrap.wrap(name, NAME_CHARACTERS, max_lines=2, placeholder=" …") or [name]


def _span_of_sets(result: SetComparison) -> tuple[float, float]:
    ends = [end for one in result.sets for end in (one.low, one.high, one.value, one.chance) if np.isfinite(end)]
    return _margin(min(ends), max(ends))


def _span_of_differences(result: SetComparison) -> tuple[float, float]:
    ends = [end for one in result.differences for end in (one.low, one.high, one.value) if np.isfinite(end)]
    return _margin(min([0.0, *ends]), max([0.0, *ends]))


def _margin(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _screen_interval(
    figure: go.Figure, position: int, low: float, high: float, colour: str, width: float, *, row: int
) -> None:
    figure.add_trace(
        go.Scatter(
            x=[low, high],
            y=[position, position],
            mode="lines",
            line={"color": colour, "width": width},
            hoverinfo="skip",
            showlegend=False,
        ),
        row=row,
        col=1,
    )


def _screen_mark(
    figure: go.Figure, position: int, value: float, symbol: str, colour: str, said: str, *, row: int
) -> None:
    figure.add_trace(
        go.Scatter(
            x=[value],
            y=[position],
            mode="markers",
            marker={"size": 12, "symbol": symbol, "color": colour, "line": {"width": 2, "color": colour}},
            hovertemplate=f"{in_hovertemplate(said)}<extra></extra>",
            showlegend=False,
            cliponaxis=False,
        ),
        row=row,
        col=1,
    )


def _screen_number(figure: go.Figure, position: int, text: str, *, row: int) -> None:
    figure.add_annotation(
        text=in_html(text),
        x=1.0,
        xref="x domain" if row == 1 else "x2 domain",
        xanchor="left",
        xshift=14,
        y=position,
        yref="y" if row == 1 else "y2",
        showarrow=False,
    )


def _print_number(axes: Axes, x: float, position: int, text: str) -> None:
    axes.annotate(
        text,
        (x, position),
        xytext=(0, 4.5),
        textcoords="offset points",
        ha="center",
        fontsize=6,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )
