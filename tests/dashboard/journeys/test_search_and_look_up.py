"""A sentence ranks the scans, and a CT that is not in the cohort finds what is like it."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Page, expect

from tests.dashboard.journeys.steps import (
    MARKS,
    WAIT_MS,
    downloaded_by_key,
    drawn,
    expect_selected,
    follow,
    go,
    middle,
    picture,
    points,
    press,
    settle,
    slices_ready,
    upload,
    whole,
)

pytestmark = MARKS


def table_of(page: Page, key: str) -> list[dict[str, str]]:
    """The rows of a table that is downloaded as CSV."""
    return list(csv.DictReader(io.StringIO(downloaded_by_key(page, key).decode("utf-8-sig"))))


def find_similar(page: Page) -> None:
    page.get_by_role("button", name="Find similar scans").click()
    expect(page.get_by_role("spinbutton", name="Neighbours")).to_be_visible(timeout=2 * WAIT_MS)
    settle(page)


def first_neighbour(page: Page) -> tuple[str, float]:
    """Case and cosine of the most alike scan, in the table that is downloaded."""
    found = table_of(page, "download.look-up.csv")[0]
    return found["case_id"], float(found["cosine"])


def test_a_sentence_ranks_the_scans_whose_first_are_selected_and_shown(page: Page, chests: str, tmp_path: Path) -> None:
    go(page, chests, "search")
    expect(page.get_by_text("for demonstrations only").first).to_be_visible()
    page.get_by_role("textbox", name="A sentence, worded as in a report").fill("large spiculated solid mass")
    page.get_by_role("textbox", name="A sentence, worded as in a report").press("Enter")
    expect(page.get_by_text("not a diagnosis").first).to_be_visible(timeout=WAIT_MS)
    settle(page)
    table = table_of(page, "download.search-c.csv")
    assert [row["rank"] for row in table] == list("123456")
    cases = [row["case_id"] for row in table]
    slices_ready(page)
    whole(page)
    picture(page, "search-answered", tmp_path)
    field = page.get_by_role("spinbutton", name=re.compile("^First"))
    field.fill("2")
    field.press("Enter")
    settle(page)
    page.get_by_role("button", name=re.compile("^Select")).first.click()
    expect_selected(page, 2)
    follow(page, "Map")
    points(page)
    expect(page.get_by_role("heading", name="2 selected scans")).to_be_visible()
    follow(page, "Neighbours")
    page.get_by_role("combobox", name="Case or slice").click()
    assert set(page.get_by_role("option").all_inner_texts()) == set(cases[:2])


# A busy browser: what waits for the next turn waits until it is told that the turn is over.
ONE_TURN = """() => {
    const later = window.setTimeout.bind(window), waiting = [];
    window.setTimeout = (what, ms = 0, ...more) =>
        ms > 0 || typeof what !== 'function' ? later(what, ms, ...more) : waiting.push(() => what(...more));
    window.endTurn = () => { window.setTimeout = later; waiting.forEach((what) => what()); };
}"""


def test_a_ct_with_its_mask_finds_itself_in_the_cohort(
    page: Page, embedded: str, cohort_csv: Path, tmp_path: Path
) -> None:
    go(page, embedded, "lookup")
    upload(page, cohort_csv.parent / "case03.nii.gz")
    expect(page.get_by_text("Upload a mask too")).to_be_visible(timeout=WAIT_MS)
    upload(page, cohort_csv.parent / "case03_mask.nii.gz", place=1)
    expect(page.get_by_text("What the encoder will see")).to_be_visible(timeout=WAIT_MS)
    find_similar(page)
    case, cosine = first_neighbour(page)
    assert case == "case03"
    assert cosine > 0.9999
    whole(page)
    picture(page, "lookup-with-mask", tmp_path)
    press(page, "Delete this CT from the machine")
    expect(page.get_by_text("The CT and everything derived from it are deleted.")).to_be_visible()


def test_a_mask_that_arrives_while_the_viewer_asks_for_slices_is_taken(
    page: Page, embedded: str, cohort_csv: Path
) -> None:
    go(page, embedded, "lookup")
    upload(page, cohort_csv.parent / "case03.nii.gz")
    slices_ready(page)
    page.evaluate(ONE_TURN)
    page.locator(".viewer").get_by_role("button", name="Coronal").click()
    with page.expect_response(lambda one: "upload_file" in one.url and one.request.method == "PUT", timeout=WAIT_MS):
        page.get_by_test_id("stFileUploaderDropzoneInput").nth(1).set_input_files(
            cohort_csv.parent / "case03_mask.nii.gz"
        )
    for _ in range(3):
        drawn(page)
    page.evaluate("() => window.endTurn()")
    expect(page.get_by_text("What the encoder will see")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text("Upload a mask too")).to_have_count(0)


def test_a_ct_is_looked_up_by_a_point_that_is_clicked(
    page: Page, chests: str, chests_folder: Path, tmp_path: Path
) -> None:
    go(page, chests, "lookup")
    upload(page, chests_folder / "2_ct.nii.gz")
    expect(page.get_by_text("A point in the lesion")).to_be_visible(timeout=WAIT_MS)
    slices_ready(page)
    assert page.get_by_role("button", name="Find similar scans").count() == 0
    page.mouse.click(*middle(page))
    expect(page.get_by_text("What the encoder will see")).to_be_visible(timeout=WAIT_MS)
    settle(page)
    typed = [page.get_by_role("spinbutton", name=f"{axis} (mm)").input_value() for axis in "xyz"]
    assert all(re.fullmatch(r"-?\d+\.\d", value) for value in typed)
    find_similar(page)
    case, cosine = first_neighbour(page)
    assert re.fullmatch(r"chest\d", case)
    assert -1 <= cosine <= 1
    whole(page)
    picture(page, "lookup-by-point", tmp_path)
