"""Slices of scans side by side for print: pixels as pictures, everything else as lines and text; and their table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from .style.theme import DOUBLE_COLUMN_MM, SINGLE_COLUMN_MM, finish_print

MOST_PANELS = 12
# As in the viewer (Okabe and Ito 2008): orange outline, yellow box.
OUTLINE, BOX = "#E69F00", "#F0E442"
BAR_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100, 200)
# Above and below a picture: title, place, caption; and the parts of the figure that stand once.
WORDS_MM, FRAME_MM = 15.0, 24.0
# Text of 6 pt takes some 1.15 mm a character.
MM_A_CHARACTER = 1.15
_PLATE = {"facecolor": "black", "edgecolor": "none", "alpha": 0.6, "pad": 0.8}


@dataclass(frozen=True)
class GreyWindow:
    """The grey scale in HU, and its name."""

    name: str
    width: float
    level: float

    @property
    def words(self) -> str:
        """Name, width and level."""
        return f"{self.name} window, width {self.width:g} HU, level {self.level:g} HU"


@dataclass(frozen=True)
class PanelSlice:
    """One slice with its words. Places are mm on the screen, to the right and down, from the item's centre.

    Attributes:
        title, caption: words above and below the picture.
        letters: patient's side at the left, right, top and bottom of the picture.
        hu: `[rows, columns]` HU, top row first; None where the CT cannot be read.
        stored: `[rows, columns]` grey values 0 to 255 of a thumbnail, shown where there are no HU.
        pixel_mm: width and height of a pixel of either.
        left, top: outer corner of the first pixel.
        mask: as `hu`, not 0 in the lesion; None where no voxel of it is.
        box: left, top, right, bottom of what was embedded; None where it is unknown or not cut by this slice.
        note: why there is no CT.
        facts: columns of the table (`data`), such as item id, rank, plane and LPS mm.
    """

    title: str
    caption: str
    letters: str
    hu: NDArray[np.int16] | None = None
    stored: NDArray[np.uint8] | None = None
    pixel_mm: tuple[float, float] = (1.0, 1.0)
    left: float = 0.0
    top: float = 0.0
    mask: NDArray[np.uint8] | None = None
    box: tuple[float, float, float, float] | None = None
    note: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def pixels(self) -> NDArray[np.generic] | None:
        """What is shown: HU, else the thumbnail, else nothing."""
        return self.hu if self.hu is not None else self.stored

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the picture; of none, a square of 100 mm."""
        if self.pixels is None:
            return -50.0, -50.0, 50.0, 50.0
        rows, columns = self.pixels.shape
        return self.left, self.top, self.left + columns * self.pixel_mm[0], self.top + rows * self.pixel_mm[1]


def print_figure(panels: Sequence[PanelSlice], window: GreyWindow, *, title: str, footer: str | None = None) -> Figure:
    """The first twelve panels in a grid, all at one scale in mm.

    Raises:
        ValueError: no panel, or a window without width.
    """
    if not panels:
        raise ValueError("a figure of slices needs a panel")
    if not window.width > 0:
        raise ValueError(f"a window is wider than 0 HU, not {window.width:g}")
    drawn = panels[:MOST_PANELS]
    columns = len(drawn) if len(drawn) < 3 else 3 if len(drawn) <= 6 else 4
    rows = -(-len(drawn) // columns)
    width_mm = SINGLE_COLUMN_MM if len(drawn) == 1 else DOUBLE_COLUMN_MM
    side_mm = width_mm / columns - 4.0
    height_mm = rows * (side_mm + WORDS_MM) + FRAME_MM
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4), dpi=300, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    span = max(max(right - left, bottom - top) for left, top, right, bottom in (one.edges for one in drawn))
    pictures = [
        _draw(axes, panel, window, span, int(side_mm / MM_A_CHARACTER))
        for axes, panel in zip(grid.flat, drawn, strict=False)
    ]
    for axes in grid.flat[len(drawn) :]:
        axes.set_axis_off()
    in_hu = [picture for picture, panel in zip(pictures, drawn, strict=True) if picture and panel.hu is not None]
    if in_hu:
        bar = figure.colorbar(in_hu[0], ax=list(grid.flat), location="bottom", shrink=0.4, aspect=40, pad=0.01)
        bar.set_label(window.words, parse_math=False)
    said = [footer or ""]
    if len(panels) > len(drawn):
        said.append(f"The first {len(drawn)} of {len(panels)} are shown; the table has all of them.")
    return finish_print(figure, title=title, footer=" ".join(filter(None, said)) or None)


