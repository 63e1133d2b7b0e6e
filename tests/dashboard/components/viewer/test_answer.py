"""What the server sends of real files: scans, thumbnails, nothing; slices, points and maps."""

from __future__ import annotations

import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from dashboard.components.viewer import patch_encoder
from dashboard.components.viewer.answer import Shown, answer, clicked_lps
from dashboard.components.viewer.message import Point, Request, Wanted
from dashboard.components.viewer.patch_encoder import SetEncoder
from dashboard.data import scans
from dashboard.data.planes import Region
from dashboard.data.scan_files import ScanFiles
from dashboard.data.scans import files_of
from dashboard.session.settings import Settings
from embeddings.store.store import Store
from flexict import load_encoder

CENTRE_MM = 48.0  # Of the balls of the cohort's scans, along every axis.


def rows_of(store: Path, view: str = "lesion") -> pd.DataFrame:
    with Store(store) as reading:
        sets = reading.sets().set_index("view")
        return reading.table(str(sets.loc[view, "set_id"]))[0]


EVERYTHING = Settings(None, Path("/nowhere"), (Path("/"),))


def shown_of(
    store: Path, rows: pd.DataFrame, encoder: SetEncoder | None = None, settings: Settings = EVERYTHING
) -> Shown:
    scans = ScanFiles.of_cohort(settings, store, Store(store).info())
    files = tuple(files_of(row, "lesion_mask@1.5", scans) for _, row in rows.iterrows())
    words = tuple(rows["case_id"])
    return Shown(store, files, words, words, None, encoder, ("axial", (0.0, 0.0, 0.0), "Lung"))


def request_of(shown: Shown, **asked: object) -> Request:
    usual: dict[str, object] = {"signature": shown.signature, "seq": 1, "plane": "axial", "place": (0.0, 0.0, 0.0)}
    usual |= {"window": ("Lung", 1500, -600), "wants": (), "opens": (), "map": "off", "map_key": "", "attempt": 0}
    return Request(**{**usual, **asked})  # type: ignore[arg-type]


def test_the_first_message_shows_the_middle_of_the_lesion(store_path: Path, unpack) -> None:
    shown = shown_of(store_path, rows_of(store_path).head(3))
    header, blobs = unpack(answer(shown, None))
    assert [item["case"] for item in header["items"]] == ["case00", "case01", "case02"]
    panel, piece = header["panels"][0], header["slices"][0]
    assert panel["kind"] == "ct"
    assert piece["index"] == 16
    inside = np.frombuffer(zlib.decompress(blobs[piece["mask"]]), np.uint8).reshape(piece["rows"], piece["columns"])
    # The centre of the item lies in the middle of the drawn lesion.
    row, column = (axis.mean() for axis in np.nonzero(inside))
    assert piece["left"] + (column + 0.5) * piece["pixel"][0] == pytest.approx(0, abs=1.5)
    assert piece["top"] + (row + 0.5) * piece["pixel"][1] == pytest.approx(0, abs=1.5)
    low, high = panel["box"]
    assert all(a < 0 < b for a, b in zip(low, high, strict=True))


def test_wanted_slices_and_regions_are_cut_in_any_plane(store_path: Path, unpack) -> None:
    shown = shown_of(store_path, rows_of(store_path).head(2))
    wants = (
        Wanted(1, "coronal", 3, None),
        Wanted(0, "sagittal", 30, Region(-10, -10, 10, 10)),
        Wanted(0, "axial", 99, None),
    )
    header, _ = unpack(answer(shown, request_of(shown, wants=wants, seq=8)))
    assert header["seq"] == 8
    assert "items" not in header
    whole, part, beside = header["slices"]
    assert (whole["panel"], whole["plane"], whole["rows"], whole["columns"]) == (1, "coronal", 32, 32)
    assert part["detail"]
    assert part["rows"] < 12
    assert "32 axial slices, and no slice 100" in beside["error"]


def test_a_point_on_the_screen_is_told_in_lps(store_path: Path) -> None:
    shown = shown_of(store_path, rows_of(store_path).head(2))
    found = clicked_lps(shown, request_of(shown, point=Point(1, (4.0, -2.0, 9.0), 1)))
    assert found is not None
    item, lps = found
    assert item == "case01/lesion"
    row = rows_of(store_path).iloc[1]
    centroid = np.array([row["centroid_x"], row["centroid_y"], row["centroid_z"]])
    assert np.array(lps) - centroid == pytest.approx([4.0, -2.0, 9.0])


