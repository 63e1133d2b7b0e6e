"""A browser, the app running as it is installed, and cohorts for it to show."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.dashboard.journeys.steps import ROOT, WAIT_MS, Serve
from tests.dashboard.text_cohort import write_text_cohort

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
# How many times slower the browser is made: with SLOWER=8 waits that are too short show themselves.
SLOWER = float(os.environ.get("SLOWER", "1"))
N_EMBEDDED = 6
Embed = Callable[[Path, Path, Path], Path]


# Of a module, not of the session: while it lives no other test of the process can run an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser on this machine (looked for {', '.join(BROWSERS)})")
    expect.set_options(timeout=WAIT_MS)  # Playwright's own 5 s are too few for a page that opens on a busy machine.
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=BROWSER_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts the app with the words after `--` and returns its address; all servers end with the session."""
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
        while True:  # The time limit of the tests ends it.
            assert server.poll() is None, log.read_text(encoding="utf-8")
            with socket.socket() as client:
                if client.connect_ex(("localhost", port)) == 0:
                    return f"http://localhost:{port}"
            time.sleep(0.1)

    yield start
    for server in servers:
        server.terminate()
    for server in servers:
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="session")
def empty(serve: Serve, cohort_csv: Path) -> str:
    """An app without a cohort, that may read the test cohort's CTs."""
    return serve("--data-root", cohort_csv.parent)


@pytest.fixture(scope="session")
def analysed(
    serve: Serve, make_store: Callable[[Path, bool], Path], cohort_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An app with a cohort open whose vectors carry a stage signal: one set of lesions, one of slices."""
    store = make_store(tmp_path_factory.mktemp("journey") / "cohort.duckdb", False)
    return serve("--data-root", cohort_csv.parent, "--cohort", store)


@pytest.fixture(scope="session")
def embed() -> Embed:
    """Embeds the first lesions of a CSV with the bundled encoder, by the command: csv, store, data root."""

    def run(csv_file: Path, store: Path, data_root: Path) -> Path:
        command = [sys.executable, "-m", "embeddings", "embed", str(csv_file), "--db", str(store), "--view", "lesion"]
        command += ["--encoder", "flexict-nano", "--limit", str(N_EMBEDDED), "--data-root", str(data_root)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return store

    return run


@pytest.fixture(scope="session")
def embedded(serve: Serve, embed: Embed, cohort_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An app with six lesions open, with the vectors that the bundled encoder gives them."""
    store = embed(cohort_csv, tmp_path_factory.mktemp("viewer") / "viewer.duckdb", cohort_csv.parent)
    return serve("--data-root", cohort_csv.parent, "--cohort", store)


@pytest.fixture(scope="session")
def chests_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six simulated chests, `0_ct.nii.gz` and `0_mask.nii.gz` and so on, embedded by seed with flexict-nano-vlm."""
    folder = tmp_path_factory.mktemp("chests")
    write_text_cohort(folder)
    return folder


@pytest.fixture(scope="session")
def chests(serve: Serve, chests_folder: Path) -> str:
    """An app with the six chests open."""
    return serve("--data-root", chests_folder, "--cohort", chests_folder / "c.duckdb")


@pytest.fixture
def another(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Opens windows of 1280 x 900 pixels, each of a person without history."""
    contexts = []

    def opened() -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        if SLOWER > 1:
            context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page(another: Callable[[], Page]) -> Page:
    """One such window."""
    return another()
