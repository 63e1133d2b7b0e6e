"""Every page fits a window of 1280 pixels and meets WCAG 2 A and AA, in light and in dark, with and without data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed: make env-dev")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.journeys.steps import MARKS, PAGES, WAIT_MS, go, picture, results, whole

pytestmark = MARKS
RULES = {"runOnly": ["wcag2a", "wcag2aa"]}
# What Streamlit itself draws and no setting of ours changes: rule, part of the place or of the element, reason.
EXCEPTIONS: tuple[tuple[str, str, str], ...] = ()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    """One window for all pages: it keeps Streamlit's own scripts. Each page that is opened is a new session."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def light(window: Page) -> Page:
    """The window in light colours."""
    window.emulate_media(color_scheme="light")
    return window


def faults(page: Page) -> list[str]:
    """What axe finds in the page: rule, place and what it measured."""
    found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
    said = []
    for rule in found:
        for node in rule["nodes"]:
            place = f"{node['target']} {node['html']}"
            if not any(rule["id"] == one and part in place for one, part, _ in EXCEPTIONS):
                said.append(f"{rule['id']} at {place[:300]}: {node['failureSummary'][:300]}")
    return said


CHART_TEXTS = """() => [...document.querySelectorAll('.js-plotly-plot text')].filter(t => t.textContent.trim())
    .map(t => getComputedStyle(t).fill)"""
PAGE_COLOUR = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).color"


def check(page: Page, name: str, tmp_path: Path) -> None:
    """The page with its results, then in dark colours."""
    results(page)
    whole(page)
    picture(page, name, tmp_path)
    assert not faults(page), "\n".join(faults(page))
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === 'dark'")
    assert set(page.evaluate(CHART_TEXTS)) <= {page.evaluate(PAGE_COLOUR), "rgb(0, 0, 0)", "rgb(255, 255, 255)"}
    picture(page, f"{name}-dark", tmp_path)
    assert not faults(page), "\n".join(faults(page))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_and_is_accessible(light: Page, analysed: str, path: str, tmp_path: Path) -> None:
    go(light, analysed, path)
    expect(light.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
    check(light, path, tmp_path)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_without_a_cohort_says_what_to_do_next(light: Page, empty: str, path: str, tmp_path: Path) -> None:
    go(light, empty, path)
    expect(light.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
    if path == "cohort":
        expect(light.get_by_text("Open a cohort file")).to_be_visible()
    else:
        expect(light.get_by_text("No cohort is open")).to_be_visible()
        expect(light.get_by_test_id("stMain").get_by_role("link", name="Open the Cohort page")).to_be_visible()
    if path in ("cohort", "map"):  # The others differ in their titles alone.
        check(light, f"empty-{path}", tmp_path)
    else:
        whole(light)


@pytest.mark.parametrize("path", ["search", "lookup"])
def test_text_search_and_look_up_of_a_cohort_with_words_fit_too(
    light: Page, chests: str, path: str, tmp_path: Path
) -> None:
    go(light, chests, path)
    expect(light.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
    check(light, f"chests-{path}", tmp_path)