def test_a_cohort_without_its_cts_shows_thumbnails_and_says_so(
    make_store: Callable[[Path, bool], Path], tmp_path: Path, unpack
) -> None:
    store = make_store(tmp_path / "moved.duckdb", False)
    rows = rows_of(store).head(2).assign(image_path="/not/mounted/ct.nii.gz")
    header, blobs = unpack(answer(shown_of(store, rows), None))
    assert header["slices"] == []
    for panel in header["panels"]:
        assert panel["kind"] == "thumbnail"
        assert blobs[panel["png"]].startswith(b"\x89PNG")
        assert panel["notes"][0].startswith("Stored thumbnail (lung window), because the CT cannot be read")
        assert "mounted/ct.nii.gz is not there" in panel["notes"][0]


def test_a_case_without_a_picture_says_so(store_path: Path, unpack) -> None:
    rows = rows_of(store_path).head(1).assign(image_path=None, item_id="elsewhere/volume")
    (panel,) = unpack(answer(shown_of(store_path, rows), None))[0]["panels"]
    assert panel["kind"] == "none"
    assert panel["notes"] == ["No picture: no CT is known for this case"]


def test_a_mask_that_cannot_be_read_costs_the_outline_alone(store_path: Path, unpack) -> None:
    rows = rows_of(store_path).head(1).assign(mask_path="/not/mounted/mask.nii.gz")
    header, _ = unpack(answer(shown_of(store_path, rows), None))
    (panel,) = header["panels"]
    assert panel["kind"] == "ct"
    assert panel["box"] is None
    assert any(note.startswith("No outline") for note in panel["notes"])
    assert header["slices"][0]["mask"] is None


def test_the_outline_is_that_of_the_label_of_the_case(store_path: Path, tmp_path: Path, unpack) -> None:
    row = rows_of(store_path).head(1)
    mask = sitk.ReadImage(row["mask_path"].item())
    drawn = sitk.GetArrayFromImage(mask).astype(np.uint8) * 2
    drawn[0] = 1
    labels = sitk.GetImageFromArray(drawn)
    labels.CopyInformation(mask)
    sitk.WriteImage(labels, str(tmp_path / "labels.nii.gz"))
    plain = unpack(answer(shown_of(store_path, row), None))
    several = row.assign(mask_path=str(tmp_path / "labels.nii.gz"))
    chosen = unpack(answer(shown_of(store_path, several.assign(mask_label="2")), None))
    (one,), (other,) = plain[0]["slices"], chosen[0]["slices"]
    assert chosen[1][other["mask"]] == plain[1][one["mask"]]
    refused, _ = unpack(answer(shown_of(store_path, several), None))
    assert any("No outline" in note and "contains 2 labels (1, 2)" in note for note in refused["panels"][0]["notes"])
    signatures = {shown_of(store_path, several.assign(mask_label=label)).signature for label in ("1", "2", None)}
    assert len(signatures) == 3


def test_what_should_be_known_of_a_mask_is_said_beside_its_outline(store_path: Path, tmp_path: Path, unpack) -> None:
    row = rows_of(store_path).head(1)
    mask = sitk.Expand(sitk.ReadImage(row["mask_path"].item()), (2, 2, 2), sitk.sitkNearestNeighbor)
    sitk.WriteImage(mask, str(tmp_path / "fine.nii.gz"))
    header, _ = unpack(answer(shown_of(store_path, row.assign(mask_path=str(tmp_path / "fine.nii.gz"))), None))
    (panel,) = header["panels"]
    assert panel["has_mask"]
    assert any(note.startswith("Outline: the mask is on another grid than its CT") for note in panel["notes"])


def test_other_panels_make_the_browser_forget(store_path: Path) -> None:
    rows = rows_of(store_path)
    first, second = shown_of(store_path, rows.head(2)), shown_of(store_path, rows.iloc[1:3])
    assert first.signature != second.signature
    assert first.signature == shown_of(store_path, rows.head(2)).signature


def test_a_click_on_the_lesion_lights_up_the_lesions_of_other_scans(store_path: Path, unpack) -> None:
    encoder = SetEncoder("flexict-nano", load_encoder("flexict-nano").weights_sha256, "pooled")
    shown = shown_of(store_path, rows_of(store_path).iloc[[2, 5]], encoder)
    asked = request_of(shown, map="similarity", point=Point(0, (0.0, 0.0, 0.0), 1))
    header, blobs = wait_for_map(shown, asked, unpack)
    grids = header["map"]["grids"]
    assert [one["panel"] for one in grids] == [0, 1]
    values = np.frombuffer(blobs[grids[0]["values"]], np.uint8).reshape(grids[0]["shape"][::-1])
    assert values[tuple(header["map"]["cell"][1:])] == 255
    for one in grids:
        cells = np.frombuffer(blobs[one["values"]], np.uint8).reshape(one["shape"][::-1])
        middles = [
            c + (np.arange(n) + 0.5) * mm for c, n, mm in zip(one["corner"], one["shape"], one["cell_mm"], strict=True)
        ]
        x, y, z = np.meshgrid(*middles, indexing="ij")
        distance = np.sqrt(x**2 + y**2 + z**2).transpose(2, 1, 0)
        assert cells[distance < 8].mean() > cells[distance > 20].mean() + 40
    again, _ = unpack(
        answer(shown, request_of(shown, map="similarity", point=asked.point, map_key=header["map"]["key"]))
    )
    assert again["map"]["same"]
    coloured, blobs = wait_for_map(shown, request_of(shown, map="pca"), unpack)
    first = coloured["map"]["grids"][0]
    assert len(blobs[first["values"]]) == 3 * np.prod(first["shape"])


