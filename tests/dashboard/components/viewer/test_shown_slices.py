"""What a viewer shows becomes a figure: the slice it is at, its lesion and box; thumbnails where the CT is away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dashboard.components.viewer.message import Request
from dashboard.components.viewer.shown_slices import panel_slices
from dashboard.components.viewer.slice_viewer import ViewerState
from dashboard.session.settings import Settings
from tests.dashboard.app_session import open_app
from tests.dashboard.components.viewer.test_answer import request_of, rows_of, shown_of

NUMBERS = ({"rank": 0}, {"rank": 1, "cosine": 0.9})


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_the_lesion_lies_in_the_middle_of_the_panel_and_in_its_box(store_path: Path, plane: str) -> None:
    shown = shown_of(store_path, rows_of(store_path).head(2))
    for panel in panel_slices(shown, plane, 0.0, NUMBERS):
        assert panel.hu is not None
        assert panel.mask is not None
        assert panel.box is not None
        row, column = (axis.mean() for axis in np.nonzero(panel.mask))
        x, y = panel.left + (column + 0.5) * panel.pixel_mm[0], panel.top + (row + 0.5) * panel.pixel_mm[1]
        assert (x, y) == pytest.approx((0, 0), abs=1.6)
        left, top, right, bottom = panel.box
        assert left < x < right
        assert top < y < bottom
        # The lesion is of soft tissue, in lung.
        assert np.median(panel.hu[panel.mask != 0]) > 0
        assert np.median(panel.hu[panel.mask == 0]) < -800


def test_the_table_says_where_the_slice_lies(store_path: Path) -> None:
    row = rows_of(store_path).iloc[0]
    at, away = (
        panel_slices(shown_of(store_path, rows_of(store_path).head(2)), "axial", mm, NUMBERS)[0].facts
        for mm in (0.0, 9.0)
    )
    assert (at["item_id"], at["rank"], at["plane"], at["spacing_z_mm"]) == ("case00/lesion", 0, "axial", 3.0)
    # The ball's middle is voxel 16 of 0 to 31 along every axis: as on the screen, the 17th slice.
    assert (at["slice_number"], at["n_slices"]) == (17, 32)
    assert away["slice_number"] == 20
    assert at["lps_x_mm"] == pytest.approx(row["centroid_x"], abs=1e-3)
    assert at["lps_z_mm"] == pytest.approx(row["centroid_z"], abs=1.6)
    assert away["lps_z_mm"] - at["lps_z_mm"] == pytest.approx(9.0)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_the_words_under_a_picture_say_the_slice_as_the_screen_does(store_path: Path, plane: str) -> None:
    panel = panel_slices(shown_of(store_path, rows_of(store_path).head(1)), plane, 0.0, NUMBERS[:1])[0]
    assert f"{plane} slice 17 of 32, " in panel.caption


def test_without_the_ct_the_thumbnail_is_taken_and_no_path_is_told(store_path: Path) -> None:
    rows = rows_of(store_path).head(2).assign(image_path="/nowhere/secret.nii.gz")
    panels = panel_slices(shown_of(store_path, rows), "coronal", 3.0, NUMBERS)
    for panel in panels:
        assert panel.hu is None
        assert panel.stored is not None
        assert panel.stored.shape == (128, 128)
        assert panel.note == "Stored thumbnail (lung window): the CT cannot be read here"
        assert panel.facts["plane"] == "axial"
        assert "secret" not in str(panel)


def test_a_click_takes_what_the_browser_told_last(store_path: Path) -> None:
    shown = shown_of(store_path, rows_of(store_path).head(1))
    seen = ViewerState()
    seen.update(shown, None)
    assert (seen.plane, seen.offset_mm, seen.window.name, seen.window.width) == ("axial", 0.0, "Lung", 1500)
    told: Request = request_of(shown, plane="coronal", place=(1.0, -7.5, 3.0), window=("Own", 123.0, 45.0))
    seen.update(shown, told)
    assert (seen.plane, seen.offset_mm) == ("coronal", -7.5)
    assert (seen.window.name, seen.window.width, seen.window.level) == ("Own", 123, 45)


def test_a_ct_outside_the_data_root_is_not_read_for_a_download(store_path: Path, tmp_path: Path) -> None:
    settings = Settings(None, tmp_path, (tmp_path,))
    shown = shown_of(store_path, rows_of(store_path).head(1), settings=settings)
    (panel,) = panel_slices(shown, "axial", 0.0, NUMBERS[:1])
    assert panel.hu is None
    assert panel.stored is not None


def test_the_page_offers_what_the_viewer_shows(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "neighbours")
    keys = [one.proto.id for one in app.get("download_button")]
    for kind in ("svg", "pdf", "png", "csv"):
        assert any(f"download.slices-neighbours.{kind}" in key for key in keys)
