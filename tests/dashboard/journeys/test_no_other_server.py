"""No page asks anything of another server: with the network cut, every page loads and no request is left over."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Browser, Page, Route, WebSocket, expect

from tests.dashboard.journeys.steps import MARKS, PAGES, WAIT_MS, go, results

pytestmark = MARKS


class CutOff:
    """A window that reaches the app alone; what it asks of other servers is refused and kept."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.allowed = ""
        page.route("**/*", self._answer)
        page.on("websocket", self._note)

    def open(self, address: str, path: str) -> None:
        """Open a page and wait for its results."""
        self.allowed = urlsplit(address).netloc
        self.asked.clear()
        go(self.page, address, path)
        expect(self.page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
        results(self.page)

    def _answer(self, route: Route) -> None:
        place = urlsplit(route.request.url)
        # What a page holds in itself asks nobody.
        if place.scheme in ("data", "blob") or place.netloc == self.allowed:
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def _note(self, socket: WebSocket) -> None:
        if urlsplit(socket.url).netloc != self.allowed:
            self.asked.append(socket.url)


@pytest.fixture(scope="module")
def cut_off(browser: Browser) -> Iterator[CutOff]:
    """One such window for all pages."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, service_workers="block")
    context.set_default_timeout(WAIT_MS)
    yield CutOff(context.new_page())
    context.close()


ICON = "() => document.querySelector('link[rel~=icon]').href"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_with_a_cohort_asks_no_other_server(cut_off: CutOff, analysed: str, path: str) -> None:
    cut_off.open(analysed, path)
    assert cut_off.asked == []
    # A browser without a window may leave the icon of its tab unfetched.
    assert cut_off.page.evaluate(ICON).startswith(("data:", analysed))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_a_cohort_asks_no_other_server(cut_off: CutOff, empty: str, path: str) -> None:
    cut_off.open(empty, path)
    assert cut_off.asked == []
    assert cut_off.page.evaluate(ICON).startswith(("data:", empty))
