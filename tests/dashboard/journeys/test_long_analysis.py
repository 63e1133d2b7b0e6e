"""An analysis that takes long shows how far it is, leaves the other pages alone, and can be ended."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from embeddings.records import CaseOutcome, CohortInfo, EmbeddedItem, SetIdentity
from embeddings.store.schema import SCHEMA_VERSION
from embeddings.store.store import Store
from tests.dashboard.journeys.steps import MARKS, WAIT_MS, Serve, follow, picture, turn_to

pytestmark = MARKS


N_CASES, WIDTH = 1500, 32


def many_cases(path: Path) -> Path:
    """A cohort file of so many cases that 10,000 permutations take a minute on any machine; no CT is known."""
    rng = np.random.default_rng(0)
    ids = [f"case{number:04d}" for number in range(N_CASES)]
    cases = pd.DataFrame({"case_id": ids, "patient_id": ids, "row": range(N_CASES)})
    cases["stage"] = [f"T{number % 3 + 1}" for number in range(N_CASES)]
    for name in ("image_path", "mask_path", "seed_x", "seed_y", "seed_z"):
        cases[name] = None
    info = CohortInfo(
        "many", False, 0, 0, SCHEMA_VERSION, datetime(2026, 1, 1), path.parent, "", "", ("T1", "T2", "T3")
    )
    store = Store(path, read_only=False)
    store.register_exported(path, info, cases, {})
    identity = SetIdentity("flexict-nano", "0" * 64, "lesion", "lesion", "pooled", WIDTH, "1", "bundled", False)
    vectors = rng.normal(size=(N_CASES, WIDTH)).astype(np.float32)
    items = [EmbeddedItem(f"{one}/lesion", one, vector) for one, vector in zip(ids, vectors, strict=True)]
    store.commit(store.open_set(identity), items, outcomes=[CaseOutcome(one, True) for one in ids])
    return path


def test_a_long_analysis_shows_progress_and_is_cancelled_while_other_pages_are_used(
    page: Page, serve: Serve, tmp_path: Path
) -> None:
    # No step here waits until the page rests: it asks for the progress every second, and on a busy machine never does.
    page.goto(f"{serve('--cohort', many_cases(tmp_path / 'many.duckdb'))}/gradient", wait_until="domcontentloaded")
    page.get_by_test_id("stMain").get_by_text("Settings", exact=True).click()
    slider = page.get_by_role("slider", name="Permutations")
    slider.focus()
    slider.press("End")
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    expect(cancel).to_be_visible(timeout=WAIT_MS)
    bar = page.get_by_test_id("stProgress")
    expect(bar).to_contain_text("%")
    picture(page, "analysis-running", tmp_path)

    follow(page, "Neighbours")
    expect(page.get_by_role("combobox", name="Case or slice")).to_be_visible()

    # Neighbours has a Cancel too: a click on the page that is being left would reach the next one.
    turn_to(page, "Stage gradient")
    expect(cancel).to_be_visible(timeout=WAIT_MS)
    cancel.click()
    expect(page.get_by_text("cancelled. Run it again to see the result.")).to_be_visible(timeout=WAIT_MS)
    assert bar.count() == 0
    picture(page, "analysis-cancelled", tmp_path)
    page.get_by_role("button", name="Run again").click()
    expect(cancel).to_be_visible(timeout=WAIT_MS)
    cancel.click()
    expect(page.get_by_text("cancelled. Run it again")).to_be_visible(timeout=WAIT_MS)
