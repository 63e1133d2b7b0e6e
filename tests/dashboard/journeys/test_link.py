"""The address of a view opens the same view for another person."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import (
    MARKS,
    WAIT_MS,
    choose,
    downloaded,
    expect_on_map,
    expect_selected,
    follow,
    go,
    lasso,
    picture,
    points,
    slice_numbers,
    slices_ready,
    wheel,
    whole,
)

pytestmark = MARKS


def asked(page: Page) -> dict[str, str]:
    """What the address asks for."""
    return {key: values[0] for key, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_copied_address_opens_cohort_page_colour_selection_case_plane_and_slice(
    page: Page, another: Callable[[], Page], analysed: str, tmp_path: Path
) -> None:
    go(page, analysed, "map")
    choose(page, "Colour by", "histology")
    drawn = lasso(page, 6)
    expect_selected(page, 6)
    expect_on_map(page, 6)
    assert downloaded(page, "SVG").startswith(b"<?xml")

    follow(page, "Neighbours")
    slices_ready(page)
    case = sorted(item.split("/")[0] for item in drawn)[2]
    choose(page, "Case or slice", case)
    expect(page.locator(".viewer .title").first).to_have_text(f"Query · {case}", timeout=WAIT_MS)
    page.locator(".viewer").get_by_role("button", name="Coronal").click()
    slices_ready(page)
    before = slice_numbers(page)
    wheel(page, 4)
    seen = slice_numbers(page)
    assert [abs(b - a) for a, b in zip(before, seen, strict=True)] == [4] * 6
    page.wait_for_function("location.search.includes('plane=coronal') && /offset=-?12/.test(location.search)")
    address = page.url
    assert asked(page)["item"] == f"{case}/lesion"
    assert asked(page)["colour"] == "histology"

    other = another()
    other.goto(address, wait_until="domcontentloaded")
    expect(other.get_by_role("heading", name="Neighbours", level=1)).to_be_visible()
    slices_ready(other)
    expect_selected(other, 6)
    expect(other.locator(".viewer .title").first).to_have_text(f"Query · {case}")
    expect(other.locator(".viewer").get_by_role("button", name="Coronal")).to_have_attribute("aria-pressed", "true")
    assert slice_numbers(other) == seen
    picture(other, "link-opened", tmp_path)
    follow(other, "Map")
    points(other)
    expect_on_map(other, 6)
    expect(other.locator(".map .legend-title")).to_have_text("histology")
    assert {key: asked(other)[key] for key in ("cohort", "set", "selection", "colour")} == {
        key: asked(page)[key] for key in ("cohort", "set", "selection", "colour")
    }


def test_a_link_that_was_cut_off_says_so_and_opens_the_rest(page: Page, analysed: str) -> None:
    go(page, analysed, "map?selection=eNqrVkrMTFGyUirOL0pVqgUAJGkE")
    expect(
        page.get_by_text(re.compile("The link could not be opened in full: the selection in this link"))
    ).to_be_visible()
    points(page)
    whole(page)
