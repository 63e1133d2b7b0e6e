"""What is selected on one page is selected on all: by lasso, by the legend, by keys; back, forth, and under a name."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import (
    CHOSEN_POINTS,
    MARKS,
    WAIT_MS,
    choose,
    downloaded_by_key,
    expect_on_map,
    expect_selected,
    follow,
    go,
    lasso,
    picture,
    pictures,
    places_on_map,
    points,
    press,
    results,
    settle,
    tip,
    whole,
)

pytestmark = MARKS
N_LASSO = 5
# Item and place in the window of a point of the score against size, which no element of the page stands for.
FIRST_POINT = """() => {
    const figure = document.querySelector('.js-plotly-plot');
    figure.scrollIntoView();
    const trace = figure._fullData.find(t => t.customdata && t.xaxis === 'x2');
    const { xaxis2: across, yaxis2: up } = figure._fullLayout;
    const box = figure.getBoundingClientRect();
    return [trace.customdata[0][0], box.left + across._offset + across.d2p(trace.x[0]),
        box.top + up._offset + up.d2p(trace.y[0])];
}"""


def cases_of(items: set[str]) -> set[str]:
    return {item.split("/")[0] for item in items}


def listed(page: Page) -> set[str]:
    """Items of the table below the map."""
    table = downloaded_by_key(page, "download.items.csv").decode("utf-8-sig")
    return {row["item_id"] for row in csv.DictReader(io.StringIO(table))}


@pytest.fixture
def on_map(page: Page, analysed: str) -> Page:
    """The map of the analysed cohort, with nothing selected."""
    go(page, analysed, "map")
    points(page)
    return page


def test_what_the_lasso_selects_is_selected_on_every_page(on_map: Page, tmp_path: Path) -> None:
    page = on_map
    drawn = lasso(page, N_LASSO)
    expect_selected(page, N_LASSO)
    expect_on_map(page, N_LASSO)
    expect(page.get_by_role("heading", name=f"{N_LASSO} selected scans")).to_be_visible()
    assert listed(page) == drawn
    picture(page, "map-lasso", tmp_path)

    follow(page, "Stage gradient")
    expect(page.get_by_text(f"{N_LASSO} selected scans highlighted")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.data", timeout=WAIT_MS)
    assert set(page.evaluate(CHOSEN_POINTS)) == drawn
    picture(page, "gradient-of-a-selection", tmp_path)

    follow(page, "Neighbours")
    page.get_by_role("combobox", name="Case or slice").click()
    assert set(page.get_by_role("option").all_inner_texts()) == cases_of(drawn)
    page.keyboard.press("Escape")
    expect_selected(page, N_LASSO)


def test_a_selection_is_undone_redone_and_cleared_on_every_page(on_map: Page) -> None:
    page = on_map
    first = lasso(page, N_LASSO)
    expect_on_map(page, N_LASSO)
    more = lasso(page, 2 * N_LASSO)
    expect_on_map(page, 2 * N_LASSO)
    press(page, "Undo")
    expect_selected(page, N_LASSO)
    expect_on_map(page, N_LASSO)
    assert listed(page) == first
    press(page, "Redo")
    expect_on_map(page, 2 * N_LASSO)
    assert listed(page) == more
    press(page, "Clear")
    expect_selected(page, 0)
    expect_on_map(page, 0)
    follow(page, "Stage gradient")
    assert page.get_by_text("selected scans highlighted").count() == 0
    press(page, "Undo")
    expect_selected(page, 2 * N_LASSO)
    expect(page.get_by_text(f"{2 * N_LASSO} selected scans highlighted")).to_be_visible(timeout=WAIT_MS)


def test_a_named_selection_is_loaded_by_another_person(
    on_map: Page, another: Callable[[], Page], analysed: str, tmp_path: Path
) -> None:
    drawn = lasso(on_map, N_LASSO)
    expect_selected(on_map, N_LASSO)
    press(on_map, "Save under a name")
    on_map.get_by_role("textbox", name="Name").fill("left edge")
    on_map.get_by_role("textbox", name="Name").press("Tab")
    settle(on_map)
    on_map.get_by_role("button", name="Save", exact=True).click()
    expect(on_map.get_by_test_id("stSidebar").get_by_text("Saved in the cohort file.")).to_be_visible(timeout=WAIT_MS)
    picture(on_map, "selection-saved", tmp_path)
    later = another()
    go(later, analysed, "map")
    points(later)
    choose(later, "Named selections", "left edge")
    expect_selected(later, N_LASSO)
    expect_on_map(later, N_LASSO)
    assert listed(later) == drawn


def test_hovering_shows_the_picture_and_the_fields_of_the_case(on_map: Page, tmp_path: Path) -> None:
    item, place = sorted(places_on_map(on_map).items())[7]
    on_map.mouse.move(*place)
    expect(tip(on_map)).to_contain_text(item)
    fields = dict(zip(*(tip(on_map).locator(f".{name}").all_inner_texts() for name in ("key", "value")), strict=True))
    assert fields["case id"] == item.split("/")[0]
    assert fields["patient id"].startswith("patient")
    assert fields["stage"] in ("T1", "T2", "T3")
    shown = tip(on_map).locator("img")
    expect(shown).to_be_visible(timeout=WAIT_MS)
    on_map.wait_for_function(
        "(img => img.complete && img.naturalWidth > 60)", arg=shown.element_handle(), timeout=WAIT_MS
    )
    on_map.screenshot(path=pictures(tmp_path) / "map-hover.png")


def test_the_map_can_be_used_by_the_keyboard_alone(on_map: Page) -> None:
    on_map.locator(".map").get_by_role("button", name="Show the whole map").focus()
    on_map.keyboard.press("Tab")
    assert points(on_map).evaluate("c => c.getRootNode().activeElement === c")
    assert points(on_map).evaluate("c => getComputedStyle(c).outlineStyle") == "solid"
    on_map.keyboard.press("ArrowRight")
    expect(tip(on_map)).to_be_visible()
    first = tip(on_map).locator(".id").inner_text()
    on_map.keyboard.press("ArrowRight")
    second = tip(on_map).locator(".id").inner_text()
    assert second != first
    expect(on_map.locator(".map [aria-live]")).to_contain_text(second)
    on_map.keyboard.press("Enter")
    expect_selected(on_map, 1)
    assert listed(on_map) == {second}


def test_the_legend_selects_a_group_and_shift_adds_another(on_map: Page, tmp_path: Path) -> None:
    legend = on_map.locator(".map .legend")
    legend.get_by_role("button", name="Select T1").click()
    expect_selected(on_map, 14)
    expect_on_map(on_map, 14)
    legend.get_by_role("button", name="Select T3").click(modifiers=["Shift"])
    # 42 cases in three stages; the last one, of T3, could not be embedded.
    expect_selected(on_map, 27)
    expect_on_map(on_map, 27)
    assert {int(item[4:6]) % 3 for item in listed(on_map)} == {0, 2}
    whole(on_map)
    picture(on_map, "map-legend", tmp_path)


def test_a_click_on_a_point_of_the_gradient_selects_its_scan(page: Page, analysed: str) -> None:
    go(page, analysed, "gradient")
    results(page)
    item, x, y = page.evaluate(FIRST_POINT)
    page.mouse.click(x, y)
    expect_selected(page, 1)
    follow(page, "Map")
    expect_on_map(page, 1)
    assert listed(page) == {item}
