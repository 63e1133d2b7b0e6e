"""Steps of a person in the app, for the tests of all journeys."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect

from embeddings.formatting import counted

ROOT = Path(__file__).resolve().parents[3]
WAIT_MS = 180_000
PAGES = {
    "cohort": "Cohort",
    "map": "Map",
    "gradient": "Stage gradient",
    "audit": "Shortcuts",
    "trajectory": "Trajectory",
    "probes": "Probes",
    "survival": "Survival",
    "neighbours": "Neighbours",
    "compare": "Compare encoders",
    "search": "Text search",
    "lookup": "Look up a CT",
    "report": "Report",
}
MARKS = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]
Serve = Callable[..., str]

IDLE = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    return app && app.dataset.testScriptState === 'notRunning'
        && !document.querySelector('[data-testid=stStatusWidget]')
        && !document.querySelector('[data-testid=stSkeleton]')
        && document.querySelector('h1');
}"""
DRAWN = """() => !document.querySelector('[data-testid=stProgress], [data-stale=true]')
    && [...document.querySelectorAll('[data-testid=stElementContainer]')]
        .every(e => getComputedStyle(e).opacity === '1')"""
# Pairs of texts within one figure whose boxes overlap by more than a hair, and texts that leave their figure.
CLASHES = """() => {
    const clashes = [];
    for (const figure of document.querySelectorAll('.js-plotly-plot')) {
        const frame = figure.getBoundingClientRect();
        const texts = [...figure.querySelectorAll('text')]
            .filter(t => t.textContent.trim() && getComputedStyle(t).visibility !== 'hidden')
            .map(t => [t.textContent, t.getBoundingClientRect()]).filter(([, b]) => b.width > 0);
        texts.forEach(([text, a], i) => {
            if (a.left < frame.left - 1 || a.right > frame.right + 1) clashes.push(`cut off: ${text}`);
            for (const [other, b] of texts.slice(i + 1)) {
                const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (wide > 2 && high > 3) clashes.push(`${text} / ${other}`);
            }
        });
    }
    return clashes;
}"""
FITS = """() => {
    const main = document.querySelector('[data-testid=stMain]');
    return document.documentElement.scrollWidth <= window.innerWidth && main.scrollWidth <= main.clientWidth;
}"""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
# Every panel of the viewer shows its own slice.
SLICES_THERE = """() => {
    const host = [...document.querySelectorAll('*')].find(e => e.shadowRoot?.querySelector('.viewer'));
    const places = [...(host?.shadowRoot.querySelectorAll('.place') ?? [])].map(e => e.textContent);
    return places.length && places.every(t => t.includes('slice') && !t.includes('loading'));
}"""
# Items of the selected points of all traces of the first figure; where nothing is selected, none.
CHOSEN_POINTS = """() => [...new Set([...document.querySelector('.js-plotly-plot').data]
    .filter(t => t.customdata && t.selectedpoints)
    .flatMap(t => t.selectedpoints.map(i => Array.isArray(t.customdata[i]) ? t.customdata[i][0] : t.customdata[i])))]"""


def drawn(page: Page) -> None:
    """Wait until what was done to the page is on it: its next frame was drawn, and the one after."""
    page.evaluate(TWO_FRAMES)


def settle(page: Page) -> None:
    """Wait until the page has run to its end and shows what it has."""
    page.wait_for_timeout(300)  # A click reaches the server first.
    page.wait_for_function(IDLE, timeout=2 * WAIT_MS)
    page.wait_for_timeout(150)


def results(page: Page) -> None:
    """Wait until all analyses of the page are there, and nothing is drawn faded any more as of an earlier run."""
    settle(page)
    page.wait_for_function(DRAWN, timeout=2 * WAIT_MS)
    settle(page)
    page.wait_for_function(DRAWN, timeout=2 * WAIT_MS)


def go(page: Page, address: str, path: str = "") -> None:
    """Open a page by its address."""
    page.goto(f"{address}/{path if path != 'cohort' else ''}", wait_until="domcontentloaded")
    settle(page)


def turn_to(page: Page, title: str) -> None:
    """To another page by the navigation in the sidebar, where an analysis may be running: such a page never rests."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible(timeout=WAIT_MS)


def follow(page: Page, title: str) -> None:
    """To another page by the navigation in the sidebar, which keeps the session."""
    turn_to(page, title)
    settle(page)


def press(page: Page, name: str) -> None:
    """Click a button of the page and wait for what it does."""
    page.get_by_role("button", name=name).first.click()
    settle(page)


def metric(page: Page, label: str) -> str:
    """The number under a label."""
    found = page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")
    return found.first.inner_text(timeout=WAIT_MS)


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a select box; its list closes where the page is drawn anew meanwhile, and is opened again."""
    wanted = page.get_by_role("option", name=option).first
    for _ in range(5):
        page.get_by_role("combobox", name=label).first.click()
        try:
            wanted.click(timeout=5000)
            break
        except TimeoutError:
            page.keyboard.press("Escape")
            settle(page)
    else:
        raise AssertionError(f"{label} has no option {option}")
    settle(page)


def upload(page: Page, file: Path, place: int = 0) -> None:
    """Drop a file on the first, second ... field for files."""
    page.get_by_test_id("stFileUploaderDropzoneInput").nth(place).set_input_files(file)
    settle(page)


