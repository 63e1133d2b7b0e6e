"""Real CTs with masks go the whole way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import MARKS, Serve, embed_lesions, follow, go, picture, results, upload, whole

pytestmark = MARKS
N_REAL = 40


def test_real_ct_go_from_the_csv_to_the_gradient(page: Page, serve: Serve, real_ct: Path, tmp_path: Path) -> None:
    source = real_ct / "nsclc_radiogenomics" / "cohort.csv"
    if not source.exists():
        pytest.skip(f"no NSCLC Radiogenomics CTs at {source.parent}")
    with source.open(newline="") as stream:
        lines = [line for _, line in zip(range(N_REAL + 1), stream, strict=False)]
    short = tmp_path / "nsclc.csv"
    short.write_text("".join(lines))
    go(page, serve("--data-root", source.parent.resolve()))
    upload(page, short)
    embed_lesions(page, N_REAL, n_failures=1)  # The mask of NSCLC-050 has no voxel.
    follow(page, "Stage gradient")
    results(page)
    expect(page.get_by_text(re.compile("On patients it was not fitted to|No stage gradient is shown"))).to_be_visible()
    whole(page)
    picture(page, "gradient-real-ct", tmp_path)
