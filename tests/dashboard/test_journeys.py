"""What a person does in a browser, from the CSV to the figure, with the app running as it is installed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
REAL_CT = ROOT / ".." / "shared" / "ct" / "nsclc_radiogenomics"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = {
    "cohort": "Cohort",
    "map": "Map",
    "gradient": "Stage gradient",
    "audit": "Shortcuts",
    "trajectory": "Trajectory",
    "probes": "Probes",
    "survival": "Survival",
    "neighbours": "Neighbours",
    "report": "Report",
}
WAIT_MS = 60_000
N_REAL = 40

IDLE = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    return app && app.dataset.testScriptState === 'notRunning'
        && !document.querySelector('[data-testid=stStatusWidget]')
        && !document.querySelector('[data-testid=stSkeleton]')
        && document.querySelector('h1');
}"""
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

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]
Serve = Callable[..., str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser on this machine (looked for {', '.join(BROWSERS)})")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=BROWSER_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts the app with the words after `--` and returns its address; all servers end with the module."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(*words: str | Path) -> str:
        folder = tmp_path_factory.mktemp("server")
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        log = folder / "server.log"
        command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port)]
        # The watcher would rerun the pages when somebody edits the sources during the test.
        command += ["--server.headless", "true", "--server.fileWatcherType", "none"]
        command += ["--", "--workspace", str(folder / "workspace"), *map(str, words)]
        with log.open("wb") as stream:
            server = subprocess.Popen(
                command, cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
        servers.append(server)
        for _ in range(600):
            assert server.poll() is None, log.read_text()
            with socket.socket() as client:
                if client.connect_ex(("localhost", port)) == 0:
                    return f"http://localhost:{port}"
            time.sleep(0.1)
        raise AssertionError(f"the app did not start within a minute: {log.read_text()}")

    yield start
    for server in servers:
        server.terminate()
    for server in servers:
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def analysed(
    serve: Serve, make_store: Callable[[Path, bool], Path], cohort_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An app with the embedded cohort open."""
    store = make_store(tmp_path_factory.mktemp("journey") / "cohort.duckdb", False)
    return serve("--data-root", cohort_csv.parent, "--cohort", store)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of 1280 x 900 pixels without history."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


def settle(page: Page) -> None:
    """Wait until the page has run to its end and shows what it has."""
    page.wait_for_timeout(300)  # A click reaches the server first.
    page.wait_for_function(IDLE, timeout=2 * WAIT_MS)
    page.wait_for_timeout(150)


def go(page: Page, address: str, path: str = "") -> None:
    page.goto(f"{address}/{path}", wait_until="domcontentloaded")
    settle(page)


def follow(page: Page, title: str) -> None:
    """To another page by the navigation in the sidebar, which keeps the session."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click()
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible(timeout=WAIT_MS)
    settle(page)


def metric(page: Page, label: str) -> str:
    """The number under a label."""
    found = page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")
    return found.first.inner_text(timeout=WAIT_MS)


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a select box."""
    page.get_by_role("combobox", name=label).first.click()
    page.get_by_role("option", name=option).click()
    settle(page)


def embed_lesions(page: Page, csv_file: Path, n_rows: int, n_failures: int = 0) -> None:
    """Drop the CSV, check its rows, choose the lesion view, run the job and open the cohort."""
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(csv_file)
    expect(page.get_by_text("Scans to embed")).to_be_visible(timeout=WAIT_MS)
    settle(page)
    assert metric(page, "Rows") == str(n_rows)
    assert metric(page, "Scans to embed") == str(n_rows)
    choose(page, "What to embed", "Lesion crops")
    page.get_by_role("button", name="Start embedding").click()
    expect(page.get_by_text(re.compile(r"The job is finished\. \d+ of \d+ scans are embedded"))).to_be_visible(
        timeout=4 * WAIT_MS
    )
    page.get_by_role("button", name="Open this cohort").click()
    expect(page.get_by_role("tab", name="This cohort")).to_be_visible(timeout=WAIT_MS)
    settle(page)
    assert metric(page, "Embedding sets") == "1"
    assert metric(page, "Failures") == str(n_failures)


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download(timeout=WAIT_MS) as waiting:
        page.get_by_test_id("stDownloadButton").get_by_role("button", name=button).click()
    return Path(waiting.value.path()).read_bytes()


def picture(page: Page, name: str, tmp_path: Path) -> None:
    """A screenshot of the whole page, kept in the folder $SCREENSHOTS."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": 1280, "height": min(int(height) + 20, 4000)})
    page.wait_for_timeout(300)
    page.screenshot(path=folder / f"{name}.png")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_csv_becomes_an_open_cohort_with_vectors(page: Page, serve: Serve, cohort_csv: Path, tmp_path: Path) -> None:
    go(page, serve("--data-root", cohort_csv.parent))
    embed_lesions(page, cohort_csv, 42)
    assert metric(page, "Scans") == "42"
    assert metric(page, "Patients") == "36"
    expect(page.get_by_test_id("stSidebar")).to_contain_text("42 vectors of 288 numbers")
    # The CSV is called cohort.csv, so the cohort is called as the folder of its CTs.
    expect(page.get_by_role("heading", name=cohort_csv.parent.name, exact=True)).to_be_visible()
    picture(page, "cohort-made-from-csv", tmp_path)


