"""Bad input gives a clear message on the page, and the app lives on."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.session.settings import Settings
from embeddings.store.schema import SCHEMA_VERSION
from tests.dashboard.app_session import open_app

PAGES = ("map", "gradient", "audit", "trajectory", "probes", "survival", "neighbours", "search", "lookup", "report")


def upload(settings: Settings, content: bytes, name: str = "cohort.csv") -> AppTest:
    app = open_app(settings)
    app.file_uploader[0].set_value((name, content, "text/csv")).run()
    assert not app.exception, app.exception
    return app


def rows_usable(app: AppTest) -> int:
    return int({m.label: m.value for m in app.metric}["Scans to embed"])


# CSVs


def test_a_csv_beyond_the_limit_is_refused_with_its_size(settings: Settings) -> None:
    app = upload(settings, b"image_path,stage\n" + b"a.nii.gz,T1\n" * 4_200_000)
    assert "cohort.csv has 50 MB; a cohort CSV may have at most 50 MB" in app.error[0].value


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.replace("other", "andere Größe").encode("latin-1"),
        lambda text: text.replace(",", ";").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
    ],
    ids=["Latin-1", "semicolons", "byte-order mark", "Windows line ends"],
)
def test_a_csv_as_other_programs_write_it_is_read(
    settings: Settings, cohort_csv: Path, written: Callable[[str], bytes]
) -> None:
    app = upload(settings, written(cohort_csv.read_text(encoding="utf-8")))
    assert not app.error
    assert rows_usable(app) == 42
    # The form offers the columns as the reader of the job sees them.
    assert app.selectbox(key=next(s.key for s in app.selectbox if s.label == "Stage or grade")).value == "t_stage"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image_path,stage\na.nii.gz,T1\n".encode("utf-16"), "is UTF-16 text: save it as CSV"),
        (b"", "is empty"),
        (b"   \n\n", "is empty"),
        (b"image_path,age,age\na.nii.gz,3,4\n", "has two columns named 'age': rename one"),
        (b"image_path,stage\n", "has a header but no rows"),
        (b"only\none\n", "has a single column"),
    ],
)
def test_a_csv_that_cannot_be_read_says_why(settings: Settings, content: bytes, words: str) -> None:
    app = upload(settings, content)
    assert len(app.error) == 1
    assert words in app.error[0].value
    # The next file is read as if nothing had been.
    app.file_uploader[0].set_value(("good.csv", b"image_path,stage\nnone.nii.gz,T1\n", "text/csv")).run()
    assert not app.exception
    assert not app.error


def role(app: AppTest, words: str):  # type: ignore[no-untyped-def]
    return next(s for s in app.selectbox if s.label.startswith(words))


def test_an_image_column_that_holds_ages_leaves_no_scan_and_says_why(settings: Settings, cohort_csv: Path) -> None:
    app = upload(settings, cohort_csv.read_bytes())
    role(app, "CT file").select("age").run()
    assert not app.exception
    assert rows_usable(app) == 0
    assert not [b for b in app.button if b.key == "new.start"]
    assert "does not exist" in " ".join(app.dataframe[0].value["What is wrong"])
    role(app, "CT file").select("image_path").run()
    assert rows_usable(app) == 42


def test_two_roles_for_one_column_are_refused_and_can_be_mended(settings: Settings, cohort_csv: Path) -> None:
    app = upload(settings, cohort_csv.read_bytes())
    role(app, "CT file").select("age").run()
    role(app, "Stage").select("age").run()
    assert "column 'age' is mapped to both" in app.error[0].value
    role(app, "CT file").select("image_path").run()
    assert not app.error
    assert not app.exception


# Cohort files


def newer(path: Path) -> None:
    with duckdb.connect(path) as con:
        con.execute("UPDATE schema_version SET version = ?", [SCHEMA_VERSION + 1])


def half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def text_file(path: Path) -> None:
    path.write_text("case_id,stage\na,T1\n" * 500, encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (newer, "newer version of this program"),
        (half, "copied only in part"),
        (text_file, "is not a DuckDB file"),
        (Path.unlink, "there is no file"),
    ],
    ids=["newer", "half", "text", "deleted"],
)
def test_a_cohort_file_that_goes_bad_while_open_is_one_message_on_every_page(
    settings: Settings, store_path: Path, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    path = Path(shutil.copy(store_path, tmp_path / "cohort.duckdb"))
    app = open_app(settings, path)
    app.switch_page("screens/neighbours.py").run()
    assert not app.error
    spoil(path)
    for page in PAGES:
        app.switch_page(f"screens/{page}.py").run()
        assert not app.exception, (page, app.exception)
        assert len(app.error) == 1, page
        assert words in app.error[0].value, page
    app.switch_page("screens/cohort.py").run()
    assert words in app.error[0].value
    # Back in place, all is as before.
    shutil.copy(store_path, path)
    app.switch_page("screens/neighbours.py").run()
    assert not app.error
    assert not app.exception


def sent_to_viewer(app: AppTest) -> str:
    """What the page sends to its components in the browser, as far as it is text."""
    return "".join(one.proto.bytes.decode("utf-8", "replace") for one in app.get("bidi_component"))


def test_pages_work_from_the_stored_pictures_while_the_folder_of_the_cts_is_away(
    settings: Settings, make_store: Callable[[Path, bool], Path], tmp_path: Path, cohort_csv: Path
) -> None:
    path = make_store(tmp_path / "moved.duckdb", False)
    app = open_app(settings, path)
    away = cohort_csv.parent.with_name("renamed")
    cohort_csv.parent.rename(away)
    try:
        for page in ("map", "gradient", "neighbours", "search"):
            app.switch_page(f"screens/{page}.py").run()
            assert not app.exception, page
            assert not app.error, page
        app.switch_page("screens/neighbours.py").run()
        assert "Stored thumbnail" in sent_to_viewer(app)
    finally:
        away.rename(cohort_csv.parent)


def test_a_ct_outside_the_data_root_is_not_read_whatever_the_cohort_file_says(
    settings: Settings, make_store: Callable[[Path, bool], Path], tmp_path: Path
) -> None:
    path = make_store(tmp_path / "mailed.duckdb", False)
    elsewhere = dataclasses.replace(settings, data_roots=(tmp_path / "other",))
    app = open_app(elsewhere, path)
    app.switch_page("screens/neighbours.py").run()
    assert not app.exception
    assert "is outside the data root" in sent_to_viewer(app)


def test_a_row_that_leads_into_another_persons_folder_is_refused(
    settings: Settings, cohort_csv: Path, tmp_path: Path
) -> None:
    everybody = cohort_csv.parent / "workspace"
    mine, theirs = everybody / "people" / "mine", everybody / "people" / "theirs"
    for folder in (mine, theirs):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(cohort_csv.parent / "case00.nii.gz", theirs / "ct.nii.gz")
    own = dataclasses.replace(settings, workspace=mine, workspaces=everybody)
    try:
        app = upload(own, b"case_id,image_path\na,workspace/people/theirs/ct.nii.gz\n")
        assert "this app may not read" in app.error[0].value
        assert not [b for b in app.button if b.key == "new.start"]
    finally:
        shutil.rmtree(everybody)
