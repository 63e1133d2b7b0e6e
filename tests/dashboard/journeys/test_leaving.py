"""A page can be left at any moment, also while a part of it has just asked the server for something."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import MARKS, follow, go, picture, results
from tests.dashboard.journeys.steps import slice_canvas as canvas
from tests.dashboard.journeys.steps import slices_ready as ready

pytestmark = MARKS
# The viewer asks for the slices that it scrolls to when it draws, and the link is clicked before the next turn.
SCROLL_AND_LEAVE = """c => {
    const turn = { deltaY: 100, bubbles: true, cancelable: true, clientX: 1, clientY: 1 };
    for (let i = 0; i < 15; i += 1) c.dispatchEvent(new WheelEvent('wheel', turn));
    const link = [...document.querySelectorAll('[data-testid=stSidebarNav] a')]
        .find(a => a.textContent.includes('Stage gradient'));
    requestAnimationFrame(() => link.click());
}"""


def test_a_page_left_while_its_viewer_asks_for_slices_gives_way_to_the_next(
    page: Page, embedded: str, tmp_path: Path
) -> None:
    go(page, embedded, "neighbours")
    for _ in range(3):
        ready(page)
        canvas(page).evaluate(SCROLL_AND_LEAVE)
        expect(page.get_by_role("heading", name="Stage gradient", level=1)).to_be_visible()
        results(page)
        expect(page.get_by_role("heading", name="Stage gradient", level=1)).to_be_visible()
        expect(page.get_by_text("Permutations", exact=True)).to_be_attached()
        follow(page, "Neighbours")
    picture(page, "left-and-returned", tmp_path)


def listeners(page: Page) -> list[str]:
    """What of ours the window and the document listen to."""
    session = page.context.new_cdp_session(page)
    found = []
    for name in ("window", "document"):
        asked = {"expression": name, "objectGroup": "listeners"}
        node = session.send("Runtime.evaluate", asked)["result"]["objectId"]
        for one in session.send("DOMDebugger.getEventListeners", {"objectId": node})["listeners"]:
            if "leaving." in one["handler"]["description"] or one["type"].startswith("flexict"):
                found.append(f"{name} {one['type']}")
    session.detach()
    return sorted(found)


def test_what_is_listened_to_on_a_page_ends_with_it(page: Page, analysed: str) -> None:
    go(page, analysed, "cohort")
    assert listeners(page) == []
    for title in ("Neighbours", "Map", "Neighbours", "Map"):
        follow(page, title)
        expect(page.locator(".viewer canvas, [data-map-painted]").first).to_be_attached()
        page.wait_for_function("() => window.flexictLeaving?.senders > 0")
        assert [one for one in listeners(page) if "flexict" not in one] == ["document click", "window popstate"]
    follow(page, "Cohort")
    page.wait_for_function("() => window.flexictLeaving.senders === 0")
    assert listeners(page) == []
