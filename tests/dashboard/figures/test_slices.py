"""Slices for print: pixels lie where their millimetres say, words are text, thumbnails say that they are."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dashboard.figures import figure_bytes, slices
from dashboard.figures.slices import GreyWindow, PanelSlice

WINDOW = GreyWindow("Lung", 1500, -600)
FOOTER = "Simulated demonstration cohort"


def panel(title: str = "one") -> PanelSlice:
    """20 x 40 pixels of 2 x 1 mm, black but for a bright blob at column 30, row 5."""
    hu = np.full((20, 40), -2000, np.int16)
    hu[5, 30] = 3000
    mask = np.zeros((20, 40), np.uint8)
    mask[4:7, 29:32] = 1
    return PanelSlice(
        title, "stage T1", "RLAP", hu=hu, pixel_mm=(2.0, 1.0), left=-40.0, top=-10.0, mask=mask, box=(-5, -4, 15, 6),
        facts={"item_id": f"{title}/lesion", "rank": 1, "plane": "axial", "slice_number": 4},
    )  # fmt: skip


def test_a_bright_pixel_lies_at_its_millimetres() -> None:
    plain = replace(panel(), mask=None, box=None)
    figure = slices.print_figure([plain], WINDOW, title="Slices")
    picture = np.asarray(Image.open(BytesIO(figure_bytes(figure, "png"))).convert("L"), dtype=float)
    axes = figure.axes[0]
    # Column 30 of 2 mm from -40 and row 5 of 1 mm from -10.
    x, y = axes.transData.transform((-40 + 30.5 * 2, -10 + 5.5 * 1)) * 300 / figure.dpi
    row, column = round(picture.shape[0] - y), round(x)
    assert picture[row, column] > 250
    # Its pixel is twice as wide as high, and the next ones are black.
    mm = abs(axes.transData.transform((1, 0))[0] - axes.transData.transform((0, 0))[0]) * 300 / figure.dpi
    assert picture[row, round(column + 0.7 * mm)] > 250
    assert picture[row, round(column + 1.5 * mm)] < 5
    assert picture[round(row + 0.8 * mm), column] < 5


def test_every_panel_has_the_same_scale() -> None:
    small = replace(panel("two"), hu=np.zeros((10, 10), np.int16), mask=None, left=-5.0, top=-5.0)
    first, second = slices.print_figure([panel(), small], WINDOW, title="Slices").axes[:2]
    for get in ("get_xlim", "get_ylim"):
        widths = [abs(np.diff(getattr(axes, get)())[0]) for axes in (first, second)]
        assert widths[0] == widths[1] == 80


def test_the_words_are_text_and_the_outline_and_the_box_are_lines() -> None:
    figure = slices.print_figure([panel("case $x$ <one>"), panel("two")], WINDOW, title="Slices, axial", footer=FOOTER)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(183)
    svg = figure_bytes(figure, "svg").decode()
    words = (
        "case $x$ &lt;one&gt;",
        "stage T1",
        "20 mm",
        ">R<",
        ">P<",
        FOOTER,
        "Lung window, width 1500 HU, level -600",
    )
    for text in words:
        assert text in svg
    assert svg.count("<image") >= 2
    assert "#e69f00" in svg
    assert "stroke-dasharray" in svg
    assert figure_bytes(figure, "pdf").startswith(b"%PDF")


def test_the_outline_goes_along_the_edge_of_the_mask() -> None:
    axes = slices.print_figure([panel()], WINDOW, title="Slices").axes[0]
    (contour,) = (one for one in axes.collections)
    points = np.vstack([path.vertices for path in contour.get_paths()])
    assert points.min(axis=0) == pytest.approx([-40 + 29 * 2, -10 + 4])
    assert points.max(axis=0) == pytest.approx([-40 + 32 * 2, -10 + 7])


def test_a_thumbnail_says_that_it_is_one_and_has_no_hu() -> None:
    stored = np.full((128, 128), 90, np.uint8)
    note = "Stored thumbnail (lung window): the CT cannot be read here"
    thumbnail = PanelSlice("one", "", "RLAP", stored=stored, pixel_mm=(0.75, 0.75), left=-48.0, top=-48.0, note=note)
    svg = figure_bytes(slices.print_figure([thumbnail], WINDOW, title="Slices"), "svg").decode()
    assert "Stored thumbnail (lung" in svg
    assert "level" not in svg
    row = slices.data([thumbnail], WINDOW).iloc[0]
    assert (row["shown"], row["note"], row["window"]) == ("stored thumbnail", note, "")


def test_an_item_without_any_picture_has_its_place_and_its_reason() -> None:
    none = PanelSlice("one", "", "RLAP", note="No picture: the CT cannot be read here")
    svg = figure_bytes(slices.print_figure([none, panel()], WINDOW, title="Slices"), "svg").decode()
    assert "no picture" in svg
    assert "No picture: the CT" in svg
    assert slices.data([none], WINDOW)["shown"].tolist() == ["nothing"]


def test_of_many_panels_the_first_twelve_are_drawn_and_all_are_in_the_table() -> None:
    many = [panel(f"case{n}") for n in range(15)]
    figure = slices.print_figure(many, WINDOW, title="Slices")
    svg = figure_bytes(figure, "svg").decode()
    assert "case11" in svg
    assert "case12" not in svg
    assert "first 12 of 15" in svg
    assert len(slices.data(many, WINDOW)) == 15
    width, height = figure.bbox.size
    inside = figure.get_tightbbox().get_points() * figure.dpi
    assert inside.min() >= -2
    assert inside[1, 0] <= width + 2
    assert inside[1, 1] <= height + 2


def test_the_table_has_the_place_of_every_slice_and_the_window() -> None:
    row = slices.data([panel()], WINDOW).iloc[0]
    assert (row["item_id"], row["rank"], row["plane"], row["slice_number"]) == ("one/lesion", 1, "axial", 4)
    assert (row["pixel_width_mm"], row["pixel_height_mm"]) == (2.0, 1.0)
    assert (row["window"], row["window_width_hu"], row["window_level_hu"]) == ("Lung", 1500, -600)


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a panel"):
        slices.print_figure([], WINDOW, title="Slices")
    with pytest.raises(ValueError, match="wider than 0"):
        slices.print_figure([panel()], GreyWindow("Own", 0, 0), title="Slices")
