"""Colours, marker shapes, sizes and type that all figures share, on screen and in print."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import matplotlib
import plotly.graph_objects as go
from cmcrameri import cm
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from dashboard.wording.escaping import in_html

# Widths of one and of two columns of a journal page.
SINGLE_COLUMN_MM = 89.0
DOUBLE_COLUMN_MM = 183.0

# Okabe and Ito (2008), told apart with every kind of colour vision; black, invisible on a dark page, left
# out.
CATEGORY_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#F0E442", "#8C6D31")
# Shapes say again what colours say: (matplotlib, plotly).
SHAPES = (
    ("o", "circle"),
    ("s", "square"),
    ("^", "triangle-up"),
    ("D", "diamond"),
    ("v", "triangle-down"),
    ("P", "cross"),
    ("X", "x"),
    ("p", "pentagon"),
)
MISSING_COLOUR, MISSING_SHAPE = "#9A9A9A", ("x", "x-thin-open")
# Greys of lines that show on white and on a dark page. Text has no colour here: it takes the page's.
INK, RULE = "#777777", "rgba(127,127,127,0.25)"
TRANSPARENT = "rgba(0,0,0,0)"
# Below the axes of a figure on screen: tick labels and axis title, then the legend, then the footer.
BOTTOM_PX, LEGEND_PX, FOOTER_PX = 125, 32, 8
LEFT_PX = 60

# Set once for the process: a context around each figure would race between the threads of a web server.
matplotlib.rcParams.update(
    {
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "svg.hashsalt": "phenotype",
        "font.family": "sans-serif",
        "font.sans-serif": ["Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"],
        "font.size": 7,
        "axes.titlesize": 8,
        "axes.labelsize": 7,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7,
        "figure.titlesize": 8,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


@dataclass(frozen=True)
class Mark:
    """How one group is drawn: colour as hex, shape for matplotlib and for plotly."""

    colour: str
    marker: str
    symbol: str


MISSING = Mark(MISSING_COLOUR, *MISSING_SHAPE)


def category_marks(count: int) -> tuple[Mark, ...]:
    """Marks for unordered groups; pairs of colour and shape repeat after 64."""
    n = len(CATEGORY_COLOURS)
    return tuple(Mark(CATEGORY_COLOURS[i % n], *SHAPES[(i + i // n) % len(SHAPES)]) for i in range(count))


def stage_marks(count: int) -> tuple[Mark, ...]:
    """Marks for ordered groups: steps of the perceptual ramp batlow (Crameri 2018), with shapes."""
    # The ends of the ramp are lost on a dark and on a white page.
    positions = [0.18 + 0.64 * (i / (count - 1) if count > 1 else 0.5) for i in range(count)]
    return tuple(Mark(to_hex(cm.batlow(position)), *SHAPES[i % len(SHAPES)]) for i, position in enumerate(positions))


def legend_below(figure: go.Figure) -> go.Figure:
    """The legend in a row of its own between the axes and the footer; for a figure that has its height."""
    return figure.update_layout(
        legend={
            "orientation": "h",
            "yref": "container",
            "y": LEGEND_PX / figure.layout.height,
            "yanchor": "bottom",
            "x": 0.0,
            "xanchor": "left",
        }
    )


@cache
def ramp_for_screen() -> tuple[tuple[float, str], ...]:
    """The ramp of continuous colours as a plotly colour scale."""
    return tuple((i / 16, to_hex(cm.batlow(i / 16))) for i in range(17))


def print_canvas(
    *, width_mm: float, height_mm: float, panels: int = 1, widths: tuple[float, ...] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure of the given size in millimetres with its panels in a row, kept apart by the layout engine."""
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), dpi=300, layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False, width_ratios=widths)
    return figure, list(axes[0])


# Italic text of 6 pt takes some 3 pt a character.
FOOTER_CHARACTERS_AN_INCH = 72 / 3.0


def finish_print(figure: Figure, *, title: str, footer: str | None, notes: Sequence[str] = ()) -> Figure:
    """Title above, notes (a line each, or more) and footer below the panels, flush left."""
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    width = int(figure.get_figwidth() * FOOTER_CHARACTERS_AN_INCH)
    lines = [textwrap.fill(one, width, break_on_hyphens=False) for one in (*notes, footer) if one]
    if lines:
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6, color="#444444", style="italic")
    return figure


def panel_title(axes: Axes, letter: str, text: str) -> None:
    """A panel's letter and what it shows."""
    axes.set_title(f"{letter}  {text}", loc="left", fontsize=7)


def finish_screen(figure: go.Figure, *, title: str, footer: str | None, height: int = 480) -> go.Figure:
    """Layout shared on screen: transparent, text in the page's colour, footer on the figure itself."""
    figure.update_annotations(font_size=13)
    figure.update_layout(
        title={"text": in_html(title), "x": 0.0, "xanchor": "left", "font": {"size": 16}},
        height=height,
        paper_bgcolor=TRANSPARENT,
        plot_bgcolor=TRANSPARENT,
        font={"size": 13},
        margin={"l": LEFT_PX, "r": 20, "t": 70, "b": BOTTOM_PX},
        legend={"itemsizing": "constant", "bgcolor": TRANSPARENT},
        hoverlabel={"align": "left"},
        modebar={"bgcolor": TRANSPARENT, "color": INK, "activecolor": CATEGORY_COLOURS[0]},
    )
    figure.update_xaxes(gridcolor=RULE, zeroline=False, linecolor=INK, automargin=False)
    figure.update_yaxes(gridcolor=RULE, zeroline=False, linecolor=INK, automargin=True)
    if footer:
        figure.add_annotation(
            text=f"<i>{in_html(footer)}</i>",
            xref="paper",
            yref="paper",
            x=0,
            y=0,
            xshift=10 - LEFT_PX,
            yshift=FOOTER_PX - BOTTOM_PX,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 12},
        )
    return figure
