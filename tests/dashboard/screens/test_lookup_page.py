"""The page Look up a CT: seen first, embedded as the set was, compared, and deleted."""

from __future__ import annotations

import dataclasses
import functools
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
import SimpleITK as sitk
from streamlit.testing.v1 import AppTest, local_script_runner

from dashboard.session.settings import Settings
from embeddings import job
from embeddings.job.one_scan import Scan, embed_scan, open_encoder_of, recipe_of
from embeddings.job.planning.views import JobError
from embeddings.store.store import Store
from flexict import Volume
from tests.dashboard.components.viewer.conftest import unpack_message
from tests.embeddings.dicom_files import write_ct_series

APP = Path(__file__).resolve().parents[3] / "dashboard" / "app.py"
DROPPED = "lookup.dropped"
N_EMBEDDED = 5


@pytest.fixture(scope="module")
def embedded(cohort_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five cases of the test cohort in every view and both kinds of lesion crop, by the bundled encoder."""
    path = tmp_path_factory.mktemp("embedded") / "c.duckdb"
    for view, preset in (("lesion", "lesion_mask"), ("lesion", "lesion_seed"), ("volume", None), ("slices", None)):
        job.run(cohort_csv, path, encoder="flexict-nano", view=view, preset=preset, slice_step=8, limit=N_EMBEDDED)
    return path


def set_of(path: Path, preset: str) -> dict[str, object]:
    sets = Store(path).sets()
    row = sets[sets["preset"].str.startswith(preset)].iloc[0]
    return {str(name): value for name, value in row.items()}


def open_page(settings: Settings, cohort: Path, preset: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = dataclasses.replace(settings, cohort=cohort)
    app.session_state["shared.cohort"] = cohort
    app.session_state["shared.set"] = set_of(cohort, preset)["set_id"]
    app.run()
    app.switch_page("screens/lookup.py").run()
    assert not app.exception, app.exception
    return app


def drop(app: AppTest, key: str, file: Path) -> None:
    app.file_uploader(key=key).set_value((file.name, file.read_bytes(), "application/octet-stream")).run()
    assert not app.exception, app.exception


def find(app: AppTest) -> AppTest:
    """Press the button; the page waits for the look-up."""
    app.button(key="lookup.go").click().run()
    assert not app.exception, app.exception
    return app


def centres(app: AppTest) -> list[list[float]]:
    """Where the viewer of the result opens each panel, as index x, y, z: the looked-up scan, then the found ones."""
    messages = [unpack_message(one.proto.bytes)[0] for one in app.get("bidi_component") if one.proto.bytes]
    panels: list[dict[str, Any]] = messages[-1]["panels"]
    return [panel["centre"] for panel in panels]


@pytest.mark.parametrize("preset", ["lesion_mask", "lesion_seed", "default", "slice"])
def test_a_scan_of_the_cohort_gets_the_vector_that_its_set_holds(embedded: Path, cohort_csv: Path, preset: str) -> None:
    chosen = set_of(embedded, preset)
    recipe = recipe_of(chosen, slice_step=8)
    scan = Scan(cohort_csv.parent / "case02.nii.gz", cohort_csv.parent / "case02_mask.nii.gz")
    vector = embed_scan(scan, open_encoder_of(chosen, recipe), recipe)
    frame, vectors = Store(embedded).table(str(chosen["set_id"]))
    stored = vectors[(frame["case_id"] == "case02").to_numpy()].mean(axis=0)
    cosine = vector @ stored / np.linalg.norm(vector) / np.linalg.norm(stored)
    assert cosine > 0.99999


def test_a_scan_of_the_cohort_finds_itself_first(settings: Settings, embedded: Path, cohort_csv: Path) -> None:
    before = embedded.read_bytes()
    app = open_page(settings, embedded, "lesion_mask")
    drop(app, "lookup.ct", cohort_csv.parent / "case03.nii.gz")
    assert "Upload a mask too" in app.info[0].value
    drop(app, "lookup.mask_file", cohort_csv.parent / "case03_mask.nii.gz")
    assert any("What the encoder will see" in m.value for m in app.markdown)
    find(app)
    table = app.dataframe[0].value
    assert table["case_id"].tolist()[0] == "case03"
    assert table["cosine"].tolist()[0] > 0.99999
    assert len(table) == N_EMBEDDED
    assert any("is in the cohort as case03" in m.value for m in app.markdown)
    opened = centres(app)
    assert len(opened) > 1
    assert opened[0] == opened[1]
    # The ball's middle; that of the scan is 15.5.
    assert opened[0] == pytest.approx([16, 16, 16], abs=0.1)
    assert embedded.read_bytes() == before


def test_a_mask_is_taken_where_it_arrives_with_a_request_of_the_viewer(
    settings: Settings, embedded: Path, cohort_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(settings, embedded, "lesion_mask")
    drop(app, "lookup.ct", cohort_csv.parent / "case03.nii.gz")
    # What the browser sends within one turn becomes one request, and that of a fragment where any of it is one's.
    of_fragment = functools.partial(local_script_runner.RerunData, fragment_id="that of the viewer")
    monkeypatch.setattr(local_script_runner, "RerunData", of_fragment)
    drop(app, "lookup.mask_file", cohort_csv.parent / "case03_mask.nii.gz")
    assert any("What the encoder will see" in m.value for m in app.markdown)
    assert app.session_state[DROPPED].mask is not None


def test_a_mask_is_taken_for_the_ct_that_stayed_over_a_visit_to_another_page(
    settings: Settings, embedded: Path, cohort_csv: Path
) -> None:
    app = open_page(settings, embedded, "lesion_mask")
    drop(app, "lookup.ct", cohort_csv.parent / "case03.nii.gz")
    app.switch_page("screens/map.py").run()
    app.switch_page("screens/lookup.py").run()
    assert "Upload a mask too" in app.info[0].value
    drop(app, "lookup.mask_file", cohort_csv.parent / "case03_mask.nii.gz")
    assert any("What the encoder will see" in m.value for m in app.markdown)


def test_without_a_lesion_all_scans_open_at_their_middle(settings: Settings, embedded: Path, cohort_csv: Path) -> None:
    app = open_page(settings, embedded, "default")
    drop(app, "lookup.ct", cohort_csv.parent / "case03.nii.gz")
    find(app)
    opened = centres(app)
    assert len(opened) > 1
    assert opened == [[15.5, 15.5, 15.5]] * len(opened)
    assert any("opens at its middle slice" in c.value for c in app.caption)


def test_a_lesion_can_be_marked_by_a_point(settings: Settings, embedded: Path, cohort_csv: Path) -> None:
    app = open_page(settings, embedded, "lesion_seed")
    drop(app, "lookup.ct", cohort_csv.parent / "case01.nii.gz")
    axes = {n.label: n for n in app.number_input if n.label.endswith("(mm)")}
    assert set(axes) == {"x (mm)", "y (mm)", "z (mm)"}
    for axis in axes.values():
        axis.set_value(48.0)
    assert not [b for b in app.button if b.key == "lookup.go"]
    app.run()
    # The viewer shows the crop round the point before anything is embedded.
    sent = "".join(one.proto.bytes.decode("utf-8", "replace") for one in app.get("bidi_component"))
    assert "uploaded CT at 48.0, 48.0, 48.0 mm" in sent
    assert '"box":[' in sent.replace(" ", "")
    find(app)
    assert app.dataframe[0].value["case_id"].tolist()[0] == "case01"


def test_the_ct_stays_over_a_visit_to_another_page_and_is_deleted_when_asked(
    settings: Settings, embedded: Path, cohort_csv: Path
) -> None:
    app = open_page(settings, embedded, "default")
    drop(app, "lookup.ct", cohort_csv.parent / "case01.nii.gz")
    image = app.session_state[DROPPED].image
    assert image.is_relative_to(settings.workspace)
    app.switch_page("screens/map.py").run()
    app.switch_page("screens/lookup.py").run()
    assert app.session_state[DROPPED].image == image
    assert image.exists()
    app.button(key="lookup.delete").click().run()
    assert not image.parent.exists()
    assert app.session_state[DROPPED].image is None
    assert "deleted" in app.success[0].value


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ct.nii.gz", b"no image" * 100, "ct.nii.gz"),
        ("ct.nrrd", b"", "empty"),
        ("ct.zip", b"no zip", "cannot be unpacked"),
        ("ct.gz", b"x", "save it as one of these"),
    ],
)
def test_a_file_that_is_no_ct_is_a_message_and_the_next_one_works(
    settings: Settings, embedded: Path, cohort_csv: Path, name: str, content: bytes, words: str
) -> None:
    app = open_page(settings, embedded, "default")
    app.file_uploader(key="lookup.ct").set_value((name, content, "application/octet-stream")).run()
    assert not app.exception
    assert words in app.error[0].value
    drop(app, "lookup.ct", cohort_csv.parent / "case01.nii.gz")
    assert not app.error


def test_how_a_series_was_read_and_what_is_doubted_is_said(settings: Settings, embedded: Path, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(-900, 200, (6, 16, 16)).astype(np.int16)
    array[2, 0, :3] = 30_000
    folder = write_ct_series(tmp_path / "ct", Volume(array, (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), np.eye(3)))
    shutil.copy(folder / "001.dcm", folder / "copy1.dcm")
    app = open_page(settings, embedded, "default")
    drop(app, "lookup.ct", Path(shutil.make_archive(str(tmp_path / "series"), "zip", folder)))
    assert "1 of its files is a copy of another: each slice is read once" in [info.value for info in app.info]
    (warning,) = [one.value for one in app.warning if "may not be in HU" in one.value]
    assert "with 3 voxels above 20,000 HU" in warning


def test_a_mask_beside_its_ct_is_a_message(settings: Settings, embedded: Path, cohort_csv: Path) -> None:
    app = open_page(settings, embedded, "lesion_mask")
    mask = sitk.ReadImage(str(cohort_csv.parent / "case01_mask.nii.gz"))
    moved = settings.workspace.parent / "moved.nii.gz"
    mask.SetOrigin((5000.0, 0.0, 0.0))
    sitk.WriteImage(mask, str(moved))
    drop(app, "lookup.ct", cohort_csv.parent / "case01.nii.gz")
    drop(app, "lookup.mask_file", moved)
    assert "lies outside its CT" in app.error[0].value


def test_of_a_mask_with_several_labels_the_lesion_is_asked_for(
    settings: Settings, embedded: Path, cohort_csv: Path
) -> None:
    app = open_page(settings, embedded, "lesion_mask")
    mask = sitk.ReadImage(str(cohort_csv.parent / "case03_mask.nii.gz"))
    drawn = sitk.GetArrayFromImage(mask).astype(np.uint8) * 2
    drawn[0, 0] = 1
    labels = sitk.GetImageFromArray(drawn)
    labels.CopyInformation(mask)
    path = settings.workspace.parent / "labels.nii.gz"
    sitk.WriteImage(labels, str(path))
    drop(app, "lookup.ct", cohort_csv.parent / "case03.nii.gz")
    drop(app, "lookup.mask_file", path)
    assert "contains 2 labels (1, 2)" in app.error[0].value
    next(one for one in app.text_input if one.label.startswith("Label of the lesion")).set_value("2.0").run()
    assert not app.error
    find(app)
    table = app.dataframe[0].value
    assert table["case_id"].tolist()[0] == "case03"
    assert table["cosine"].tolist()[0] > 0.99999


def test_a_set_of_other_weights_is_refused_by_the_look_up(
    settings: Settings, embedded: Path, cohort_csv: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(embedded, tmp_path / "other.duckdb"))
    with duckdb.connect(path) as con:
        con.execute("UPDATE embedding_sets SET weights_sha256 = ?", ["0" * 64])
    app = open_page(settings, path, "default")
    drop(app, "lookup.ct", cohort_csv.parent / "case01.nii.gz")
    find(app)
    assert "are not those of the set" in app.error[0].value


def test_a_set_of_another_code_version_or_made_elsewhere_is_refused_before_anything_is_dropped(
    settings: Settings, embedded: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(embedded, tmp_path / "old.duckdb"))
    with duckdb.connect(path) as con:
        con.execute("UPDATE embedding_sets SET code_version = '0'")
    app = open_page(settings, path, "default")
    assert "version 0 of the embedding code" in app.info[0].value
    assert not app.file_uploader
    with pytest.raises(JobError, match="not made by this program"):
        recipe_of({**set_of(embedded, "default"), "preset": "imported"})