def test_what_is_selected_on_the_map_is_what_neighbours_offers(page: Page, analysed: str) -> None:
    go(page, analysed, "map")
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    plot.scroll_into_view_if_needed()
    page.locator(".js-plotly-plot").first.hover()
    page.locator(".modebar-btn[data-title='Lasso Select']").first.click()
    box: Any = plot.bounding_box()
    across, down = box["x"] + box["width"] * 0.5, box["y"] + box["height"]
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.down()
    for x, y in ((across, box["y"] + 3), (across, down - 3), (box["x"] + 3, down - 3), (box["x"] + 3, box["y"] + 5)):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
    note = page.get_by_test_id("stSidebar").get_by_text(re.compile(r"\d+ scans selected"))
    expect(note).to_be_visible(timeout=WAIT_MS)
    settle(page)
    n_selected = int(note.inner_text().split()[0])
    assert 0 < n_selected < 41

    follow(page, "Neighbours")
    page.get_by_role("combobox", name="Case or slice").click()
    assert page.get_by_role("option").count() == n_selected
    page.keyboard.press("Escape")

    pictures = page.locator(".viewer figure canvas")
    expect(pictures).to_have_count(6, timeout=WAIT_MS)
    place = page.locator(".viewer .place").filter(has_text=re.compile(r"^slice \d+ of 32"))
    expect(place).to_have_count(6, timeout=WAIT_MS)
    before = place.all_inner_texts()
    page.get_by_role("slider", name="Scroll").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    settle(page)
    after = place.all_inner_texts()
    heights = [[int(text.split()[1]) for text in texts] for texts in (before, after)]
    assert [b - a for a, b in zip(*heights, strict=True)] == [2] * 6


def test_a_link_to_the_gradient_of_a_fresh_app_shows_a_verdict_and_figures_to_publish(
    page: Page, serve: Serve, make_store: Callable[[Path, bool], Path], tmp_path: Path
) -> None:
    go(page, serve("--cohort", make_store(tmp_path / "linked.duckdb", False)), "gradient")
    expect(page.get_by_test_id("stSidebar")).to_contain_text("42 scans of 36 patients")
    expect(page.get_by_role("heading", name=re.compile("the axis follows stage"))).to_be_visible()
    svg = downloaded(page, "SVG").decode()
    assert svg.startswith("<?xml")
    assert "<svg" in svg
    assert "not the published FlexiCT" in svg
    assert downloaded(page, "PDF").startswith(b"%PDF-")
    assert downloaded(page, "PNG").startswith(b"\x89PNG\r\n\x1a\n")
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "CSV").decode())))
    assert {row["item_id"] for row in rows} == {f"case{number:02d}/lesion" for number in range(41)}
    assert len(rows) == 41


