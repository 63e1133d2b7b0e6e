"""The map in a real browser with 100,000 and 1,000,000 slices: first paint, selection, zoom, bytes on the wire.

    python -m benchmarks.dashboard --out dashboard.json            # needs Debian's chromium
    python -m benchmarks.dashboard --items 100000 --folder /tmp/b  # keeps the simulated cohort files for the next time

The cohorts are simulated: places on the map, slices without pictures. Times are medians over `--repeats`, with the data
in the server's memory. "Paint" is from the click on Map in an open app until the canvas is drawn; "new window" is from
asking for the address of the map in a new browser context, the start of the whole web application included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import Browser, Page, sync_playwright

from embeddings.records import CaseOutcome, CohortInfo, EmbeddedItem, SetIdentity
from embeddings.store.schema import SCHEMA_VERSION
from embeddings.store.store import Store

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 8
SLICES = 200
STAGES = ("T1", "T2", "T3", "T4")
CHUNK_CASES = 100
WAIT_MS = 120_000
SETTINGS: dict[str, object] = {"method": "umap", "n_neighbours": 15, "min_dist": 0.1, "seed": 0}
PAINTED = "() => document.querySelector('[data-map-painted]')?.dataset.mapPainted"


def write_cohort(path: Path, n_items: int) -> None:
    """A simulated cohort file of `n_items` slices with a map."""
    rng = np.random.default_rng(0)
    n_cases = n_items // SLICES
    store = Store(path, read_only=False)
    made = datetime(2026, 1, 1)
    info = CohortInfo("benchmark", True, 0, 0, SCHEMA_VERSION, made, path.parent, "", "", STAGES)
    case_ids = [f"c{i:05d}" for i in range(n_cases)]
    cases = pd.DataFrame(
        {
            "case_id": case_ids,
            "patient_id": [f"p{i:05d}" for i in range(n_cases)],
            "row": range(n_cases),
            "stage": [STAGES[i % 4] for i in range(n_cases)],
            "age": rng.integers(40, 85, n_cases),
            "scanner": ["AB"[i % 2] for i in range(n_cases)],
        }
    )
    for name in ("image_path", "mask_path", "seed_x", "seed_y", "seed_z"):
        cases[name] = None
    store.register_exported(path, info, cases, {"age": "age", "scanner": "scanner"})
    set_id = store.open_set(
        SetIdentity("flexict-nano", "0" * 64, "slices", "slice", "pooled", WIDTH, "1", "bundled", False)
    )
    for first in range(0, n_cases, CHUNK_CASES):
        chunk = case_ids[first : first + CHUNK_CASES]
        items = [
            EmbeddedItem(f"{case_id}/slice/{s:04d}", case_id, vector, s, float(s))
            for case_id in chunk
            for s, vector in enumerate(rng.normal(size=(SLICES, WIDTH)).astype(np.float32))
        ]
        store.commit(set_id, items, outcomes=[CaseOutcome(case_id, True) for case_id in chunk])
    ids, _ = store.vectors(set_id)
    stage = np.array([int(one[1:6]) % 4 for one in ids])
    angle = rng.uniform(0, 2 * np.pi, len(ids))
    radius = rng.gamma(2.0, 0.6, len(ids))
    xy = np.column_stack([stage * 3 + radius * np.cos(angle), stage * 1.5 + radius * np.sin(angle)])
    store.save_projection(set_id, SETTINGS, ids, xy)


def serve(cohort: Path, workspace: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The app on a free port."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port)]
    words += ["--server.headless", "true", "--server.fileWatcherType", "none"]
    words += ["--", "--workspace", str(workspace), "--cohort", str(cohort)]
    server = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    for _ in range(600):
        with socket.socket() as client:
            if client.connect_ex(("localhost", port)) == 0:
                return server, f"http://localhost:{port}"
        time.sleep(0.1)
    raise RuntimeError("the app did not start within a minute")


class Wire:
    """Bytes that the browser received over the page's websocket."""

    def __init__(self, page: Page) -> None:
        self.received = 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, payload: str | bytes) -> None:
        self.received += len(payload)

    def since(self, before: int) -> int:
        """Bytes since a count."""
        return self.received - before


def opened(browser: Browser, address: str) -> tuple[Page, Wire, float]:
    """A new window on the map, and seconds until it was painted."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(WAIT_MS)
    wire = Wire(page)
    start = time.perf_counter()
    page.goto(f"{address}/map", wait_until="commit")
    page.wait_for_function(PAINTED, polling=20)
    return page, wire, time.perf_counter() - start


def painted_after_click(browser: Browser, address: str) -> float:
    """Seconds from the click on Map in an open app until the map is painted."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(address)
    page.wait_for_selector("h1")
    idle(page)
    start = time.perf_counter()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Map").click()
    page.wait_for_function(PAINTED, polling=20)
    seconds = time.perf_counter() - start
    page.context.close()
    return seconds


