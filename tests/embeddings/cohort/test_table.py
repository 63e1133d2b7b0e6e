"""Files that are and are not a CSV, and the types of their columns."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.cohort.columns import find_columns, parse_number, typed
from embeddings.cohort.read import CohortError, read_cohort
from embeddings.cohort.table import read_table

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), max_size=8)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 rest of an xlsx", "a spreadsheet or zip archive, not a CSV: save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0 rest of an xls", "an old Excel file"),
        (b"case,image\na\0b,c\n", "a binary file"),
        ("case,image\na,b\n".encode("utf-16"), "UTF-16"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"just some text\nand more\n", "single column"),
        (b"case,image\n", "no rows"),
        (b";;;\n;;\n", "has only empty cells: give a CSV with a header row"),
        (b"sep=;\n", "single column"),
        (b"sep=;\n;;\n", "has only empty cells"),
        (b"case,case,image\na,b,c\n", "two columns named 'case'"),
        (b"NSCLC-000,61,a.nii.gz\nNSCLC-001,62,b.nii.gz\n", "no header"),
        (b"case,image\na,b\n" * 30, "more than 50 rows"),
    ],
)
def test_a_file_that_is_not_a_cohort_is_refused_in_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "cohort.csv").write_bytes(content)
    with pytest.raises(CohortError, match=said) as caught:
        read_cohort(tmp_path / "cohort.csv", max_rows=50)
    assert "cohort.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="does not exist"):
        read_cohort(tmp_path / "no.csv")
    with pytest.raises(CohortError, match="is a folder"):
        read_cohort(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_byte_order_marks_are_recognised(tmp_path: Path, delimiter: str, encoding: str) -> None:
    text = delimiter.join(("case", "name")) + "\r\n" + delimiter.join(("1", "Zoë")) + "\r\n"
    (tmp_path / "c.csv").write_bytes(text.encode(encoding))
    table = read_table(tmp_path / "c.csv", 10)
    assert table.header == ["case", "name"]
    assert table.rows == [(2, ["1", "Zoë"])]
    assert table.notes == []


def test_quotes_and_dashes_of_windows_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes("case,name\n1,St. Mary’s – Zoë\n2,\n".encode("cp1252"))
    assert read_table(tmp_path / "c.csv", 50).rows[0][1] == ["1", "St. Mary’s – Zoë"]
    (tmp_path / "c.csv").write_bytes(b"case,name\n1,Zo\xeb \x81\n")  # no character of Windows-1252
    assert read_table(tmp_path / "c.csv", 50).rows[0][1] == ["1", "Zoë \x81"]


def test_latin_1_is_read_and_noted(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes("case,name\n1,Zoë\n".encode("latin-1"))
    table = read_table(tmp_path / "c.csv", 10)
    assert table.rows == [(2, ["1", "Zoë"])]
    assert "Latin-1" in table.notes[0]


def test_empty_unnamed_columns_are_dropped_and_others_get_a_name(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(",case,,\n0,a,,\n1,b,,\n")
    table = read_table(tmp_path / "c.csv", 10)
    assert table.header == ["column 1", "case"]
    assert [cells for _, cells in table.rows] == [["0", "a"], ["1", "b"]]
    assert table.ragged == {}


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;\r", "sep=;;;"])
def test_the_excel_delimiter_line_is_not_the_header(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.csv").write_text(f"{line}\ncase;image, CT;age\na;b,c;61,5\n")
    table = read_table(tmp_path / "c.csv", 10)
    assert table.header == ["case", "image, CT", "age"]
    assert table.rows == [(2, ["a", "b,c", "61,5"])]
    assert table.decimal_comma


def test_a_declared_delimiter_that_no_line_has_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("sep=;\ncase,image\na,b\n")
    assert read_table(tmp_path / "c.csv", 10).header == ["case", "image"]


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6))
def test_any_cells_survive_the_file(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("one", "two", "three"), *(("x", *row[1:]) for row in rows)])
    read = [cells for _, cells in read_table(path, 100).rows]
    assert read == [["x", b.strip(), c.strip()] for _, b, c in rows]


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        (["1", "", "3"], "integer", [1, None, 3]),
        (["1", "2.5", "NA"], "number", [1.0, 2.5, None]),
        (["1e3", "-.5", "nan"], "number", [1000.0, -0.5, None]),
        (["20", "not_applicable", "17"], "integer", [20, None, 17]),
        (["True", "no", ""], "boolean", [True, False, None]),
        (["01", "02", "10"], "text", ["01", "02", "10"]),
        ([">=90", "56"], "text", [">=90", "56"]),
        (["unknown", "male"], "text", [None, "male"]),
        (["Unknown", "'--"], "empty", [None, None]),
        (["1_000", "2"], "text", ["1_000", "2"]),
        (["inf", "2"], "text", ["inf", "2"]),
        (["٣", "2"], "text", ["٣", "2"]),
        (["1e999", "2"], "text", ["1e999", "2"]),
        (["", "NA"], "empty", [None, None]),
    ],
)
def test_a_column_has_a_type_if_every_value_has(values: list[str], kind: str, read: list[object]) -> None:
    assert typed(values) == (read, kind)
    assert [type(v) for v in typed(values)[0]] == [type(v) for v in read]


def test_a_decimal_comma_is_read_unless_the_comma_is_the_delimiter(tmp_path: Path) -> None:
    assert parse_number("3,5") is None
    assert parse_number("3,5", decimal_comma=True) == 3.5
    (tmp_path / "c.csv").write_text("case;patient;image;age\na;P;no.nii;61,5\n")
    report = read_cohort(tmp_path / "c.csv")
    assert report.covariate_types == {"age": "number"}


@pytest.mark.parametrize(
    ("header", "role", "column"),
    [
        ("Case ID", "case_id", "Case ID"),
        ("PatientID", "patient_id", "PatientID"),
        ("SUBJECT", "patient_id", "SUBJECT"),
        ("scan", "image_path", "scan"),
        ("Tumour Mask", "mask_path", "Tumour Mask"),
        ("coordY", "seed_y", "coordY"),
        ("Pathological T stage", "stage", "Pathological T stage"),
        ("tumor_isup_grade", "stage", "tumor_isup_grade"),
    ],
)
def test_header_spellings_are_recognised(header: str, role: str, column: str) -> None:
    assert find_columns(["something", header])[0] == {role: column}


def test_the_stage_column_of_highest_priority_is_used_and_noted() -> None:
    columns, notes = find_columns(["isup", "clinical_stage", "t_stage", "Pathological T stage"])
    assert columns == {"stage": "Pathological T stage"}
    assert "'t_stage', 'clinical_stage', 'isup'" in notes[0]


def test_an_impossible_mapping_is_refused_with_its_names(tmp_path: Path) -> None:
    header = ["case", "patient", "image"]
    with pytest.raises(ValueError, match="unknown role 'colour'"):
        find_columns(header, {"colour": "case"})
    with pytest.raises(ValueError, match="no column 'ct' for image_path: columns are case, patient, image"):
        find_columns(header, {"image_path": "ct"})
    with pytest.raises(ValueError, match="both image_path and mask_path"):
        find_columns(header, {"image_path": "image", "mask_path": "image"})
    columns, _ = find_columns(header, {"case_id": "patient", "patient_id": "patient"})
    assert columns == {"case_id": "patient", "patient_id": "patient", "image_path": "image"}
