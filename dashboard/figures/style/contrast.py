"""Text that can be read: in the page's colour on a light and a dark page, in black or white on a coloured cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from .theme import INK

# WCAG 2.2, success criterion 1.4.3 (AA), for text of ordinary size.
LEAST_CONTRAST = 4.5


@dataclass(frozen=True)
class Page:
    """Colours of text and of the ground that it stands on."""

    text: str
    ground: str


LIGHT, DARK = Page("#0b0f19", "#ffffff"), Page("#fafafa", "#171614")


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two opaque colours, 1 to 21, as WCAG 2.2 defines it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def text_on(colour: str) -> str:
    """Black or white, whichever is read better on a colour: never below 4.5 to 1."""
    return max(("#000000", "#ffffff"), key=lambda text: contrast(text, colour))


def cell_texts(
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    colours: str | Sequence[tuple[float, str]],
    columns: Sequence[str],
    rows: Sequence[str],
) -> go.Scatter:
    """The numbers of a heat map as a trace of their own; those that it writes itself fade on middling colours.

    Args:
        values: `[rows, columns]`, 0 to 1; a cell without a value gets no text.
        texts: one a cell.
        colours: the heat map's colour scale.
        columns, rows: its categories.
    """
    places = [(row, column) for row, column in np.ndindex(values.shape) if np.isfinite(values[row, column])]
    scale = colours if isinstance(colours, str) else [list(step) for step in colours]
    cells = sample_colorscale(scale, [float(np.clip(values[place], 0, 1)) for place in places])
    return go.Scatter(
        x=[columns[column] for _, column in places],
        y=[rows[row] for row, _ in places],
        mode="text",
        text=[texts[row][column] for row, column in places],
        textfont={"color": [text_on(_hex(cell)) for cell in cells]},
        hoverinfo="skip",
        showlegend=False,
    )


def on_page(figure: go.Figure, page: Page) -> go.Figure:
    """Every text of the figure in the page's colour: Streamlit's theme draws axes and their titles in a paler grey.

    Marks keep their colours, and so do texts that have a colour a point (`cell_texts`).
    """
    own = {"color": page.text}
    figure.update_layout(
        font=own,
        title={"font": own},
        legend={"font": own, "title": {"font": own}},
        hoverlabel={"font": own, "bgcolor": page.ground, "bordercolor": INK},
    )
    figure.for_each_xaxis(lambda axis: axis.update(tickfont=own, title={"font": own}))
    figure.for_each_yaxis(lambda axis: axis.update(tickfont=own, title={"font": own}))
    figure.for_each_annotation(lambda note: note.update(font=own))
    for trace in figure.data:
        if "text" in (getattr(trace, "mode", None) or "") and not isinstance(trace.textfont.color, tuple):
            trace.textfont.update(own)
        for holder in (trace, getattr(trace, "marker", None)):
            # To style a bar that is not there would make plotly draw one.
            if holder is not None and "colorbar" in holder.to_plotly_json():
                holder.colorbar.update(tickfont=own, title={"font": own})
    return figure


def _luminance(colour: str) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot((0.2126, 0.7152, 0.0722), parts))


def _hex(rgb: str) -> str:
    """`rgb(1, 2, 3)`, as plotly samples its scales, as #010203."""
    if rgb.startswith("#"):
        return rgb
    return "#" + "".join(f"{round(float(part)):02x}" for part in rgb[4:-1].split(","))
