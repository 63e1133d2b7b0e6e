"""The CSV contract: every bad row is reported, every good one is ready to embed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from embeddings.cohort.read import CohortReport, read_cohort, validate_text


def write_volume(path: Path, shape: tuple[int, ...] = (4, 5, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.arange(np.prod(shape)).reshape(shape).astype(np.int16))
    image.SetSpacing((1.0, 1.0, 2.0))
    sitk.WriteImage(image, str(path))


def write_mask(
    path: Path, shape: tuple[int, ...] = (4, 5, 6), start: float = 0.0, labels: tuple[int, ...] = (1,)
) -> None:
    """A mask with one voxel of each label, whose first voxel lies at x = `start`."""
    array = np.zeros(shape, np.uint8)
    array[1, 1, : len(labels)] = labels
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetOrigin((start, 0.0, 0.0))
    sitk.WriteImage(image, str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three scans `a`, `b`, `c`, a mask for `a` and one that lies beside them."""
    for name in "abc":
        write_volume(tmp_path / f"{name}.nii.gz")
    write_mask(tmp_path / "a_mask.nii.gz")
    write_mask(tmp_path / "other_mask.nii.gz", shape=(4, 5, 7), start=500.0)
    return tmp_path


def cohort(folder: Path, *lines: str, **options: Any) -> CohortReport:
    (folder / "cohort.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_cohort(folder / "cohort.csv", **options)


def errors(report: CohortReport) -> list[tuple[int | None, str | None, str]]:
    return [(p.row, p.column, p.reason) for p in report.problems if p.severity == "error"]


def warnings(report: CohortReport) -> list[str]:
    return [p.reason for p in report.problems if p.severity == "warning"]


def test_a_good_cohort_is_read_completely(folder: Path) -> None:
    report = cohort(
        folder,
        "Case ID,Subject,CT path,GTV,pT,coordX,coordY,coordZ,Age,Smoker,Site",
        "a1,P1,a.nii.gz,a_mask.nii.gz,pT1a,,,,61,yes,007",
        f"b1,P1,{folder / 'b.nii.gz'},,T2,1.5,2,3e0,,no,012",
        "c1,P2,./c.nii.gz,NA,TX,,,,70.5,,012",
    )
    assert report.ok
    assert report.problems == ()
    a, b, c = report.cases
    assert (a.row, a.case_id, a.patient_id, a.stage) == (2, "a1", "P1", "T1a")
    assert a.image_path == (folder / "a.nii.gz").resolve()
    assert a.mask_path == (folder / "a_mask.nii.gz").resolve()
    assert (b.seed_lps, b.mask_path, b.image_path) == ((1.5, 2.0, 3.0), None, (folder / "b.nii.gz").resolve())
    assert (c.stage, c.seed_lps) == (None, None)
    assert [case.covariates for case in report.cases] == [
        {"Age": 61.0, "Smoker": True, "Site": "007"},
        {"Age": None, "Smoker": False, "Site": "012"},
        {"Age": 70.5, "Smoker": None, "Site": "012"},
    ]
    assert report.covariate_types == {"Age": "number", "Smoker": "boolean", "Site": "text"}
    assert report.stage_order == ("T1a", "T2")
    assert report.columns["stage"] == "pT"


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("x,P,no.nii.gz,,T1,,,", "image_path", "no.nii.gz does not exist"),
        ("x,P,,,T1,,,", "image_path", "no image"),
        ("x,P,cohort.csv,,T1,,,", "image_path", "is not a CT"),
        ("x,P,text.nii.gz,,T1,,,", "image_path", "not a NIfTI image"),
        ("x,P,../cohort/../../etc/hostname,,T1,,,", "image_path", "outside the data root"),
        ("x,P,/etc/hostname,,T1,,,", "image_path", "outside the data root"),
        ("x,P,link.nii.gz,,T1,,,", "image_path", "outside the data root"),
        ("x,P,linked/d.nii.gz,,T1,,,", "image_path", "outside the data root"),
        ("x,P,series,,T1,,,", "image_path", "links outside the data root"),
        ("x,P,b.nii.gz,no_mask.nii.gz,T1,,,", "mask_path", "no_mask.nii.gz does not exist"),
        ("x,P,b.nii.gz,other_mask.nii.gz,T1,,,", "mask_path", "7 x 5 x 4 voxels of .* against 6 x 5 x 4"),
        ("x,,b.nii.gz,,T1,,,", "patient_id", "no patient"),
        ("x,unknown,b.nii.gz,,T1,,,", "patient_id", "no patient"),
        (",P,b.nii.gz,,T1,,,", "case_id", "no case id"),
        ("a1,P,b.nii.gz,,T1,,,", "case_id", "'a1' is already in row 2"),
        ("a/b,P,b.nii.gz,,T1,,,", "case_id", "slash"),
        ("..,P,b.nii.gz,,T1,,,", "case_id", "slash or is a path"),
        ("a\x1b[31mb,P,b.nii.gz,,T1,,,", "case_id", "control characters"),
        ("a\u202eb,P,b.nii.gz,,T1,,,", "case_id", "control characters"),
        ("a" * 201 + ",P,b.nii.gz,,T1,,,", "case_id", "201 characters"),
        ("x,P,b.nii.gz,,T1,1,2,", "seed_x", "incomplete seed, seed_z is empty"),
        ("x,P,b.nii.gz,,T1,1,two,3", "seed_y", "'two' is not a number"),
        ("x,P,b.nii.gz,,T1,1,nan,3", "seed_x", "incomplete seed, seed_y is empty"),
        ("x,P,b.nii.gz,,T1,1,inf,3", "seed_y", "'inf' is not a number"),
        ("x,P,b.nii.gz,,T1,1,-2,3", "seed_x", "outside the image"),
        ("x,P,a.nii.gz,,T1,,,", "image_path", "same image as row 2"),
        ("x,P,b.nii.gz,,T1,,", None, "7 cells where the header has 8"),
        ("x,P,b.nii.gz,,T1,,,,", None, "9 cells where the header has 8"),
    ],
)
def test_each_kind_of_bad_row_is_reported_with_its_number_and_column(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, row: str, column: str, said: str
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    write_volume(outside / "d.nii.gz")
    (folder / "link.nii.gz").symlink_to(outside / "d.nii.gz")
    (folder / "linked").symlink_to(outside)
    (folder / "series").mkdir()
    (folder / "series" / "1.dcm").symlink_to(outside / "d.nii.gz")
    (folder / "text.nii.gz").write_text("no image")
    report = cohort(
        folder,
        "case_id,patient_id,image_path,mask_path,stage,seed_x,seed_y,seed_z",
        "a1,P1,a.nii.gz,,T1,,,",
        row,
        "c1,P2,c.nii.gz,,T2,,,",
    )
    assert not report.ok
    (found,) = errors(report)
    assert found[:2] == (3, column)
    assert re.search(said, found[2])
    assert [case.case_id for case in report.cases] == ["a1", "c1"]
    assert report.n_rows == 3


def test_one_row_can_have_several_problems_and_all_rows_are_checked(folder: Path) -> None:
    report = cohort(
        folder,
        "case,patient,image,stage",
        "a,P,no1.nii.gz,T1",
        "a,,no2.nii.gz,T1",
        "b,P,b.nii.gz,T2",
    )
    assert [(row, column) for row, column, _ in errors(report)] == [
        (2, "image"),
        (3, "case"),
        (3, "patient"),
        (3, "image"),
    ]
    assert [case.case_id for case in report.cases] == ["b"]


def test_row_numbers_are_those_of_a_spreadsheet(folder: Path) -> None:
    report = cohort(
        folder,
        "case,patient,image,note",
        'a,P,a.nii.gz,"two\nlines"',
        "",
        "b,P,missing.nii.gz,",
        "c,P,c.nii.gz,",
    )
    assert [row for row, *_ in errors(report)] == [4]
    assert [case.row for case in report.cases] == [2, 5]


def test_images_below_a_given_data_root_are_found_and_others_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = tmp_path_factory.mktemp("table")
    lines = ("case,patient,image", "a,P,a.nii.gz")
    assert not cohort(table, *lines).ok
    report = cohort(table, *lines, data_root=folder)
    assert report.ok
    assert report.data_root == folder.resolve()
    write_volume(table / "a.nii.gz")
    assert cohort(table, *lines, data_root=folder).cases[0].image_path == (folder / "a.nii.gz").resolve()
    with pytest.raises(ValueError, match=r"data root .* is not a folder"):
        cohort(table, *lines, data_root=folder / "nowhere")


def test_two_lesions_in_one_scan_are_a_warning(folder: Path) -> None:
    header = "case,patient,image,seed_x,seed_y,seed_z"
    report = cohort(folder, header, "a1,P,a.nii.gz,1,1,1", "a2,P,a.nii.gz,2,2,2")
    assert report.ok
    assert "same image as row 2" in warnings(report)[0]
    report = cohort(folder, header, "a1,P,a.nii.gz,1,1,1", "a2,Q,a.nii.gz,2,2,2")
    assert [row for row, *_ in errors(report)] == [3]


def test_without_a_case_column_cases_are_named_after_their_files(folder: Path) -> None:
    report = cohort(folder, "patient,image", "P,a.nii.gz", "Q,b.nii.gz")
    assert [case.case_id for case in report.cases] == ["a", "b"]
    write_volume(folder / "x" / "image.mha")
    write_volume(folder / "y" / "image.mha")
    report = cohort(folder, "patient,image", "P,x/image.mha", "Q,y/image.mha")
    assert [case.case_id for case in report.cases] == ["x_image", "y_image"]


def test_without_a_patient_column_each_case_is_a_patient_with_a_warning(folder: Path) -> None:
    report = cohort(folder, "case,image", "a,a.nii.gz", "b,b.nii.gz")
    assert report.ok
    assert [case.patient_id for case in report.cases] == ["a", "b"]
    assert "no patient column" in warnings(report)[0]


def test_a_patient_column_with_one_patient_gives_a_warning(folder: Path) -> None:
    report = cohort(folder, "case,patient,image", *(f"{n},radio,{n}.nii.gz" for n in "abc"))
    assert report.ok
    assert "all rows name one patient ('radio')" in warnings(report)[0]


def test_without_an_image_column_the_error_says_what_to_map(folder: Path) -> None:
    report = cohort(folder, "case,patient,where", "a,P,a.nii.gz")
    ((row, _, reason),) = errors(report)
    assert row is None
    assert "no image column: add image_path, or map one of the columns (case, patient, where)" in reason
    assert report.cases == ()
    assert cohort(folder, "case,patient,where", "a,P,a.nii.gz", mapping={"image_path": "where"}).ok


def test_a_stage_can_be_mapped_or_left_out(folder: Path) -> None:
    lines = ("case,patient,image,stage,isup", "a,P,a.nii.gz,whatever,2.0", "b,Q,b.nii.gz,else,3")
    assert [case.stage for case in cohort(folder, *lines).cases] == ["whatever", "else"]
    report = cohort(folder, *lines, mapping={"stage": "isup"})
    assert report.stage_order == ("2", "3")
    assert report.covariate_types == {"stage": "text"}
    report = cohort(folder, *lines, mapping={"stage": None})
    assert report.ok
    assert {case.stage for case in report.cases} == {None}


@pytest.mark.parametrize(
    "marker",
    [
        *("'--", "--", "\u2014", "Not Collected", "Not Reported", "not_reported", "Not Available", "[Not Available]"),
        *("[Unknown]", "Unknown", "<NA>", "N/A", "#N/A", "NULL", "NaT", "n.a.", "[Not Applicable]"),
    ],
)
def test_a_marker_of_a_missing_value_is_missing_in_every_column(folder: Path, marker: str) -> None:
    for name in "de":
        write_volume(folder / f"{name}.nii.gz")
    report = cohort(
        folder,
        "case,patient,image,mask,overall stage,seed_x,seed_y,seed_z,age,sex,smoker,date",
        f"a,P,a.nii.gz,{marker},{marker},{marker},{marker},{marker},61,{marker},yes,{marker}",
        f"b,Q,b.nii.gz,,3A,,,,{marker},male,{marker},2020-01-31",
        "c,R,c.nii.gz,,4,,,,70,female,no,2021-12-01",
        f"{marker},S,d.nii.gz,,4,,,,70,female,no,",
        f"e,{marker},e.nii.gz,,4,,,,70,female,no,",
        f"f,T,{marker},,4,,,,70,female,no,",
    )
    assert [case.stage for case in report.cases] == [None, "IIIA", "IV"]
    assert [list(case.covariates.values()) for case in report.cases] == [
        [61, None, True, None],
        [None, "male", None, "2020-01-31"],
        [70, "female", False, "2021-12-01"],
    ]
    assert (report.cases[0].mask_path, report.cases[0].seed_lps) == (None, None)
    assert report.covariate_types == {"age": "integer", "sex": "text", "smoker": "boolean", "date": "text"}
    assert report.covariate_missing == {"age": 1, "sex": 1, "smoker": 1, "date": 4}
    assert "age (integer, 1 missing), sex (text, 1 missing)" in validate_text(report)
    assert report.to_dict()["covariate_missing"]["date"] == 4
    assert [(row, column, reason.split(":")[0]) for row, column, reason in errors(report)] == [
        (5, "case", "no case id"),
        (6, "patient", "no patient"),
        (7, "image", "no image"),
    ]


@pytest.mark.parametrize(
    ("header", "order"),
    [
        ("overall stage", ("IA", "IIB", "IIIA", "IV")),
        ("AJCC stage", ("IA", "IIB", "IIIA", "IV")),
        ("clinical_stage", ("IA", "IIB", "IIIA", "IV")),
        ("Stage group", ("IA", "IIB", "IIIA", "IV")),
        ("FIGO stage", ("IA", "IIB", "IIIA", "IV")),
        ("pT", ("T1a", "T2b", "T3a", "T4")),
        ("clinical T stage", ("T1a", "T2b", "T3a", "T4")),
        ("stage", ("T1a", "T2b", "T3a", "T4")),
    ],
)
def test_the_header_decides_what_bare_numbers_mean(folder: Path, header: str, order: tuple[str, ...]) -> None:
    rows = (f"{n},{n},{n}.nii.gz,{stage}" for n, stage in zip("wxyz", ("4", "3A", "2B", "1A"), strict=True))
    report = cohort(folder, f"case,patient,image,{header}", *rows, check_images=False, mapping={"stage": header})
    assert report.stage_order == order


def test_a_stage_of_unknown_order_keeps_its_row_as_text(folder: Path) -> None:
    header = "case,patient,image,stage"
    report = cohort(folder, header, "a,P,a.nii.gz,Group 2", "b,Q,b.nii.gz,Group 1", "c,R,c.nii.gz,Unknown")
    assert report.ok
    assert [case.stage for case in report.cases] == ["Group 2", "Group 1", None]
    assert report.stage_order == ()
    assert "the order of the stages 'Group 1', 'Group 2' is not known" in warnings(report)[0]
    assert "--order" in warnings(report)[0]
    assert "Stage (stage): Group 1 1, Group 2 1, unstaged 1." in validate_text(report)


def test_a_stage_unlike_the_others_keeps_its_row_and_is_named(folder: Path) -> None:
    header = "case,patient,image,stage"
    report = cohort(folder, header, "a,P,a.nii.gz,pT1", "b,Q,b.nii.gz,T7", "c,R,c.nii.gz,Grade 3")
    assert report.ok
    assert [case.stage for case in report.cases] == ["T1", "T7", "Grade 3"]
    assert report.stage_order == ("T1",)
    assert [(p.row, p.severity, p.reason.split(":")[0]) for p in report.problems] == [
        (3, "warning", "unknown stage 'T7'"),
        (4, "warning", "'Grade 3' is a grade in a column of T stages"),
    ]


def test_stages_with_a_decimal_comma_are_read_unless_the_comma_is_the_delimiter(folder: Path) -> None:
    report = cohort(folder, "case;patient;image;isup", "a;P;a.nii.gz;2,0", "b;Q;b.nii.gz;1,0")
    assert report.stage_order == ("1", "2")


def test_hostile_text_stays_text_and_the_terminal_is_safe(folder: Path) -> None:
    formula = "=HYPERLINK(1)"
    report = cohort(folder, "case,patient,image,note", f"{formula},+P,a.nii.gz,@SUM(A1)", "e\x1b[2J,P,b.nii.gz,x")
    assert report.cases[0].case_id == formula
    assert report.cases[0].covariates == {"note": "@SUM(A1)"}
    assert "\x1b" not in validate_text(report)
    report = cohort(folder, "case,patient,image,stage,e\x1b[2J", "a,P,a.nii.gz,Group \x1b[2J,1")
    assert report.cases[0].stage == "Group \x1b[2J"
    assert "\x1b" not in validate_text(report)


def test_a_cut_off_mask_header_does_not_stop_the_report(folder: Path) -> None:
    (folder / "cut.nii").write_bytes(b"\x5c\x01\x00\x00" + b"\0" * 50)
    report = cohort(folder, "case,patient,image,mask", "a,P,a.nii.gz,cut.nii", "b,P,b.nii.gz,")
    assert [(row, column) for row, column, _ in errors(report)] == [(2, "mask")]
    assert len(report.cases) == 1


def test_the_report_is_json_and_its_text_names_rows_and_what_will_be_embedded(folder: Path) -> None:
    report = cohort(folder, "case,patient,image,stage", "a,P,a.nii.gz,T1", "b,Q,gone.nii.gz,T2", "c,P,c.nii.gz,")
    as_read = json.loads(json.dumps(report.to_dict()))
    assert as_read["n_cases"] == 2
    assert as_read["n_patients"] == 1
    assert as_read["stage_counts"] == {"T1": 1, "": 1}
    assert as_read["problems"][0] | {"reason": ""} == {
        "row": 3,
        "case_id": "b",
        "column": "image",
        "severity": "error",
        "reason": "",
    }
    text = validate_text(report)
    assert "gone.nii.gz does not exist" in text
    assert "2 of 3 rows can be embedded (1 patient, " in text
    assert "T1 1, unstaged 1" in text


def test_a_hundred_thousand_rows_are_read_and_summarised(folder: Path) -> None:
    rows = (f"c{i},P{i // 2},scan{i}.nii.gz,T{i % 4 + 1},{i % 90},site {i % 7}" for i in range(100_000))
    report = cohort(folder, "case,patient,image,stage,age,site", *rows, check_images=False)
    assert report.n_rows == 100_000
    assert len(errors(report)) == 100_000
    assert len(validate_text(report).splitlines()) < 70


@pytest.mark.parametrize(("name", "n_cases"), [("nsclc_radiogenomics", 138), ("sarcoma", 8), ("whole_volume", 6)])
def test_real_cohorts(real_ct: Path, name: str, n_cases: int) -> None:
    report = read_cohort(real_ct / name / "cohort.csv")
    assert len(report.cases) == n_cases
    if name == "nsclc_radiogenomics":
        empty = [problem for problem in report.problems if problem.severity == "error"]
        assert len(empty) == 3
        assert all("is a mask without voxels" in problem.reason for problem in empty)
        assert report.stage_order == ("T1", "T2", "T3", "T4")
        assert report.covariate_types["age"] == "number"


@pytest.mark.parametrize(
    ("name", "role", "column"),
    [
        ("C4KC-KiTS_final.csv", "stage", "pathology_t_stage"),
        ("radio_annotations_fixed.csv", "seed_z", "coordZ"),
        ("radio_nsclc_radiogenomics.csv", "stage", "Pathological T stage"),
    ],
)
def test_real_tables_without_images_fail_plainly(real_ct: Path, name: str, role: str, column: str) -> None:
    report = read_cohort(real_ct.parent / "cohorts" / name)
    assert report.columns[role] == column
    assert report.cases == ()
    assert all("no image column" in reason or "does not exist" in reason for *_, reason in errors(report))
