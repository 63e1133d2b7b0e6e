"""An analysis that takes long shows how far it is, leaves the other pages alone, and can be ended."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import MARKS, WAIT_MS, follow, go, picture, points, whole

pytestmark = MARKS


def test_a_long_analysis_shows_progress_and_is_cancelled_while_other_pages_are_used(
    page: Page, analysed: str, tmp_path: Path
) -> None:
    go(page, analysed, "gradient")
    page.get_by_test_id("stMain").get_by_text("Settings", exact=True).click()
    slider = page.get_by_role("slider", name="Permutations")
    slider.focus()
    slider.press("End")
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    expect(cancel).to_be_visible(timeout=WAIT_MS)
    bar = page.get_by_test_id("stProgress")
    expect(bar).to_contain_text("%")
    picture(page, "analysis-running", tmp_path)

    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Map").click()
    points(page)
    whole(page)
    follow(page, "Neighbours")
    expect(page.get_by_role("combobox", name="Case or slice")).to_be_visible()

    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Stage gradient").click()
    expect(cancel).to_be_visible(timeout=WAIT_MS)
    cancel.click()
    expect(page.get_by_text("cancelled. Nothing is shown here until it is run again.")).to_be_visible(timeout=WAIT_MS)
    assert bar.count() == 0
    picture(page, "analysis-cancelled", tmp_path)
    page.get_by_role("button", name="Run again").click()
    expect(cancel).to_be_visible(timeout=WAIT_MS)
    cancel.click()
    expect(page.get_by_text("cancelled. Nothing is shown")).to_be_visible(timeout=WAIT_MS)
