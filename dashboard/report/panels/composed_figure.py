"""The composed figure: all panels on one page of two journal columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure, SubFigure

from dashboard.figures.style.theme import DOUBLE_COLUMN_MM, FOOTER_CHARACTERS_AN_INCH
from dashboard.report.panels.panel import GREY, SMALL_PT, Panel, heading

# Height in mm of each row, and the panels in it with their shares of its width.
_ROWS: tuple[tuple[float, tuple[tuple[str, float], ...]], ...] = (
    (58.0, (("a", 0.82), ("b", 1.0))),
    (56.0, (("c", 1.06), ("d", 1.0), ("e", 0.94))),
    (52.0, (("f", 1.75), ("g", 1.0))),
    (58.0, (("h", 1.0),)),
)
_WITH_SURVIVAL = (*_ROWS[:3], (68.0, (("h", 1.4), ("i", 1.0))))
LINE_MM = 2.9
PAD_INCH = 0.045


def composed_figure(panels: Sequence[Panel], footer: str) -> Figure:
    """Panels a to h, or a to i, at 183 mm, and the footer under them."""
    by_letter = {panel.letter: panel for panel in panels}
    rows = _WITH_SURVIVAL if "i" in by_letter else _ROWS
    lines = _wrapped(footer, DOUBLE_COLUMN_MM)
    heights = [height for height, _ in rows] + [3.0 + LINE_MM * len(lines)]
    figure = _page(DOUBLE_COLUMN_MM, sum(heights))
    strips = _column(figure, heights)
    for strip, (_, places) in zip(strips, rows, strict=False):
        cells = np.ravel(strip.subfigures(1, len(places), width_ratios=[share for _, share in places], squeeze=False))
        for cell, (letter, _) in zip(cells, places, strict=True):
            by_letter[letter].draw(cell)
            heading(cell, letter, by_letter[letter].title)
    _write(strips[-1], lines)
    return _settled(figure)


def panel_figure(panel: Panel, footer: str) -> Figure:
    """One panel by itself, with its letter and the footer."""
    lines = _wrapped(footer, panel.width_mm)
    heights = [panel.height_mm, 3.0 + LINE_MM * len(lines)]
    figure = _page(panel.width_mm, sum(heights))
    place, strip = _column(figure, heights)
    panel.draw(place)
    heading(place, panel.letter, panel.title)
    _write(strip, lines)
    return _settled(figure)


def _page(width_mm: float, height_mm: float) -> Figure:
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), dpi=300, layout="constrained")
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(w_pad=PAD_INCH, h_pad=PAD_INCH)  # type: ignore[call-arg]
    return figure


def _column(figure: Figure, heights: Sequence[float]) -> list[SubFigure]:
    return list(np.ravel(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)))


def _settled(figure: Figure) -> Figure:
    """The figure laid out once, so that all its formats look alike and are quick to write."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _wrapped(footer: str, width_mm: float) -> list[str]:
    return textwrap.wrap(footer, int((width_mm - 4.0) / 25.4 * FOOTER_CHARACTERS_AN_INCH), break_on_hyphens=False)


def _write(strip: SubFigure, lines: Sequence[str]) -> None:
    strip.text(0.01, 0.95, "\n".join(lines), ha="left", va="top", fontsize=SMALL_PT, color=GREY, style="italic")
