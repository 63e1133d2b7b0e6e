"""The Neighbours page hands the viewer what it needs, and the viewer tells the page what was clicked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.viewer.slice_viewer import Panel, show_panels
from dashboard.session.settings import Settings
from tests.dashboard.app_session import open_app


def messages(app: AppTest, unpack: Callable[[bytes], Any]) -> list[dict[str, Any]]:
    """Headers of what the page sends to its viewers."""
    return [unpack(element.proto.bytes)[0] for element in app.get("bidi_component") if element.proto.bytes]


@contextmanager
def moved(folder: Path, name: str) -> Iterator[Path]:
    """The folder under another name, for the time of the block."""
    now = folder.rename(folder.with_name(name))
    try:
        yield now
    finally:
        now.rename(folder)


def test_the_query_comes_first_and_its_neighbours_after_it(settings: Settings, store_path: Path, unpack) -> None:
    app = open_app(settings, store_path, "neighbours")
    app.selectbox(key="neighbours.query").select("case07").run()
    (header,) = messages(app, unpack)
    titles = [item["title"] for item in header["items"]]
    assert titles[0] == "Query · case07"
    assert [title.split(" · ")[0] for title in titles[1:]] == ["1", "2", "3", "4", "5"]
    assert header["items"][0]["caption"].startswith("stage ")
    # Pictures that leave the page name the demonstration encoder.
    assert "not the published FlexiCT" in header["footer"]
    assert {piece["plane"] for piece in header["slices"]} == {"axial"}


def test_words_of_the_data_travel_as_they_are(settings: Settings, store_path: Path, unpack) -> None:
    def page(cohort, item):
        from dashboard.components.viewer.slice_viewer import Panel, show_panels

        show_panels(cohort, [Panel(item, "<b>case</b> *one*", "<script>alert(1)</script>")], "test")

    item = pd.Series({"case_id": "one", "item_id": "one/volume", "image_path": None, "mask_path": None})
    app = AppTest.from_function(page, args=(store_path, item), default_timeout=600)
    app.session_state["settings"] = settings
    app.run()
    assert not app.exception
    (header,) = messages(app, unpack)
    assert header["items"][0]["title"] == "<b>case</b> *one*"
    assert header["items"][0]["caption"] == "<script>alert(1)</script>"
    assert "No picture" in header["panels"][0]["notes"][0]


def test_without_the_cts_the_page_sends_thumbnails(
    settings: Settings, make_store: Callable[[Path, bool], Path], tmp_path: Path, cohort_csv: Path, unpack
) -> None:
    path = make_store(tmp_path / "moved.duckdb", False)
    with moved(cohort_csv.parent, "unmounted"):
        (header,) = messages(open_app(settings, path, "neighbours"), unpack)
    assert {panel["kind"] for panel in header["panels"]} == {"thumbnail"}
    assert all("Stored thumbnail (lung window)" in panel["notes"][0] for panel in header["panels"])


def test_a_cohort_that_was_moved_is_shown_from_where_it_is_now(
    settings: Settings, make_store: Callable[[Path, bool], Path], tmp_path: Path, cohort_csv: Path, unpack
) -> None:
    path = make_store(tmp_path / "cohort.duckdb", False)
    with moved(cohort_csv.parent, "moved-cohort") as now:
        (header,) = messages(open_app(dataclasses.replace(settings, data_roots=(now,)), path, "neighbours"), unpack)
    assert {panel["kind"] for panel in header["panels"]} == {"ct"}
    assert all(panel["has_mask"] for panel in header["panels"])
    assert all(f"found at {now}" in " ".join(panel["notes"]) for panel in header["panels"])


def test_a_click_is_told_to_the_page_in_lps(settings: Settings, store_path: Path, unpack) -> None:
    def page(cohort, items):
        import streamlit as st

        from dashboard.components.viewer.slice_viewer import Panel, show_panels

        panels = [Panel(item, item["case_id"], "") for _, item in items.iterrows()]
        start = {"plane": "coronal", "offset_mm": 6.0}
        st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        st.session_state["told"] = show_panels(cohort, panels, "test", rerun_on_click=True, **start)

    from embeddings.store.store import Store

    store = Store(store_path)
    items = store.table(str(store.sets().set_index("view").loc["lesion", "set_id"]))[0].head(2)
    app = AppTest.from_function(page, args=(store_path, items), default_timeout=600)
    app.session_state["settings"] = settings
    app.run()
    assert not app.exception
    told = app.session_state["told"]
    assert (told.clicked_item, told.clicked_lps) == (None, None)
    assert (told.plane, told.offset_mm, told.window.name) == ("coronal", 6.0, "Soft tissue")
    (header,) = messages(app, unpack)
    assert header["start"]["place"] == [0.0, 6.0, 0.0]
    request = {
        "signature": header["signature"],
        "seq": 1,
        "plane": "sagittal",
        "place": [3.0, 6.0, 0.0],
        "window": ["Own", 300, 20],
        "wants": [],
        "opens": [],
        "point": {"panel": 1, "place": [3.0, -4.0, 5.0], "n": 7},
        "map": "off",
        "map_key": "",
        "attempt": 0,
    }
    app.session_state["test.viewer"] = {"request": request}
    app.run()
    assert not app.exception
    # The run that the browser asked for, and one of the whole page, once.
    assert app.session_state["runs"] == 3
    assert app.run().session_state["runs"] == 4
    told = app.session_state["told"]
    centroid = items.iloc[1][["centroid_x", "centroid_y", "centroid_z"]].astype(float).tolist()
    assert told.clicked_item == items.iloc[1]["item_id"]
    assert told.clicked_lps == pytest.approx([centroid[0] + 3.0, centroid[1] - 4.0, centroid[2] + 5.0])
    assert (told.plane, told.offset_mm, told.window.name) == ("sagittal", 3.0, "Own")


def test_a_plane_that_does_not_exist_is_named(store_path: Path) -> None:
    with pytest.raises(ValueError, match="no plane 'oblique'"):
        show_panels(store_path, [Panel(pd.Series(dtype=object), "", "")], "test", plane="oblique")


def test_a_viewer_without_panels_is_refused(store_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a panel"):
        show_panels(store_path, [], "test")
