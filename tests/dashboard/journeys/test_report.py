"""Figures of a page and the report of a cohort, as files to publish."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import (
    MARKS,
    WAIT_MS,
    Serve,
    downloaded,
    expect_selected,
    follow,
    go,
    picture,
    points,
    results,
    settle,
)

pytestmark = MARKS


def build_report(page: Page) -> None:
    """With as few resamples as the page allows."""
    page.get_by_text("Survival, further sets, settings").click()
    for label in ("Permutations", "Bootstrap resamples"):
        field = page.get_by_role("spinbutton", name=label)
        field.fill("19")
        field.press("Enter")
        settle(page)
    expect(page.get_by_test_id("stCode")).to_contain_text("--permutations 19 --bootstrap 19")
    page.get_by_role("button", name="Build the report").click()


def exported(page: Page) -> zipfile.ZipFile:
    """The zip, which is whole."""
    archive = zipfile.ZipFile(io.BytesIO(downloaded(page, "Export everything (zip)")))
    assert archive.testzip() is None
    return archive


def test_a_link_to_the_gradient_of_a_fresh_app_shows_a_verdict_and_figures_to_publish(
    page: Page, analysed: str
) -> None:
    go(page, analysed, "gradient")
    results(page)
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


def test_the_report_of_a_simulated_cohort_is_built_shown_and_downloaded(
    page: Page, serve: Serve, make_store: Callable[[Path, bool], Path], tmp_path: Path
) -> None:
    go(page, serve("--cohort", make_store(tmp_path / "demonstration.duckdb", True)), "report")
    build_report(page)
    expect(page.get_by_text(re.compile(r"\d+ of 42 cases analysed, panels a to h"))).to_be_visible(timeout=4 * WAIT_MS)
    settle(page)
    figure = page.get_by_test_id("stImage").locator("img")
    expect(figure).to_have_count(1)
    assert figure.evaluate("i => i.complete && i.naturalWidth > 600 && i.naturalHeight > 600")
    assert page.get_by_test_id("stException").count() == 0
    picture(page, "report-built", tmp_path)

    archive = exported(page)
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


def test_the_report_of_the_selected_scans_alone_names_them(page: Page, analysed: str, tmp_path: Path) -> None:
    go(page, analysed, "map")
    points(page)
    legend = page.locator(".map .legend")
    legend.get_by_role("button", name="Select T1").click()
    expect_selected(page, 14)
    legend.get_by_role("button", name="Select T2").click(modifiers=["Shift"])
    expect_selected(page, 28)
    follow(page, "Report")
    page.get_by_test_id("stMain").get_by_text("Only the 28 selected scans").click()
    settle(page)
    build_report(page)
    expect(page.get_by_text(re.compile(r"28 of \d+ cases analysed"))).to_be_visible(timeout=4 * WAIT_MS)
    settle(page)
    picture(page, "report-of-a-selection", tmp_path)
    record = json.loads(exported(page).read("report.json"))
    wanted = {f"case{number:02d}" for number in range(41) if number % 3 < 2}
    assert set(record["case_ids"]) == wanted
