"""What a reader does with the viewer in a browser: wheel, keys, windows, planes, clicks, and without the CTs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import Locator, Page, expect

from tests.dashboard.journeys.conftest import N_EMBEDDED as N_CASES
from tests.dashboard.journeys.conftest import Embed
from tests.dashboard.journeys.steps import (
    FITS,
    MARKS,
    WAIT_MS,
    Serve,
    choose,
    drawn,
    go,
    middle,
    picture,
    settle,
    wheel,
)
from tests.dashboard.journeys.steps import slice_canvas as canvas
from tests.dashboard.journeys.steps import slice_numbers as numbers
from tests.dashboard.journeys.steps import slices_ready as ready

pytestmark = MARKS
# Share of a canvas that is of a colour, within some steps; and a digest of all its pixels.
SHARE = """(c, [r, g, b]) => {
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 0; i < d.length; i += 4) {
        if (Math.abs(d[i] - r) + Math.abs(d[i + 1] - g) + Math.abs(d[i + 2] - b) < 60) n += 1;
    }
    return n / (d.length / 4);
}"""
DIGEST = """c => {
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    let h = 7;
    for (let i = 0; i < d.length; i += 1) h = (h * 31 + d[i]) >>> 0;
    return h;
}"""
ORANGE, YELLOW = [230, 159, 0], [240, 228, 66]


@pytest.fixture
def viewer(page: Page, embedded: str) -> Page:
    """The Neighbours page with all its slices there."""
    go(page, embedded, "neighbours")
    ready(page)
    return page


def places(page: Page) -> Locator:
    """The words under each panel: slice, and place in mm."""
    return page.locator(".viewer .place")


def test_the_wheel_scrolls_all_panels_together(viewer: Page, tmp_path: Path) -> None:
    before = numbers(viewer)
    assert len(before) == N_CASES
    wheel(viewer, 3)
    assert [b - a for a, b in zip(before, numbers(viewer), strict=True)] == [3] * N_CASES
    expect(viewer.locator(".viewer .cursor").first).to_contain_text(re.compile(r"^−?\d+ HU at "))
    picture(viewer, "viewer-scrolled", tmp_path)


def test_keys_scroll_and_home_returns_to_the_lesion(viewer: Page) -> None:
    before = numbers(viewer)
    canvas(viewer).focus()
    outline = canvas(viewer).evaluate("c => getComputedStyle(c).outlineStyle")
    assert outline == "solid"
    viewer.keyboard.press("ArrowUp")
    viewer.keyboard.press("ArrowUp")
    viewer.keyboard.press("PageUp")
    ready(viewer)
    assert [b - a for a, b in zip(before, numbers(viewer), strict=True)] == [5] * N_CASES  # Slices are 3 mm apart.
    spoken = viewer.locator(".viewer [aria-live]")
    expect(spoken).to_contain_text("15.0 mm towards the head")
    expect(spoken).to_contain_text("window Soft tissue")
    viewer.keyboard.press("Home")
    ready(viewer)
    assert numbers(viewer) == before
    slider = viewer.get_by_label("Scroll", exact=True)
    slider.focus()
    viewer.keyboard.press("ArrowRight")
    ready(viewer)
    assert numbers(viewer) == [n + 1 for n in before]


def test_windows_change_at_once_and_by_dragging(viewer: Page) -> None:
    lesion = "c => c.getContext('2d').getImageData(c.width / 2 | 0, c.height / 2 | 0, 1, 1).data[0]"
    soft = canvas(viewer).evaluate(lesion)
    viewer.get_by_label("CT window").select_option("Lung")
    drawn(viewer)
    lung = canvas(viewer).evaluate(lesion)
    # 40 HU: the middle of the soft tissue window, near the top of that of lung.
    assert abs(soft - 127) < 40
    assert abs(lung - 236) < 12
    viewer.get_by_label("Window width in HU").fill("100")
    viewer.get_by_label("Window level in HU").fill("300")
    viewer.keyboard.press("Enter")
    drawn(viewer)
    assert canvas(viewer).evaluate(lesion) < 10
    assert viewer.get_by_label("CT window").input_value() == "Own"
    x, y = middle(viewer)
    viewer.keyboard.down("Shift")
    viewer.mouse.move(x, y)
    viewer.mouse.down()
    viewer.mouse.move(x + 60, y + 20, steps=4)
    viewer.mouse.up()
    viewer.keyboard.up("Shift")
    assert int(viewer.get_by_label("Window width in HU").input_value()) > 110


def test_outline_and_embedded_box_are_drawn_and_can_be_hidden(viewer: Page) -> None:
    assert canvas(viewer).evaluate(SHARE, ORANGE) > 0.0005
    assert canvas(viewer).evaluate(SHARE, YELLOW) > 0.0005
    viewer.get_by_label("Mask outline").uncheck()
    viewer.get_by_label("Embedded box").uncheck()
    drawn(viewer)
    assert canvas(viewer).evaluate(SHARE, ORANGE) == 0
    assert canvas(viewer).evaluate(SHARE, YELLOW) == 0


def test_planes_change_and_three_planes_of_one_case_are_linked(viewer: Page, tmp_path: Path) -> None:
    viewer.get_by_role("button", name="Coronal").click()
    ready(viewer)
    expect(places(viewer).first).to_contain_text(re.compile(r"slice 17 of 32, y = "))
    expect(canvas(viewer)).to_have_attribute("aria-label", re.compile("^Coronal CT slice of case"))
    picture(viewer, "viewer-coronal", tmp_path)
    viewer.get_by_role("button", name="Three planes").click()
    viewer.get_by_label("Crosshair").check()
    ready(viewer)
    before = numbers(viewer)
    assert len(before) == 3
    # 20 pixels to the right and up in the axial plane: to the patient's left and to the front.
    x, y = middle(viewer)
    viewer.mouse.click(x + 40, y - 40)
    ready(viewer)
    axial, coronal, sagittal = (b - a for a, b in zip(before, numbers(viewer), strict=True))
    assert axial == 0
    assert coronal < 0
    assert sagittal > 0
    picture(viewer, "viewer-three-planes", tmp_path)


def test_zoom_and_pan_are_shared_by_all_panels(viewer: Page) -> None:
    before = [canvas(viewer, n).evaluate(DIGEST) for n in (0, 1)]
    canvas(viewer).focus()
    viewer.keyboard.press("+")
    viewer.keyboard.press("Shift+ArrowLeft")
    drawn(viewer)
    zoomed = [canvas(viewer, n).evaluate(DIGEST) for n in (0, 1)]
    assert all(a != b for a, b in zip(before, zoomed, strict=True))
    viewer.keyboard.press("Home")
    drawn(viewer)
    assert [canvas(viewer, n).evaluate(DIGEST) for n in (0, 1)] == before


def test_a_click_shows_where_patches_are_alike_and_colours_of_components(viewer: Page, tmp_path: Path) -> None:
    viewer.get_by_label("Patch map", exact=True).select_option("similarity")
    expect(viewer.locator(".viewer .map-words")).to_contain_text("Click a point")
    plain = canvas(viewer, 1).evaluate(DIGEST)
    viewer.mouse.click(*middle(viewer))
    expect(viewer.locator(".viewer .map-words")).to_contain_text("Cosine similarity", timeout=2 * WAIT_MS)
    expect(viewer.locator(".viewer .legend")).to_contain_text(re.compile(r"cosine ≤ −?\d\.\d\d"))
    drawn(viewer)
    assert canvas(viewer, 1).evaluate(DIGEST) != plain
    # The ball of the neighbour lies in its middle, and is as bright on the scale as it gets.
    viewer.mouse.move(*middle(viewer, 1))
    drawn(viewer)
    said = viewer.locator(".viewer .cursor").nth(1).inner_text()
    assert float(re.search(r"cosine (\d\.\d\d)", said).group(1)) > 0.5  # type: ignore[union-attr]
    picture(viewer, "viewer-similarity", tmp_path)
    viewer.get_by_label("Patch map", exact=True).select_option("pca")
    expect(viewer.locator(".viewer .map-words")).to_contain_text("without a unit", timeout=WAIT_MS)
    picture(viewer, "viewer-pca", tmp_path)


def test_enter_takes_a_point_as_a_click_does(viewer: Page) -> None:
    viewer.get_by_label("Patch map", exact=True).select_option("similarity")
    canvas(viewer).focus()
    viewer.keyboard.press("Enter")
    expect(viewer.locator(".viewer .map-words")).to_contain_text("Cosine similarity", timeout=2 * WAIT_MS)


def test_the_picture_that_is_downloaded_is_called_by_its_cases(viewer: Page, tmp_path: Path) -> None:
    with viewer.expect_download(timeout=WAIT_MS) as waiting:
        viewer.get_by_role("button", name="Download PNG").click()
    saved = waiting.value
    assert re.fullmatch(r"ct-case00-case\d\d-[a-z0-9-]+-axial\.png", saved.suggested_filename)
    assert Path(saved.path()).read_bytes().startswith(b"\x89PNG")


def test_other_neighbours_are_shown_when_another_case_is_chosen(viewer: Page) -> None:
    choose(viewer, "Case or slice", "case03")
    ready(viewer)
    expect(viewer.locator(".viewer .title").first).to_have_text("Query · case03")
    assert len(numbers(viewer)) == N_CASES


def test_the_viewer_fits_a_dark_page_of_1280_pixels(page: Page, embedded: str, tmp_path: Path) -> None:
    page.emulate_media(color_scheme="dark")
    go(page, embedded, "neighbours")
    ready(page)
    assert page.evaluate(FITS)
    picture(page, "viewer-dark", tmp_path)


def test_without_the_cts_the_panels_show_thumbnails_and_say_so(
    page: Page, serve: Serve, embed: Embed, cohort_csv: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "mounted"
    copied.mkdir()
    for found in cohort_csv.parent.glob("case0[0-5]*"):
        (copied / found.name).write_bytes(found.read_bytes())
    (copied / "cohort.csv").write_text("\n".join(cohort_csv.read_text(encoding="utf-8").splitlines()[: N_CASES + 1]))
    store = embed(copied / "cohort.csv", tmp_path / "unmounted.duckdb", copied)
    copied.rename(tmp_path / "elsewhere")
    go(page, serve("--cohort", store), "neighbours")
    expect(page.locator(".viewer .note").first).to_contain_text(
        re.compile(r"Stored thumbnail \(.+ window\), because the CT cannot be read"), timeout=WAIT_MS
    )
    page.wait_for_timeout(500)
    assert canvas(page).evaluate(SHARE, [0, 0, 0]) < 0.9
    assert page.get_by_test_id("stException").count() == 0
    settle(page)
    picture(page, "viewer-thumbnails", tmp_path)