def test_a_set_of_other_weights_gets_a_reason_in_place_of_a_map(store_path: Path, unpack) -> None:
    shown = shown_of(store_path, rows_of(store_path).head(1), SetEncoder("flexict-nano", "0" * 64, "pooled"))
    header, _ = wait_for_map(shown, request_of(shown, map="pca"), unpack)
    assert "differ from those of the set" in header["map"]["errors"][0]
    assert header["map"]["grids"] == []


def test_neither_slices_nor_maps_nor_clicks_read_a_scan_outside_the_data_roots(
    store_path: Path, tmp_path: Path, unpack, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    monkeypatch.setattr(scans, "read_scan", read.append)
    monkeypatch.setattr(scans, "read_noted_mask", read.append)
    rows = rows_of(store_path).head(2)
    link = tmp_path / "inside.nii.gz"
    link.symlink_to(rows.iloc[1]["image_path"])
    rows = rows.assign(image_path=[rows.iloc[0]["image_path"], str(link)])
    encoder = SetEncoder("flexict-nano", load_encoder("flexict-nano").weights_sha256, "pooled")
    shown = shown_of(store_path, rows, encoder, Settings(None, tmp_path, (tmp_path,)))
    assert [(one.image_path, one.mask_path) for one in shown.files] == [(None, None)] * 2
    asked = request_of(
        shown, map="similarity", point=Point(0, (0.0, 0.0, 0.0), 1), wants=(Wanted(0, "axial", 3, None),)
    )
    header, _ = wait_for_map(shown, asked, unpack)
    assert all("outside the data root" in one for one in header["map"]["errors"])
    assert "outside the data root" in header["slices"][0]["error"]
    assert all("outside the data root" in one["notes"][0] for one in unpack(answer(shown, None))[0]["panels"])
    assert clicked_lps(shown, asked) is None
    assert read == []


def test_a_mask_outside_the_data_roots_costs_the_outline_alone(
    store_path: Path, cohort_csv: Path, tmp_path: Path, unpack
) -> None:
    elsewhere = Path(shutil.copy(cohort_csv.parent / "case00_mask.nii.gz", tmp_path))
    rows = rows_of(store_path).head(1).assign(mask_path=str(elsewhere))
    shown = shown_of(store_path, rows, settings=Settings(None, cohort_csv.parent, (cohort_csv.parent,)))
    (panel,) = unpack(answer(shown, None))[0]["panels"]
    assert panel["kind"] == "ct"
    assert not panel["has_mask"]
    assert any("No outline" in note and "outside the data root" in note for note in panel["notes"])


def test_a_map_that_failed_is_computed_again_when_it_is_asked_for_and_not_by_every_request(
    store_path: Path, unpack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    weights = load_encoder("flexict-nano").weights_sha256
    shown = shown_of(store_path, rows_of(store_path).iloc[[7]], SetEncoder("flexict-nano", weights, "pooled"))
    right, tries = patch_encoder.crop_of, []

    def wrong_once(*arguments):
        tries.append(arguments)
        if len(tries) == 1:
            raise ValueError("a fault of the program")
        return right(*arguments)

    monkeypatch.setattr(patch_encoder, "crop_of", wrong_once)
    for _ in range(2):
        header, _ = wait_for_map(shown, request_of(shown, map="pca"), unpack)
        assert "an error of the program" in header["map"]["errors"][0]
        assert "ValueError: a fault of the program" in header["map"]["errors"][0]
    assert len(tries) == 1
    # The traceback is in the log, once.
    assert [one.exc_info is not None for one in caplog.records if "patch tokens" in one.message] == [True]
    for _ in range(2):
        header, _ = wait_for_map(shown, request_of(shown, map="pca", attempt=5), unpack)
        assert header["map"]["errors"] == [None]
        assert len(header["map"]["grids"]) == 1
    assert len(tries) == 2


def wait_for_map(shown: Shown, request: Request, unpack):
    """Ask as the browser does, until nothing is waited for."""
    while True:
        found = unpack(answer(shown, request))
        if not found[0]["map"]["waiting"]:
            return found
        time.sleep(0.1)