def embed_lesions(page: Page, n_rows: int, n_failures: int = 0) -> None:
    """Check the rows of the CSV that was dropped, whose lesions are offered first, run the job and open the cohort;
    n_failures: rows that the check leaves out.
    """
    expect(page.get_by_text("Scans to embed")).to_be_visible(timeout=WAIT_MS)
    settle(page)
    assert metric(page, "Rows") == str(n_rows)
    assert metric(page, "Scans to embed") == str(n_rows - n_failures)
    page.get_by_role("button", name="Start embedding").click()
    expect(page.get_by_text(re.compile(r"The job has finished\. \d+ of \d+ scans? embedded"))).to_be_visible(
        timeout=4 * WAIT_MS
    )
    page.get_by_role("button", name="Open this cohort").click()
    expect(page.get_by_role("tab", name="This cohort")).to_be_visible(timeout=WAIT_MS)
    settle(page)
    assert metric(page, "Embedding sets") == "1"
    assert metric(page, "Failures") == str(n_failures)


def downloaded(page: Page, button: str) -> bytes:
    """What the first download button of this name gives."""
    with page.expect_download(timeout=WAIT_MS) as waiting:
        page.get_by_test_id("stDownloadButton").get_by_role("button", name=button).first.click()
    return Path(waiting.value.path()).read_bytes()


def downloaded_by_key(page: Page, key: str) -> bytes:
    """What the download button with a key gives, where several have one name."""
    with page.expect_download(timeout=WAIT_MS) as waiting:
        page.locator(f".st-key-{re.sub('[^a-zA-Z0-9_-]', '-', key)}").get_by_role("button").click()
    return Path(waiting.value.path()).read_bytes()


def pictures(tmp_path: Path) -> Path:
    """The folder for screenshots: $SCREENSHOTS, else the test's own."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def picture(page: Page, name: str, tmp_path: Path) -> None:
    """A screenshot of the whole page."""
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": 1280, "height": min(int(height) + 20, 4000)})
    page.wait_for_timeout(300)
    page.screenshot(path=pictures(tmp_path) / f"{name}.png")
    page.set_viewport_size({"width": 1280, "height": 900})


def whole(page: Page) -> None:
    """Nothing broke, nothing is cut off, no texts of a figure lie on each other."""
    assert page.get_by_test_id("stException").count() == 0
    assert page.evaluate(FITS)
    clashes = page.evaluate(CLASHES)
    assert clashes == [], clashes


# ---- Selection at the side


def expect_selected(page: Page, number: int) -> None:
    """Wait until the sidebar says so."""
    words = f"{counted(number, 'scan')} selected" if number else "Nothing is selected."
    expect(page.get_by_test_id("stSidebar").get_by_text(words)).to_be_visible(timeout=WAIT_MS)
    settle(page)


# ---- Map


def points(page: Page) -> Locator:
    """The picture of the map, once it is painted."""
    found = page.locator("canvas.points")
    expect(page.locator("[data-map-painted]")).to_be_attached(timeout=WAIT_MS)
    found.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    return found


def places_on_map(page: Page) -> dict[str, tuple[float, float]]:
    """Where in the window each item of the map is."""
    found: dict[str, Any] = points(page).evaluate(
        """c => {
            const map = c.getRootNode().pointMap ?? c.getRootNode().querySelector('*').parentNode.pointMap;
            const box = c.getBoundingClientRect();
            return Object.fromEntries(map.points.text.ids.map((id, i) => [id, [box.x + map.xs[i], box.y + map.ys[i]]]));
        }"""
    )
    return {item: (float(x), float(y)) for item, (x, y) in found.items()}


def lasso(page: Page, n_items: int) -> set[str]:
    """Draw round the leftmost items of the map, and return them."""
    places = places_on_map(page)
    ordered = sorted(places, key=lambda item: places[item][0])
    right = (places[ordered[n_items - 1]][0] + places[ordered[n_items]][0]) / 2
    box: Any = points(page).bounding_box()
    left, top, bottom = box["x"] + 3, box["y"] + 3, box["y"] + box["height"] - 3
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 2)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()
    return set(ordered[:n_items])


def expect_on_map(page: Page, n_items: int) -> None:
    """Wait until the map shows that many selected items."""
    expect(page.locator("[data-map-painted]")).to_have_attribute("data-map-selected", str(n_items), timeout=WAIT_MS)
    settle(page)


def tip(page: Page) -> Locator:
    """The words and the picture over a point."""
    return page.locator(".map .tip")


# ---- Slice viewer


def slices_ready(page: Page) -> None:
    """Wait until every panel shows its own slice."""
    drawn(page)  # Keys and wheel are seen with the next frame; until then the words are those of before.
    page.wait_for_function(SLICES_THERE, timeout=WAIT_MS)
    drawn(page)


def slice_numbers(page: Page) -> list[int]:
    """Slice number of every panel."""
    return [int(text.split()[1]) for text in page.locator(".viewer .place").all_inner_texts()]


def slice_canvas(page: Page, number: int = 0) -> Locator:
    """One panel's picture."""
    return page.locator(".viewer figure canvas").nth(number)


def middle(page: Page, number: int = 0) -> tuple[float, float]:
    """The middle of a panel's picture in the window."""
    found = slice_canvas(page, number)
    found.scroll_into_view_if_needed()
    box: Any = found.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def wheel(page: Page, turns: int) -> None:
    """Turn the mouse wheel over the first panel, one slice a turn."""
    page.mouse.move(*middle(page))
    for _ in range(abs(turns)):
        page.mouse.wheel(0, -100 if turns > 0 else 100)
        page.wait_for_timeout(50)
    slices_ready(page)
