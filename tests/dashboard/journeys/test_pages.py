"""Every page fits a window of 1280 pixels and meets WCAG 2 A and AA, in light and in dark, with and without data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed: make env-dev")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import MARKS, PAGES, go, picture, results, whole

pytestmark = MARKS
RULES = {"runOnly": ["wcag2a", "wcag2aa"]}
# What Streamlit itself draws and no setting of ours changes: rule, part of the place, reason.
EXCEPTIONS: tuple[tuple[str, str, str], ...] = ()


def faults(page: Page) -> list[str]:
    """What axe finds in the page: rule, place and what it measured."""
    found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
    said = []
    for rule in found:
        for node in rule["nodes"]:
            place = " ".join(map(str, node["target"]))
            if not any(rule["id"] == one and part in f"{place} {node['html']}" for one, part, _ in EXCEPTIONS):
                said.append(f"{rule['id']} at {place}: {node['failureSummary'][:300]} {node['html'][:300]}")
    return said


def check(page: Page, name: str, tmp_path: Path) -> None:
    """The page with its results, then in dark colours."""
    results(page)
    whole(page)
    picture(page, name, tmp_path)
    assert faults(page) == []
    page.emulate_media(color_scheme="dark")
    results(page)
    assert page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme") == "dark"
    picture(page, f"{name}-dark", tmp_path)
    assert faults(page) == []


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_and_is_accessible(page: Page, analysed: str, path: str, tmp_path: Path) -> None:
    go(page, analysed, path)
    expect(page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
    check(page, path, tmp_path)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_without_a_cohort_says_what_to_do_next(page: Page, empty: str, path: str, tmp_path: Path) -> None:
    go(page, empty, path)
    expect(page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
    if path == "cohort":
        expect(page.get_by_text("Open a cohort file")).to_be_visible()
    else:
        expect(page.get_by_text("No cohort is open")).to_be_visible()
        expect(page.get_by_test_id("stMain").get_by_role("link", name="Open the Cohort page")).to_be_visible()
    check(page, f"empty-{path}", tmp_path)


@pytest.mark.parametrize("path", ["search", "lookup"])
def test_text_search_and_look_up_of_a_cohort_that_has_words_fit_too(
    page: Page, chests: str, path: str, tmp_path: Path
) -> None:
    go(page, chests, path)
    expect(page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
    check(page, f"chests-{path}", tmp_path)
