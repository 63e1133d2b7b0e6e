"""A panel of the report: what is drawn into its place, and the table behind it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.text import Annotation

Place = Figure | SubFigure
SMALL_PT, LETTER_PT, TITLE_PT = 6.0, 8.0, 7.0
GREY = "#444444"
# Width of a letter of small type, on average, and of a legend's key with the space beside it.
LETTER_MM, KEY_MM = 1.0, 6.0


@dataclass(frozen=True)
class Panel:
    """One panel.

    draw: draws into an empty figure or subfigure. table: its data, one CSV. missing: why there is nothing to
    draw, else empty. width_mm, height_mm: of the panel alone.
    """

    letter: str
    key: str
    title: str
    draw: Callable[[Place], None]
    table: pd.DataFrame
    missing: str = ""
    width_mm: float = 89.0
    height_mm: float = 66.0

    @property
    def name(self) -> str:
        """File name without ending, such as `a_retrieval`."""
        return f"{self.letter}_{self.key}" if self.letter else self.key


def absent(letter: str, key: str, title: str, sentence: str) -> Panel:
    """A panel that says what it lacks."""
    return Panel(
        letter,
        key,
        title,
        lambda place: say(place.subplots(), sentence),
        pd.DataFrame({"not shown because": [sentence]}),
        missing=sentence,
    )


def heading(place: Place, letter: str, title: str) -> None:
    """The panel's letter, bold, at its upper left corner, and its title beside it."""
    if not letter:
        place.suptitle(title, x=0.01, ha="left", fontsize=TITLE_PT)
        return
    bold = place.suptitle(letter, x=0.01, ha="left", fontsize=LETTER_PT, weight="bold")
    words = Annotation(
        title, xy=(1.0, 0.0), xycoords=bold, xytext=(5.0, 0.5), textcoords="offset points", fontsize=TITLE_PT
    )
    words.set_in_layout(False)
    place.add_artist(words)


def statistic(axes: Axes, text: str) -> None:
    """What the panel's numbers are, in small type over the axes, flush left."""
    axes.set_title(text, loc="left", fontsize=SMALL_PT, color=GREY, pad=3)


def say(axes: Axes, sentence: str, characters: int = 44) -> None:
    """A sentence in place of a plot."""
    axes.set_axis_off()
    axes.text(
        0.5,
        0.5,
        textwrap.fill(sentence, characters),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=SMALL_PT,
        color=GREY,
    )


def shortened(name: str, characters: int) -> str:
    """A name cut where a panel has no room for all of it."""
    return name if len(name) <= characters else name[: characters - 1].rstrip() + "…"


def legend_below(place: Place, handles: Sequence[Artist], columns: int) -> None:
    """A legend in small type under the panel's axes, which keep their width; fewer columns where names are long."""
    root = place.get_figure(root=True)
    assert root is not None
    width_mm = place.bbox.width / root.dpi * 25.4
    for handle in handles:
        handle.set_label(shortened(str(handle.get_label()), 31))
    lengths = [len(str(handle.get_label())) for handle in handles]
    while columns > 1 and _legend_mm(lengths, columns) > width_mm:
        columns -= 1
    place.legend(
        handles=handles,
        loc="outside lower center",
        frameon=False,
        fontsize=SMALL_PT,
        ncols=columns,
        handletextpad=0.3,
        columnspacing=0.9,
        labelspacing=0.25,
        borderaxespad=0.2,
        borderpad=0.1,
    )


def _legend_mm(lengths: Sequence[int], columns: int) -> float:
    """Width of a legend of names of so many letters, filled column by column as matplotlib does."""
    rows, longer = divmod(len(lengths), columns)
    ends = np.cumsum([rows + (column < longer) for column in range(columns)])
    parts = np.split(np.asarray(lengths), ends[:-1])
    return sum(KEY_MM + LETTER_MM * int(part.max()) for part in parts if part.size)


def small_ticks(axes: Axes) -> None:
    """Tick labels in the smallest type that a journal takes."""
    axes.tick_params(labelsize=SMALL_PT, length=2.5)
    axes.xaxis.label.set_fontsize(SMALL_PT + 0.5)
    axes.yaxis.label.set_fontsize(SMALL_PT + 0.5)
