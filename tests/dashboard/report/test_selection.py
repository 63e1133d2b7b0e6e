"""Which cases are analysed: orders, groups, columns by name, and what is refused."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.__main__ import main, parser
from dashboard.data.case_columns import design
from dashboard.data.staging import stage_cases
from dashboard.report.arguments import ReportSettings, command_line
from dashboard.report.cohort_selection import select_cases
from embeddings.cohort.read import read_cohort
from embeddings.options import settings_from
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store

STAGES = pd.Series(["pT2b", "T1a", None, "TX", "T3", "banana", "T1a", "Grade 2", float("nan")])


def test_stages_sort_themselves_and_count_what_is_none() -> None:
    found = stage_cases(STAGES, [], [])
    assert found.names == ("T1a", "T2b", "T3")
    assert found.codes.tolist() == [1, 0, -1, -1, 2, -1, 0, -1, -1]
    losses = dict(found.losses)
    assert losses["unstaged"] == 3
    strange = next(why for why in losses if "not understood" in why)
    assert losses[strange] == 2
    assert "'banana' (1)" in strange
    assert "'Grade 2' (1)" in strange
    assert sum(losses.values()) == (found.codes < 0).sum()


def test_a_given_order_is_kept_and_matches_by_meaning() -> None:
    found = stage_cases(STAGES, ["T3", "T2b", "T4"], [])
    assert found.codes.tolist() == [1, -1, -1, -1, 0, -1, -1, -1, -1]
    assert sum(n for _, n in found.losses) == 7
    assert any("'T1a' (2)" in why for why, _ in found.losses)
    assert found.warnings == ("No embedded case is of T4.",)
    with pytest.raises(ValueError, match="listed twice"):
        stage_cases(STAGES, ["T3", "pT3"], [])


def test_groups_take_subdivisions_and_rank_as_given_or_ordered() -> None:
    groups = [("Early", ("T1",)), ("Late", ("T3",))]
    found = stage_cases(STAGES, [], groups)
    assert (found.names, found.codes.tolist()) == (("Early", "Late"), [-1, 0, -1, -1, 1, -1, 0, -1, -1])
    assert any("in no group" in why and "'pT2b' (1)" in why for why, _ in found.losses)
    assert stage_cases(STAGES, ["Late", "Early"], groups).names == ("Late", "Early")
    with pytest.raises(ValueError, match="list each group once"):
        stage_cases(STAGES, ["Late"], groups)
    with pytest.raises(ValueError, match="given twice"):
        stage_cases(STAGES, [], [*groups, ("Late", ("T4",))])


@given(st.lists(st.sampled_from(["T1", "T2a", "x", "", "what", "3"]), min_size=1, max_size=30))
def test_no_case_is_lost_without_being_counted(values: list[str]) -> None:
    counted = np.arange(len(values)) % 2 == 0
    for order, groups in (([], []), (["T1", "T2a"], []), ([], [("A", ("T1",)), ("B", ("T2",))])):
        if not order and not groups and set(values) <= {"x", "", "what"} and set(values) != {""}:
            continue  # of these the order is not known
        found = stage_cases(pd.Series(values), order, groups)
        assert (found.codes >= 0).sum() + sum(n for _, n in found.losses) == len(values)
        found = stage_cases(pd.Series(values), order, groups, counted)
        assert (found.codes[counted] >= 0).sum() + sum(n for _, n in found.losses) == counted.sum()


def test_a_category_becomes_columns_of_its_levels() -> None:
    frame = pd.DataFrame({"age": [1.0, 2, 3, 4], "kernel": ["b", "a", "c", "a"], "same": ["x"] * 4})
    found = design(frame, ["age", "kernel", "same"], "--covariates")
    assert found.terms == ("age", "kernel = b", "kernel = c")
    assert found.constant == ("same",)
    assert found.matrix.tolist() == [[1, 1, 0], [2, 0, 0], [3, 0, 1], [4, 0, 0]]
    with pytest.raises(ValueError, match="identifier"):
        design(pd.DataFrame({"id": [f"p{i}" for i in range(30)]}), ["id"], "--covariates")


def test_a_vector_with_nan_is_left_out_and_counted(make_cohort: Callable[..., Path]) -> None:
    cohort = select_cases(ReportSettings(make_cohort(broken_vector=True), "t_category"))
    flow = {step.name: step for step in cohort.flow}
    assert flow["with a usable vector"].lost == (("NaN or infinity in it", 1),)
    assert sum(n for step in cohort.flow for _, n in step.lost) == cohort.info.n_cases - cohort.n
    assert np.isfinite(cohort.vectors).all()


def test_published_weights_come_first_and_a_set_can_be_named(cohort_path: Path, set_ids: dict[str, str]) -> None:
    assert select_cases(ReportSettings(cohort_path, "t_category")).record["set_id"] == set_ids["volume"]
    chosen = select_cases(ReportSettings(cohort_path, "t_category", set_id=set_ids["lesion"]))
    assert chosen.record["set_id"] == set_ids["lesion"]


def test_a_follow_up_is_no_covariate_and_the_report_says_why(cohort_path: Path) -> None:
    given = {"covariates": ("age", "follow_up_days"), "baseline": ("follow_up_days", "age")}
    found = select_cases(ReportSettings(cohort_path, "t_category", **given))
    assert found.covariate_columns == ("age",)
    assert found.baseline_columns == ("age",)
    # The case whose follow-up alone is missing stays.
    assert found.n == select_cases(ReportSettings(cohort_path, "t_category", covariates=("age",))).n
    assert not [name for name in found.suspects if "follow" in name]
    said = [one for one in found.warnings if one.startswith("Left out: follow up (days).")]
    assert len(said) == 1
    assert "censored" in said[0]


def test_what_the_survival_analysis_takes_as_its_time_is_no_covariate_whatever_its_name(cohort_path: Path) -> None:
    plain = ReportSettings(cohort_path, "t_category", covariates=("age", "site"))
    assert select_cases(plain).covariate_columns == ("age", "site")
    found = select_cases(dataclasses.replace(plain, time="age", event="died"))
    assert found.covariate_columns == ("site",)
    assert any(one.startswith("Left out: age") for one in found.warnings)


def test_the_sizes_of_the_report_are_audited_as_one(cohort_path: Path, tmp_path: Path) -> None:
    report = read_cohort(cohort_path.parent / "cohort.csv", check_images=False)

    def with_volume(known: dict[str, Any]) -> dict[str, Any]:
        diameter = known["diameter_mm"]
        return known | {"tumour_volume_ml": None if diameter is None else float(diameter) ** 3 / 1900}

    cases = tuple(dataclasses.replace(case, covariates=with_volume(dict(case.covariates))) for case in report.cases)
    path = tmp_path / "sizes.duckdb"
    path.write_bytes(cohort_path.read_bytes())
    Store(path, read_only=False).register_cohort(dataclasses.replace(report, cases=cases))
    settings = ReportSettings(path, "t_category", size="diameter_mm", covariates=("tumour_volume_ml",))
    sizes = select_cases(settings).suspects["tumour size"]
    assert isinstance(sizes, dict)
    assert list(sizes) == ["diameter (mm)", "tumour volume (ml)"]


def test_a_selection_that_the_file_keeps_is_analysed_alone_and_the_others_are_counted(
    make_cohort: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_cohort()
    everyone = select_cases(ReportSettings(path, "t_category"))
    chosen = sorted(everyone.frame["case_id"])[::2]
    KeptWork(path).save_selection("every second", "set", "list", [f"{one}/volume" for one in chosen], chosen)
    some = select_cases(ReportSettings(path, "t_category", selection="every second"))
    assert sorted(some.frame["case_id"]) == chosen
    flow = {step.name: step for step in some.flow}
    assert flow["selected"].lost == (("outside the selection", flow["embedded"].n - len(chosen)),)
    assert sum(n for step in some.flow for _, n in step.lost) == some.info.n_cases - some.n
    place = {case: row for row, case in enumerate(everyone.frame["case_id"])}
    rows = [place[case] for case in some.frame["case_id"]]
    np.testing.assert_array_equal(some.vectors, everyone.vectors[rows])
    with pytest.raises(ValueError, match=r"has no selection 'none'; it has every second"):
        select_cases(ReportSettings(path, "t_category", selection="none"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--stage", "t_categroy"], "did you mean t_category"),
        (["--stage", "t_category", "--size", "diametre_mm"], "diameter_mm"),
        (["--stage", "t_category", "--size", "site"], "contains text such as"),
        (["--stage", "t_category", "--covariates", "t_category"], "is the stage itself"),
        (["--stage", "t_category", "--group", "Early"], "--group takes NAME=STAGE"),
        (["--stage", "t_category", "--group", "A=T1,T2", "--group", "B=T2"], "listed twice"),
        (["--stage", "t_category", "--group", "A=T1", "--group", "B=purple"], "not a known stage"),
        (["--stage", "t_category", "--set", "nothing"], "has no embedding set 'nothing'"),
        (["--stage", "t_category", "--time", "age"], "without --event"),
        (["--stage", "t_category", "--permutations", "3"], "--permutations takes 19"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(
    cohort_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    out = tmp_path / "out"
    assert main(["report", str(cohort_path), *words, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert sentence in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_a_missing_half_or_newer_cohort_file_is_refused(
    make_cohort: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = tmp_path / "half.duckdb"
    whole = make_cohort().read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    newer = make_cohort()
    with duckdb.connect(newer) as con:
        con.execute("UPDATE schema_version SET version = 99")
    for path in (tmp_path / "none.duckdb", half, newer):
        assert main(["report", str(path), "--stage", "t_category", "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert path.name in said
        assert said.count("\n") == 1


def test_the_command_line_gives_the_settings_back(cohort_path: Path) -> None:
    settings = ReportSettings(
        cohort_path,
        "T stage",
        order=("Early", "Late"),
        groups=(("Early", ("Tis", "T1")), ("Late", ("T3",))),
        size="size; rm -rf",
        covariates=("a", "b'c"),
        baseline=("age",),
        time="t",
        event="e",
        set_id="x.y",
        compare=("z", "w"),
        selection="upper lobes, second read",
        permutations=99,
        bootstrap=50,
        seed=4,
    )
    words = shlex.split(command_line(settings, "my out"))
    assert words[:3] == ["python", "-m", "dashboard"]
    assert settings_from(ReportSettings, parser().parse_args(words[3:])) == settings


def test_the_file_is_only_read(cohort_path: Path) -> None:
    before = cohort_path.read_bytes()
    select_cases(ReportSettings(cohort_path, "t_category"))
    assert cohort_path.read_bytes() == before
    assert Store(cohort_path).info().n_cases == 52