def test_a_link_into_a_fresh_app_shows_the_whole_app(page: Page, serve: Serve, cohort_csv: Path) -> None:
    go(page, serve("--data-root", cohort_csv.parent), "gradient")
    expect(page.get_by_text("No cohort is open")).to_be_visible()
    navigation = page.get_by_test_id("stSidebarNav").get_by_role("link")
    # The text of a link starts with the name of its icon.
    assert [text.split("\n")[-1] for text in navigation.all_inner_texts()] == list(PAGES.values())


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_a_small_screen(page: Page, analysed: str, path: str, tmp_path: Path) -> None:
    go(page, analysed, path if path != "cohort" else "")
    expect(page.get_by_role("heading", name=PAGES[path], level=1)).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0
    picture(page, path, tmp_path)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("(m => m.scrollWidth <= m.clientWidth)(document.querySelector('[data-testid=stMain]'))")
    assert page.evaluate(CLASHES) == []


def test_the_report_of_a_simulated_cohort_is_built_shown_and_downloaded(
    page: Page, serve: Serve, make_store: Callable[[Path, bool], Path], tmp_path: Path
) -> None:
    go(page, serve("--cohort", make_store(tmp_path / "demonstration.duckdb", True)), "report")
    page.get_by_text("Survival, further sets, settings").click()
    for label in ("Permutations", "Bootstrap resamples"):
        field = page.get_by_role("spinbutton", name=label)
        field.fill("19")
        field.press("Enter")
        settle(page)
    expect(page.get_by_test_id("stCode")).to_contain_text("--permutations 19 --bootstrap 19")
    page.get_by_role("button", name="Build the report").click()
    expect(page.get_by_text(re.compile(r"\d+ of 42 cases analysed, panels a to h"))).to_be_visible(timeout=4 * WAIT_MS)
    settle(page)
    figure = page.get_by_test_id("stImage").locator("img")
    expect(figure).to_have_count(1)
    assert figure.evaluate("i => i.complete && i.naturalWidth > 600 && i.naturalHeight > 600")
    assert page.get_by_test_id("stException").count() == 0
    picture(page, "report-built", tmp_path)

    archive = zipfile.ZipFile(io.BytesIO(downloaded(page, "Report (zip)")))
    assert archive.testzip() is None
    names = archive.namelist()
    record = json.loads(archive.read("report.json"))
    assert sorted(names) == record["files"]
    assert {"figure.svg", "figure.pdf", "figure.png", "report.html", "report.json", "methods.md"} <= set(names)
    tables = [name for name in names if re.fullmatch(r"data/[^/]+\.csv", name)]
    assert {f"data/{letter}" for letter in "abcdefgh"} <= {name[:6] for name in tables}
    assert all(len(list(csv.reader(io.StringIO(archive.read(name).decode())))) > 1 for name in tables)
    assert record["simulated"] is True
    assert record["settings"]["permutations"] == 19
    for name in ("figure.svg", "report.html", "methods.md"):
        assert "simulated" in archive.read(name).decode().casefold(), name


def test_real_ct_go_from_the_csv_to_the_gradient(page: Page, serve: Serve, tmp_path: Path) -> None:
    source = REAL_CT / "cohort.csv"
    if not source.exists():
        pytest.skip("the NSCLC Radiogenomics CTs are not beside the repository")
    with source.open(newline="") as stream:
        lines = [line for _, line in zip(range(N_REAL + 1), stream, strict=False)]
    short = tmp_path / "nsclc.csv"
    short.write_text("".join(lines))
    go(page, serve("--data-root", REAL_CT.resolve()))
    embed_lesions(page, short, N_REAL, n_failures=1)  # The mask of NSCLC-050 has no voxel.
    follow(page, "Stage gradient")
    expect(page.get_by_text(re.compile("On patients it was not fitted to|No gradient shown"))).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0
    assert page.evaluate(CLASHES) == []
    picture(page, "gradient-real-ct", tmp_path)
