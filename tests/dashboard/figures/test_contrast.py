"""Every text of a figure can be read on a light and on a dark page, and marks keep their colours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from plotly import graph_objects as go

from dashboard.figures.style.contrast import DARK, LEAST_CONTRAST, LIGHT, Page, cell_texts, contrast, on_page, text_on
from dashboard.figures.style.theme import INK, ramp_for_screen
from tests.dashboard.figures.hostile_screens import SCREENS, screen


def text_colours(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Colours of every font in a figure's JSON, with its place."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ("font", "tickfont", "textfont"):
                yield f"{path}.{name}", value.get("color")
            yield from text_colours(value, f"{path}.{name}")
    elif isinstance(node, list | tuple):
        for at, value in enumerate(node):
            yield from text_colours(value, f"{path}[{at}]")


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#808495", "#ffffff") == pytest.approx(3.7, abs=0.05)
    assert contrast("#0e1117", "#fafafa") == contrast("#fafafa", "#0e1117")


@pytest.mark.parametrize("page", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", SCREENS)
def test_every_text_of_a_figure_is_read_on_the_page(name: str, page: Page, request: pytest.FixtureRequest) -> None:
    figure = on_page(screen(name, request), page)
    said = figure.to_plotly_json()
    found = list(text_colours({"layout": {k: v for k, v in said["layout"].items() if k != "template"}}, name))
    found += [one for one in text_colours({"data": said["data"]}, name) if isinstance(one[1], str)]
    places = " ".join(place for place, _ in found)
    for wanted in (".layout.font", ".title.font", ".xaxis.tickfont", ".yaxis.title.font", "annotations[0].font"):
        assert wanted in places
    for place, colour in found:
        assert colour is not None, place
        ground = page.ground
        assert contrast(colour, ground) >= LEAST_CONTRAST, place


@pytest.mark.parametrize("name", SCREENS)
def test_no_text_has_a_colour_of_its_own_inside_its_words(name: str, request: pytest.FixtureRequest) -> None:
    # A colour in a tag would override the page's; a square of a group's colour is a mark.
    words = str(screen(name, request).to_plotly_json())
    for part in words.split("<span")[1:]:
        assert part.split(">", 1)[1].startswith("■</span>")


@pytest.mark.parametrize("name", SCREENS)
def test_marks_keep_their_colours(name: str, request: pytest.FixtureRequest) -> None:
    before, after = screen(name, request), on_page(screen(name, request), DARK)
    for one, other in zip(before.data, after.data, strict=True):
        for part in ("marker", "line", "fillcolor"):
            if part in one:
                for colour in ("color", "colorscale"):
                    old, new = (getattr(getattr(trace, part), colour, None) for trace in (one, other))
                    assert np.array_equal(np.asarray(old), np.asarray(new))


@pytest.mark.parametrize("name", SCREENS)
def test_nothing_is_drawn_that_was_not_there(name: str, request: pytest.FixtureRequest) -> None:
    before, after = screen(name, request), on_page(screen(name, request), DARK)
    assert str(before.to_plotly_json()).count("'colorbar'") == str(after.to_plotly_json()).count("'colorbar'")


def test_a_colour_bar_and_written_points_take_the_colour_of_the_page() -> None:
    bar = {"title": {"text": "size"}}
    points = go.Scatter(x=[1], y=[1], mode="markers+text", marker={"color": [1.0], "colorbar": bar}, text=["one"])
    figure = on_page(go.Figure([points]), DARK)
    shown = figure.data[0]
    assert shown.marker.colorbar.tickfont.color == shown.marker.colorbar.title.font.color == DARK.text
    assert shown.textfont.color == DARK.text


@pytest.mark.parametrize("colours", ["Blues", ramp_for_screen()], ids=["confusion", "similarity"])
def test_numbers_in_cells_are_read_on_every_colour_of_the_ramp(colours: Any) -> None:
    values = np.linspace(0, 1, 101).reshape(1, -1)
    columns = [str(n) for n in range(101)]
    written = cell_texts(values, [columns], colours, columns, ["row"])
    assert list(written.text) == columns
    from plotly.colors import sample_colorscale

    scale = colours if isinstance(colours, str) else [list(step) for step in colours]
    for text, cell in zip(written.textfont.color, sample_colorscale(scale, values[0].tolist()), strict=True):
        ground = to_hex([float(part) / 255 for part in cell[4:-1].split(",")])
        assert contrast(text, ground) >= LEAST_CONTRAST


def test_the_cells_of_the_matrices_are_written_over_them(request: pytest.FixtureRequest) -> None:
    for name in ("probe", "set_similarity"):
        figure = screen(name, request)
        heat = next(trace for trace in figure.data if trace.type == "heatmap")
        assert heat.texttemplate is None
        over = next(
            trace
            for trace in figure.data
            if trace.type == "scatter" and trace.mode == "text" and trace.xaxis == heat.xaxis
        )
        assert set(over.x) <= set(heat.x)
        assert set(over.y) <= set(heat.y)
        assert len(over.text) == np.isfinite(np.asarray(heat.z, dtype=float)).sum()


def test_an_empty_cell_has_no_number() -> None:
    values = np.array([[0.5, np.nan]])
    assert list(cell_texts(values, [["a", "b"]], "Blues", ["x", "y"], ["z"]).text) == ["a"]


def test_grey_lines_are_not_used_for_text() -> None:
    # No grey reaches 4.5 to 1 on both pages: text has to take the page's colour.
    assert min(contrast(INK, page.ground) for page in (LIGHT, DARK)) < LEAST_CONTRAST
    assert text_on("#777777") in ("#000000", "#ffffff")
    assert contrast(text_on("#777777"), "#777777") >= LEAST_CONTRAST