def data(panels: Sequence[PanelSlice], window: GreyWindow) -> pd.DataFrame:
    """One row a panel: its facts, what is shown of it, the size of its pixels in mm, and the window in HU."""
    shown = {"hu": "CT", "stored": "stored thumbnail"}
    return pd.DataFrame(
        [
            {
                **panel.facts,
                "shown": next((words for name, words in shown.items() if getattr(panel, name) is not None), "nothing"),
                "pixel_width_mm": panel.pixel_mm[0] if panel.pixels is not None else np.nan,
                "pixel_height_mm": panel.pixel_mm[1] if panel.pixels is not None else np.nan,
                "window": window.name if panel.hu is not None else "",
                "window_width_hu": window.width if panel.hu is not None else np.nan,
                "window_level_hu": window.level if panel.hu is not None else np.nan,
                "note": panel.note,
            }
            for panel in panels
        ]
    )


def _draw(axes: Axes, panel: PanelSlice, window: GreyWindow, span: float, characters: int) -> AxesImage | None:
    left, top, right, bottom = panel.edges
    x, y = (left + right) / 2, (top + bottom) / 2
    axes.set_facecolor("black")
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(_folded(panel.title, characters, 2), fontsize=6.5, weight="bold", loc="left", parse_math=False)
    below = "\n".join(filter(None, (_folded(panel.caption, characters, 2), _folded(panel.note, characters, 3))))
    axes.set_xlabel(below, fontsize=6, loc="left", parse_math=False)
    picture = None
    if panel.pixels is not None:
        low, high = window.level - window.width / 2, window.level + window.width / 2
        if panel.hu is None:
            low, high = 0.0, 255.0
        picture = axes.imshow(
            panel.pixels, cmap="gray", vmin=low, vmax=high, extent=(left, right, bottom, top), interpolation="none"
        )
        if panel.mask is not None:
            _outline(axes, panel)
        if panel.box is not None:
            a, b, c, d = panel.box
            axes.add_patch(Rectangle((a, b), c - a, d - b, fill=False, edgecolor=BOX, linewidth=0.8, linestyle="--"))
        _letters(axes, panel.letters)
        _bar(axes, x - span / 2, y + span / 2, span)
    else:
        _word(axes, 0.5, 0.5, "no picture", "center", "center")
    axes.set_xlim(x - span / 2, x + span / 2)
    axes.set_ylim(y + span / 2, y - span / 2)
    return picture


def _outline(axes: Axes, panel: PanelSlice) -> None:
    """The edge of the mask, half way between the middles of its pixels and their neighbours'."""
    assert panel.mask is not None
    inside = np.pad(np.asarray(panel.mask != 0, dtype=float), 1)
    wide, high = panel.pixel_mm
    columns = panel.left + (np.arange(inside.shape[1]) - 0.5) * wide
    rows = panel.top + (np.arange(inside.shape[0]) - 0.5) * high
    axes.contour(columns, rows, inside, levels=[0.5], colors=OUTLINE, linewidths=0.8)


def _letters(axes: Axes, letters: str) -> None:
    _word(axes, 0.02, 0.5, letters[0], "left", "center")
    _word(axes, 0.98, 0.5, letters[1], "right", "center")
    _word(axes, 0.5, 0.98, letters[2], "center", "top")
    _word(axes, 0.5, 0.02, letters[3], "center", "bottom")


def _bar(axes: Axes, left: float, bottom: float, span: float) -> None:
    """A round length of up to a third of the width, with its mm."""
    length = max((mm for mm in BAR_LENGTHS_MM if mm <= span / 3), default=BAR_LENGTHS_MM[0])
    start, y = left + 0.03 * span, bottom - 0.035 * span
    for colour, width in (("black", 2.4), ("white", 1.2)):
        axes.plot([start, start + length], [y, y], color=colour, linewidth=width, solid_capstyle="butt")
    _word(axes, 0.03, 0.055, f"{length} mm", "left", "bottom")


def _word(axes: Axes, x: float, y: float, text: str, ha: str, va: str) -> None:
    """White on a dark plate, which is read on any grey; a rim would turn the text into shapes."""
    axes.text(x, y, text, transform=axes.transAxes, ha=ha, va=va, fontsize=6, color="white", bbox=_PLATE)


def _folded(text: str, characters: int, lines: int) -> str:
    return "\n".join(textwrap.wrap(text, max(characters, 12), max_lines=lines, placeholder=" …"))
