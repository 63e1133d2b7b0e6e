"""Spellings of stages and their order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.cohort.stage_spellings import is_unstaged, kind_of_header, parse_stage
from embeddings.cohort.stages import apply_groups, read_column, stage_codes, stage_order

T_ORDER = [
    "T0",
    "Ta",
    "Tis",
    "T1",
    "T1mi",
    "T1a",
    "T1a1",
    "T1a2",
    "T1b",
    "T1c",
    "T2",
    "T2a",
    "T2b",
    "T3",
    "T4",
    "T4d",
]
OVERALL_ORDER = [
    *("0", "0a", "0is", "I", "IA", "IA1", "IA2", "IA3", "IB", "I/II", "II", "IIB"),
    *("IIIA", "IIIA/B", "IIIB", "IIIC1", "IV", "IVB"),
]


@pytest.mark.parametrize("ordered", [T_ORDER, OVERALL_ORDER, ["N0", "N1", "N1mi", "N2a", "N3"]])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_stages_come_out_in_clinical_order_whatever_order_they_came_in(ordered: list[str], data: st.DataObject) -> None:
    assert stage_order(data.draw(st.permutations(ordered))) == ordered


@pytest.mark.parametrize(
    ("spelling", "label"),
    [
        ("pT2b", "T2b"),
        ("ypT3", "T3"),
        ("cT4d", "T4d"),
        ("t1A", "T1a"),
        ("T 1mi", "T1mi"),
        ("1a", "T1a"),
        ("Tis (DCIS)", "Tis"),
        ("T1b(m)", "T1b"),
        ("Stage IV", "IV"),
        ("stage 3B", "IIIB"),
        ("FIGO IIIC1", "IIIC1"),
        ("Ⅲ", "III"),
        ("G2", "Grade 2"),
        ("grade III", "Grade 3"),
        ("ISUP 4", "Grade 4"),
        ("WHO/ISUP grade 1", "Grade 1"),
        ("3.0", "3"),
        ("-1.5", "-1.5"),
        ("high-grade", "High"),
        ("Early stage", "Early"),
        ("III-A", "IIIA"),
        ("Stage: III.b", "IIIB"),
        ("T1-b", "T1b"),
        ("Stage 0a", "0a"),
        ("I/II NOS", "I/II"),
        ("Stage III, NOS", "III"),
        ("Stage 0is", "0is"),
        ("T1aN0M0", "T1a"),
        ("pT2b pN0 cMX", "T2b"),
        ("Stage IIIA/B", "IIIA/B"),
        ("T3a/b", "T3a/b"),
        ("T1-2", "T1/T2"),
        ("Stage I or II", "I/II"),
        ("G1/2", "Grade 1/Grade 2"),
        ("Limited disease", "Limited"),
        ("extensive-stage", "Extensive"),
        ("BCLC stage B", "BCLC B"),
        ("Child-Pugh A", "Child-Pugh A"),
    ],
)
def test_spellings_become_one_label_that_parses_to_itself(spelling: str, label: str) -> None:
    for text in (spelling, label):
        key = parse_stage(text)
        assert key is not None
        assert key.label == label


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", "NA", "n/a", "nan", "X", "TX", "pTX", "Nx", "unknown", "Not staged", "not_applicable"),
        *("'--", "Not Collected", "[Not Available]", "<NA>", "TXNXMX", "Stage X", "Stage unknown"),
    ],
)
def test_missing_spellings_are_unstaged(text: str) -> None:
    assert is_unstaged(text)
    assert parse_stage(text) is None


@pytest.mark.parametrize(
    "text", ["foo", "T5", "stage V", "Group 1", "IIIA/C", "I/III", "BCLC E", "adenocarcinoma", "1e400", "T1z", "IIIIV"]
)
def test_text_that_is_not_a_stage_is_neither_parsed_nor_missing(text: str) -> None:
    assert parse_stage(text) is None
    assert not is_unstaged(text)


@given(st.text(max_size=12))
def test_any_text_is_parsed_or_refused_without_an_exception(text: str) -> None:
    key = parse_stage(text)
    assert key is None or parse_stage(key.label) == key


def test_bare_numbers_take_the_kind_of_their_column() -> None:
    assert stage_order(["1a", "3", "0", "2a", "4", "X"]) == ["T0", "T1a", "T2a", "T3", "T4"]
    assert stage_order(["0", "IA", "IV"]) == ["0", "IA", "IV"]
    assert stage_order(["10", "2.0", "", "1"]) == ["1", "2", "10"]


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["aggressive", "benign", "indolent"], ["Benign", "Indolent", "Aggressive"]),
        (["High", "low", "intermediate"], ["Low", "Intermediate", "High"]),
        (["Advanced", "Early", "Intermediate"], ["Early", "Intermediate", "Advanced"]),
        (["True", "False"], ["False", "True"]),
        (["Extensive", "Limited", "Unknown"], ["Limited", "Extensive"]),
        (["BCLC C", "BCLC 0", "BCLC A"], ["BCLC 0", "BCLC A", "BCLC C"]),
    ],
)
def test_named_groups_follow_their_scale(values: list[str], order: list[str]) -> None:
    assert stage_order(values) == order


@pytest.mark.parametrize("values", [["T2", "Grade 3"], ["IIIA", "T3"], ["benign", "severe"], ["T1", "7"]])
def test_mixed_kinds_in_one_column_are_refused_with_the_odd_value(values: list[str]) -> None:
    with pytest.raises(ValueError, match=values[1]):
        stage_order(values)


@pytest.mark.parametrize(
    ("header", "values", "order"),
    [
        ("overall stage", ["4", "3A", "1A", "2B"], ["IA", "IIB", "IIIA", "IV"]),
        ("AJCC_PATHOLOGIC_TUMOR_STAGE", ["2", "1", "Stage IIIA"], ["I", "II", "IIIA"]),
        ("FIGO", ["1a", "3c1"], ["IA", "IIIC1"]),
        ("T stage", ["3", "1"], ["T1", "T3"]),
        ("ajcc_pathologic_t", ["3", "1a"], ["T1a", "T3"]),
        ("pN", ["1a", "0"], ["N0", "N1a"]),
        ("N stage", ["T2N1M0", "T1N0M0"], ["N0", "N1"]),
        ("BCLC", ["C", "0", "A"], ["BCLC 0", "BCLC A", "BCLC C"]),
        ("stage", ["1a", "2"], ["T1a", "T2"]),
        ("stage", ["2", "1"], ["1", "2"]),
        # Explicit spellings outweigh the header, and so do numbers that it has no stage for.
        ("clinical stage", ["T1", "T2"], ["T1", "T2"]),
        ("overall stage", ["1", "5", "7"], ["1", "5", "7"]),
        ("ISUP grade", ["3", "2"], ["2", "3"]),
    ],
)
def test_the_header_decides_what_bare_numbers_mean(header: str, values: list[str], order: list[str]) -> None:
    assert stage_order(values, header=header) == order
    codes, labels = stage_codes([*values, None], header=header)
    assert labels == order
    assert sorted(codes.tolist()) == list(range(-1, len(order)))


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        *((name, "T") for name in ("T stage", "pT", "cT", "CT stage", "pathology_t_stage", "PATH_T_STAGE", "pT (8th)")),
        *((name, "overall") for name in ("overallStage", "pStage", "FIGO stage", "stage group", "TNM stage")),
        *((name, "") for name in ("stage", "tumour stage", "CT", "sex (m)", "FIGO grade", "n", "age")),
        *((name, "M") for name in ("ajcc_pathologic_m", "M stage")),
    ],
)
def test_headers_name_the_kind_of_stage_or_leave_it_open(header: str, kind: str) -> None:
    assert kind_of_header(header) == kind


def test_a_column_read_row_by_row_keeps_its_majority_and_names_the_rest() -> None:
    column = read_column(["T1", "pT2", "Grade 3", "", "rubbish"])
    assert column.labels == ["T1", "T2", None, None, None]
    assert column.order == ["T1", "T2"]
    assert list(column.mixed) == ["Grade 3"]
    assert column.unknown == ["rubbish"]
    assert column.prefixes == {"", "p"}


def test_codes_follow_the_order_and_mark_the_unstaged() -> None:
    codes, order = stage_codes(["pT3", None, "TX", "Tis", "T1a"])
    assert order == ["Tis", "T1a", "T3"]
    assert codes.tolist() == [2, -1, -1, 0, 1]


def test_an_explicit_order_overrides_and_is_matched_by_meaning() -> None:
    codes, order = stage_codes(["pT1a", "2", "", "odd"], order=["odd", "T2", "T1A"])
    assert order == ["odd", "T2", "T1A"]
    assert codes.tolist() == [2, 1, -1, 0]


def test_an_explicit_order_that_lacks_stages_names_them_all() -> None:
    with pytest.raises(ValueError, match=r"'T2', 'T3'"):
        stage_codes(["T1", "T2", "T3"], order=["T1"])
    with pytest.raises(ValueError, match="listed twice"):
        stage_codes(["T1"], order=["T1", "pT1"])


def test_groups_include_subdivisions_unless_these_are_listed_themselves() -> None:
    groups = {"Early": ["Tis", "T1"], "Intermediate": ["T2", "T1c"], "Advanced": ["T3", "T4"]}
    values = ["Tis", "pT1a", "T1c", "T2b", "T4", "", None, "T0"]
    expected = ["Early", "Early", "Intermediate", "Intermediate", "Advanced", None, None, None]
    assert apply_groups(values, groups) == expected


def test_groups_refuse_an_unknown_stage() -> None:
    with pytest.raises(ValueError, match="'T9'"):
        apply_groups(["T1"], {"Early": ["T1", "T9"]})
    with pytest.raises(ValueError, match="twice"):
        apply_groups(["T1"], {"Early": ["T1"], "Late": ["pT1"]})
