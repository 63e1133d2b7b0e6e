"""From an uploaded CSV to the command that embeds it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from streamlit.testing.v1 import AppTest

from dashboard.components.cohort_form.uploads import keep_csv, safe_stem
from dashboard.session.settings import Settings

APP = Path(__file__).resolve().parents[3] / "dashboard" / "app.py"


def upload(settings: Settings, name: str, content: bytes) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = dataclasses.replace(settings, cohort=None)
    app.run()
    app.file_uploader[0].set_value((name, content, "text/csv")).run()
    assert not app.exception, app.exception
    return app


def metrics(app: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in app.metric}


def test_a_good_csv_is_counted_and_its_command_shown(settings: Settings, cohort_csv: Path) -> None:
    app = upload(settings, "my cohort.csv", cohort_csv.read_bytes())
    assert metrics(app) == {"Rows": "42", "Scans to embed": "42", "Patients": "36", "Rows with errors": "0"}
    command = app.code[0].value
    assert command.startswith("python -m embeddings embed ")
    assert "--encoder flexict-nano --view lesion" in command
    assert str(cohort_csv.parent) in command


def test_bad_rows_are_shown_with_their_number_and_reason(settings: Settings, cohort_csv: Path) -> None:
    text = (
        cohort_csv.read_text(encoding="utf-8")
        .replace("case03.nii.gz", "gone.nii.gz")
        .replace("case05.nii.gz", "../../etc/passwd")
    )
    app = upload(settings, "cohort.csv", text.encode())
    problems = app.dataframe[0].value
    assert {5, 7} <= set(problems["Row"])
    assert "outside the data root" in " ".join(problems["What is wrong"])
    assert metrics(app)["Scans to embed"] == "40"


def test_unknown_headers_can_be_mapped(settings: Settings, cohort_csv: Path) -> None:
    text = cohort_csv.read_text(encoding="utf-8").replace("image_path", "where_it_lies", 1)
    app = upload(settings, "cohort.csv", text.encode())
    assert metrics(app)["Scans to embed"] == "0"
    image = next(s for s in app.selectbox if s.label.startswith("CT file"))
    image.select("where_it_lies").run()
    assert metrics(app)["Scans to embed"] == "42"
    assert "--map image_path=where_it_lies" in app.code[0].value


def test_lesions_are_embedded_once_their_column_is_mapped(settings: Settings, cohort_csv: Path) -> None:
    text = cohort_csv.read_text(encoding="utf-8").replace("mask_path", "outline", 1)
    app = upload(settings, "cohort.csv", text.encode())
    assert "--view volume" in app.code[0].value
    mask = next(s for s in app.selectbox if s.label == "Lesion mask")
    mask.select("outline").run()
    assert "--view lesion" in app.code[0].value


def test_empty_masks_and_masks_of_several_labels_are_found_on_upload(settings: Settings, cohort_csv: Path) -> None:
    folder = cohort_csv.parent
    mask = sitk.ReadImage(str(folder / "case01_mask.nii.gz"))
    drawn = sitk.GetArrayFromImage(mask).astype(np.uint8)
    for name, array in (("empty", drawn * 0), ("labels", np.where(drawn > 0, 2, np.arange(drawn.shape[2]) % 2))):
        image = sitk.GetImageFromArray(array.astype(np.uint8))
        image.CopyInformation(mask)
        sitk.WriteImage(image, str(folder / f"{name}_mask.nii.gz"))
    text = (
        cohort_csv.read_text(encoding="utf-8")
        .replace("case01_mask", "labels_mask")
        .replace("case02_mask", "empty_mask")
    )
    app = upload(settings, "cohort.csv", text.encode())
    assert metrics(app)["Rows with errors"] == "2"
    said = " ".join(app.dataframe[0].value["What is wrong"])
    assert "contains 2 labels (1, 2)" in said
    assert "mask without voxels" in said
    app.text_input(key="new.mask_label").set_value("2").run()
    assert "--mask-label=2" in app.code[0].value
    assert "contains 2 labels" not in " ".join(app.dataframe[0].value["What is wrong"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + bytes(200), "cohort.csv"),
        (b"", "cohort.csv"),
        (bytes(range(256)) * 20, "cohort.csv"),
    ],
)
def test_a_file_that_is_no_csv_gives_one_sentence(settings: Settings, content: bytes, words: str) -> None:
    app = upload(settings, "cohort.csv", content)
    assert len(app.error) == 1
    assert words in app.error[0].value


def test_a_folder_outside_the_data_root_is_refused_with_the_way_out(settings: Settings, cohort_csv: Path) -> None:
    app = upload(settings, "cohort.csv", cohort_csv.read_bytes())
    app.text_input(key="new.folder").set_value("/usr").run()
    assert "--data-root /usr" in app.error[0].value


def test_uploads_are_kept_under_their_content_never_under_the_name_sent(tmp_path: Path) -> None:
    path = keep_csv("../../../evil;rm -rf.csv", b"a,b\n", tmp_path)
    assert path.is_relative_to(tmp_path)
    assert path.name == "evil-rm-rf.csv"
    assert keep_csv("other.csv", b"a,c\n", tmp_path).parent != path.parent


def test_an_oversized_upload_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="may have at most 50 MB"):
        keep_csv("big.csv", bytes(50_000_001), tmp_path)


def test_a_name_of_nothing_but_signs_still_makes_a_file() -> None:
    assert safe_stem("....csv") == "cohort"
