"""From a CSV to an open cohort, and the job that two windows ask for."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import (
    MARKS,
    PAGES,
    WAIT_MS,
    choose,
    embed_lesions,
    expect_on_map,
    expect_selected,
    follow,
    go,
    lasso,
    metric,
    picture,
    settle,
    upload,
)

pytestmark = MARKS
# Words of a hospital that no list of spellings has.
OTHER_HEADERS = {
    "case_id": "Untersuchung",
    "patient_id": "Person",
    "image_path": "Aufnahme",
    "mask_path": "Umriss",
    "t_stage": "Ausbreitung",
}
ROLES = {
    "CT file or DICOM folder": "Aufnahme",
    "Case id": "Untersuchung",
    "Patient id": "Person",
    "Stage or grade": "Ausbreitung",
    "Lesion mask": "Umriss",
}


@pytest.fixture
def renamed_csv(cohort_csv: Path, tmp_path: Path) -> Path:
    """The first 15 scans of the test cohort under headers that are not recognised."""
    with cohort_csv.open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream))
    path = tmp_path / "cohort.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([[OTHER_HEADERS.get(name, name) for name in header], *rows[:15]])
    return path


def test_a_csv_with_unknown_headers_is_mapped_embedded_opened_and_selected_from(
    page: Page, empty: str, renamed_csv: Path, cohort_csv: Path, tmp_path: Path
) -> None:
    go(page, empty)
    upload(page, renamed_csv)
    expect(page.get_by_text("Rows with errors")).to_be_visible(timeout=WAIT_MS)
    assert metric(page, "Scans to embed") == "0"
    for label, column in ROLES.items():
        choose(page, label, column)
    expect(page.get_by_text("Stages in order: T1 < T2 < T3")).to_be_visible(timeout=WAIT_MS)
    picture(page, "csv-columns-mapped", tmp_path)
    embed_lesions(page, 15)
    assert metric(page, "Scans") == "15"
    assert metric(page, "Patients") == "15"
    expect(page.get_by_test_id("stSidebar")).to_contain_text("15 vectors of 288 dimensions")
    # The CSV is called cohort.csv, so the cohort is called as the folder of its CTs.
    expect(page.get_by_role("heading", name=cohort_csv.parent.name, exact=True)).to_be_visible()
    picture(page, "cohort-made-from-csv", tmp_path)
    follow(page, "Map")
    lasso(page, 6)
    expect_selected(page, 6)
    expect_on_map(page, 6)


def test_a_link_into_a_fresh_app_shows_the_whole_app(page: Page, empty: str) -> None:
    go(page, empty, "gradient")
    expect(page.get_by_text("No cohort is open")).to_be_visible()
    navigation = page.get_by_test_id("stSidebarNav").get_by_role("link")
    # The text of a link starts with the name of its icon.
    assert [text.split("\n")[-1] for text in navigation.all_inner_texts()] == list(PAGES.values())


def test_the_second_window_that_starts_the_same_job_is_told_of_the_first(
    another: Callable[[], Page], empty: str, cohort_csv: Path, tmp_path: Path
) -> None:
    first, second = another(), another()
    for window in (first, second):
        go(window, empty)
        upload(window, cohort_csv)
        expect(window.get_by_text("Scans to embed")).to_be_visible(timeout=WAIT_MS)
        choose(window, "What to embed", "Axial slices")
    first.get_by_role("button", name="Start embedding").click()
    expect(first.get_by_role("button", name="Stop the job")).to_be_visible(timeout=WAIT_MS)
    second.get_by_role("button", name="Start embedding").click()
    expect(second.get_by_text("no second one was started")).to_be_visible(timeout=WAIT_MS)
    assert first.get_by_text("no second one was started").count() == 0
    picture(second, "job-of-another-window", tmp_path)
    second.get_by_role("button", name="Stop the job").click()
    expect(first.get_by_text("The job ended with exit code")).to_be_visible(timeout=WAIT_MS)
    settle(first)
