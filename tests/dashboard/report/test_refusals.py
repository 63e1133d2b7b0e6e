"""One analysis that refuses leaves its sentence, and the others run; folders are never overwritten in silence."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dashboard.__main__ import main
from dashboard.report.analysis_plan import run_analyses
from dashboard.report.arguments import ReportSettings
from dashboard.report.cohort_selection import select_cases
from dashboard.report.html import sentences
from dashboard.report.panels import all_panels
from dashboard.report.panels.composed_figure import panel_figure
from dashboard.report.panels.panel import Panel
from dashboard.report.write import Report, check_folder, make_report, put_folder
from embeddings.cohort.read import read_cohort
from embeddings.store.store import Store
from flexict.errors import FlexiCTError
from tests.dashboard.report.conftest import HOSTILE_SITE

QUICK = {"permutations": 19, "bootstrap": 19}


def texts(panel: Panel) -> str:
    figure = panel_figure(panel, "footer")
    found = [text.get_text() for place in figure.subfigs for axes in place.axes for text in axes.texts]
    return " ".join(" ".join(found).split())


def test_without_size_the_panels_say_so_and_the_rest_is_drawn(cohort_path: Path) -> None:
    settings = ReportSettings(cohort_path, "t_category", **QUICK)
    cohort = select_cases(settings)
    findings = run_analyses(cohort, settings, lambda _: None)
    shown = {panel.letter: panel for panel in all_panels.figure_panels(findings, cohort)}
    assert [letter for letter, panel in shown.items() if panel.missing] == ["e", "g", "h"]
    assert "--size" in texts(shown["e"])
    assert "--size" in texts(shown["g"])
    assert findings.refused == {}
    assert findings.gradient is not None
    assert findings.gradient.residual is None
    assert "i" not in shown
    assert not any("hoose" in sentence for sentence in sentences(findings, cohort)), "advice of a page of the app"


def test_two_stages_are_compared_by_mann_whitney_on_one_discriminant(cohort_path: Path) -> None:
    settings = ReportSettings(cohort_path, "t_category", groups=(("Low", ("T1", "T2")), ("High", ("T3",))), **QUICK)
    cohort = select_cases(settings)
    findings = run_analyses(cohort, settings, lambda _: None)
    shown = {panel.letter: panel for panel in all_panels.figure_panels(findings, cohort)}
    figure = panel_figure(shown["d"], "")
    assert "Mann-Whitney" in figure.subfigs[0].axes[0].get_title(loc="left")
    assert list(shown["c"].table) == ["case_id", "patient_id", "stage", "discriminant_1"]
    assert findings.probe is not None
    assert findings.probe.classes == ("Low", "High"), "in the order of the stages, not of the alphabet"


@pytest.fixture(scope="module")
def one_stage(make_cohort: Callable[..., Path]) -> Report:
    """The report of a simulated cohort of which a single stage is left."""
    return make_report(
        ReportSettings(make_cohort(simulated=True), "t_category", order=("T2",), **QUICK), "out", lambda _: None
    )


def test_a_single_stage_refuses_what_needs_two_and_still_writes_a_report(one_stage: Report) -> None:
    record = json.loads(one_stage.files["report.json"])
    assert {"gradient", "probe", "pseudotime"} <= set(record["refused"])
    assert all(sentence.endswith(".") and len(sentence) > 20 for sentence in record["refused"].values())
    html = one_stage.files["report.html"].decode()
    assert record["refused"]["gradient"].split(",")[0] in html
    assert record["panels"]["d_stage_axis"]["missing"] == record["refused"]["gradient"]
    assert record["results"]["gradient"] is None


def test_a_simulated_cohort_is_called_so_everywhere(one_stage: Report) -> None:
    record = json.loads(one_stage.files["report.json"])
    assert record["simulated"] is True
    assert "Simulated demonstration cohort" in record["statements"][0]
    for name in ("report.html", "methods.md", "figure.svg", "panels/a_retrieval.svg"):
        assert "Simulated demonstration cohort" in one_stage.files[name].decode(), name


def test_an_outcome_that_cannot_be_read_leaves_the_others_running(cohort_path: Path) -> None:
    settings = ReportSettings(cohort_path, "t_category", size="diameter_mm", time="age", event="site", **QUICK)
    cohort = select_cases(settings)
    findings = run_analyses(cohort, settings, lambda _: None)
    assert list(findings.refused) == ["survival"]
    assert "event column" in findings.refused["survival"]
    survival = all_panels.figure_panels(findings, cohort)[-1]
    assert (survival.letter, survival.missing) == ("i", findings.refused["survival"])
    assert findings.gradient is not None


def test_the_zip_holds_the_files_of_the_folder(one_stage: Report) -> None:
    with zipfile.ZipFile(io.BytesIO(one_stage.zipped())) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == dict(one_stage.files)


def a_report(*names: str) -> Report:
    files = {name: b"new" for name in names}
    record = {"kind": "flexict-phenotype-explorer report", "files": [*names, "report.json"]}
    return Report({**files, "report.json": json.dumps(record).encode()}, "", {})


def test_a_report_replaces_a_report_and_nothing_of_it_stays(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    put_folder(a_report("figure.svg", "panels/old.svg"), out)
    put_folder(a_report("figure.svg", "panels/new.svg"), out)
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.svg")} == {"figure.svg", "panels/new.svg"}
    assert [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["notes.txt", "panels/mine.svg", "report.json"])
def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    if name != "report.json":
        put_folder(a_report("figure.svg"), out)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    with pytest.raises(ValueError, match=name):
        put_folder(a_report("figure.svg"), out)
    assert (out / name).read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_is_taken_and_a_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        check_folder(tmp_path / "file")


def test_a_failed_write_leaves_the_old_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    put_folder(a_report("figure.svg"), out)
    (out / "figure.svg").write_bytes(b"old")
    # A name that no file system takes: the second file cannot be written.
    broken = a_report("figure.svg", "x" * 300)
    with pytest.raises(ValueError, match="cannot be written"):
        put_folder(broken, out)
    assert (out / "figure.svg").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


def test_a_column_without_any_value_is_refused_before_anything_runs(make_cohort: Callable[..., Path]) -> None:
    path = make_cohort()
    report = read_cohort(path.parent / "cohort.csv", check_images=False)
    cases = tuple(replace(case, covariates=case.covariates | {"ki67": None}) for case in report.cases)
    Store(path, read_only=False).register_cohort(replace(report, cases=cases))
    for option in ("covariates", "baseline"):
        with pytest.raises(FlexiCTError, match=f"--{option}: column 'ki67' is empty in all 50 cases"):
            select_cases(ReportSettings(path, "t_category", **QUICK, **{option: ("age", "ki67")}))
    with pytest.raises(FlexiCTError, match="--size: column 'ki67' is empty"):
        select_cases(ReportSettings(path, "t_category", size="ki67", **QUICK))
    out = path.parent / "out"
    assert main(["report", str(path), "--stage", "t_category", "--covariates", "ki67", "--out", str(out)]) == 2
    assert not out.exists()


def test_a_report_of_no_case_at_all_says_where_they_were_lost(cohort_path: Path) -> None:
    settings = ReportSettings(cohort_path, "t_category", order=("T4",), **QUICK)
    with pytest.raises(FlexiCTError, match=r"no case is left to analyse: .*; staged 0 \(.*not in the order"):
        select_cases(settings)


def test_stages_that_do_not_sort_themselves_need_an_order(cohort_path: Path) -> None:
    with pytest.raises(FlexiCTError, match=r"--stage: the order of the stages .* is not known: list them.*--order"):
        select_cases(ReportSettings(cohort_path, "site", **QUICK))
    cohort = select_cases(ReportSettings(cohort_path, "site", order=("south", HOSTILE_SITE), **QUICK))
    assert cohort.stage_names == ("south", HOSTILE_SITE)
    assert cohort.n == 50