def idle(page: Page) -> None:
    """Wait until the page has run to its end."""
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'", polling=20
    )


def select(page: Page, wire: Wire, share: float) -> dict[str, float]:
    """Draw a lasso over a share of the map's width; seconds until map, side panel and table show it."""
    canvas, said = page.locator("canvas.points"), page.locator("[data-map-painted]")
    box: Any = canvas.bounding_box()
    left, top, right, bottom = 0.03, 0.05, 0.03 + 0.94 * share, 0.95
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    points = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in corners]
    before, received = said.get_attribute("data-map-selected"), wire.received
    heading = page.locator("h3").first.inner_text()
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=4)
    start = time.perf_counter()
    page.mouse.up()
    page.wait_for_function(
        "([old, words]) => document.querySelector('[data-map-painted]').dataset.mapSelected !== old "
        "&& document.querySelector('h3').innerText !== words",
        arg=[before, heading],
        polling=20,
    )
    updated = time.perf_counter() - start
    idle(page)
    return {
        "updated_s": updated,
        "idle_s": time.perf_counter() - start,
        "bytes": wire.since(received),
        "selected": float(said.get_attribute("data-map-selected") or 0),
    }


def zoom(page: Page, wire: Wire) -> dict[str, Any]:
    """Zoom in by the wheel until single items show; seconds of the last step and bytes of every view."""
    canvas, said = page.locator("canvas.points"), page.locator("[data-map-painted]")
    box: Any = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    views, seconds = [], 0.0
    for _ in range(14):
        received, painted = wire.received, page.evaluate(PAINTED)
        start = time.perf_counter()
        page.mouse.wheel(0, -280)
        page.wait_for_function(
            "old => document.querySelector('[data-map-painted]').dataset.mapPainted !== old", arg=painted, polling=20
        )
        seconds = time.perf_counter() - start
        idle(page)
        views.append(wire.since(received))
        if said.get_attribute("data-map-mode") == "points":
            break
    return {"mode": said.get_attribute("data-map-mode"), "bytes_a_view": views, "last_step_s": seconds}


def measured(browser: Browser, cohort: Path, workspace: Path, repeats: int) -> dict[str, Any]:
    """All measurements on one cohort file."""
    server, address = serve(cohort, workspace)
    try:
        page, _, cold = opened(browser, address)
        idle(page)
        page.context.close()
        paints, clicks, payloads, selections = [], [], [], []
        result: dict[str, Any] = {"cold_first_paint_s": cold}
        for repeat in range(repeats):
            clicks.append(painted_after_click(browser, address))
            page, wire, seconds = opened(browser, address)
            paints.append(seconds)
            idle(page)
            payloads.append(wire.received)
            selections.append(select(page, wire, 0.3 + 0.1 * repeat))
            if page.locator("[data-map-painted]").get_attribute("data-map-mode") == "density":
                result["zoom"] = zoom(page, wire)
            page.context.close()
        result |= {
            "paint_s": statistics.median(clicks),
            "new_window_paint_s": statistics.median(paints),
            "first_view_bytes": max(payloads),
            "selection_s": statistics.median(one["updated_s"] for one in selections),
            "selection_idle_s": statistics.median(one["idle_s"] for one in selections),
            "selection_bytes": max(one["bytes"] for one in selections),
            "selected": [int(one["selected"]) for one in selections],
        }
        return result
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    """Parse the arguments, measure, print one table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the cohort files are kept for the next time")
    parser.add_argument("--out", type=Path, help="JSON with all numbers")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        found["browser"] = browser.version
        for n_items in options.items:
            cohort = folder / f"map-{n_items}.duckdb"
            if not cohort.exists():
                write_cohort(cohort, n_items)
            found[str(n_items)] = measured(browser, cohort, folder / "workspace", options.repeats)
        browser.close()
    print("| items | paint s | new window s | first view MB | selection s | until idle s | zoom, largest view MB |")
    print("|---|---|---|---|---|---|---|")
    for n_items in options.items:
        one = found[str(n_items)]
        views = one.get("zoom", {}).get("bytes_a_view", [])
        zoomed = f"{max(views) / 1e6:.2f}, ends in {one['zoom']['mode']}" if views else "all points are sent"
        print(
            f"| {n_items:,} | {one['paint_s']:.2f} | {one['new_window_paint_s']:.2f} | "
            f"{one['first_view_bytes'] / 1e6:.2f} | {one['selection_s']:.2f} | {one['selection_idle_s']:.2f} "
            f"| {zoomed} |"
        )
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
