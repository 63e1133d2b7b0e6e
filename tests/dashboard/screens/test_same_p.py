"""The same test with the same data, settings and seed has the same p on its page and in the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.report.analysis_plan import Findings, run_analyses
from dashboard.report.arguments import ReportSettings
from dashboard.report.cohort_selection import AnalysedCohort, select_cases
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings.analysis import p_words, verdicts
from embeddings.store.store import Store
from tests.dashboard.app_session import open_app


@pytest.fixture(scope="module")
def reported(store_path: Path) -> tuple[AnalysedCohort, Findings]:
    """What a report says with its default settings, of the set and the size that the pages take."""
    sets = Store(store_path).sets()
    lesion = str(sets.loc[sets["view"] == "lesion", "set_id"].iloc[0])
    settings = ReportSettings(store_path, "stage", size="equivalent_diameter_mm", set_id=lesion)
    cohort = select_cases(settings)
    return cohort, run_analyses(cohort, settings, lambda words: None)


def said_on(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(one.value) for one in app.markdown)


def test_the_stage_axis(settings: Settings, store_path: Path, reported: tuple[AnalysedCohort, Findings]) -> None:
    found = reported[1].gradient
    assert found is not None
    app = open_app(settings, store_path, "gradient")
    said = said_on(app)
    assert f"#### {plain(verdicts.gradient(found))}" in said
    for part in (found.lda, found.lda_residual):
        assert part is not None
        assert plain(verdicts.axis_words(part)) in said


def test_the_trajectory(settings: Settings, store_path: Path, reported: tuple[AnalysedCohort, Findings]) -> None:
    found = reported[1].trajectory
    assert found is not None
    assert f"#### {plain(verdicts.trajectory(found))}" in said_on(open_app(settings, store_path, "trajectory"))
    gradient = reported[1].gradient
    assert gradient is not None
    assert found.supervised_p_permutation == gradient.p_permutation, "the stage axis beside the trajectory"


def test_the_audit(settings: Settings, store_path: Path, reported: tuple[AnalysedCohort, Findings]) -> None:
    found = reported[1].audit
    assert found is not None
    app = open_app(settings, store_path, "audit")
    shown: dict[str, Any] = {row["column"]: row for row in app.dataframe[0].value.to_dict("records")}
    assert set(shown) == {one.name for one in found.columns}
    for one in found.columns:
        assert f"- {plain(one.verdict)}" in said_on(app)
        if not one.note:
            assert (
                p_words(one.association_p, "one-sided").removeprefix("one-sided ")
                in (shown[one.name]["associated with stage"])
            )


def test_the_probe(settings: Settings, store_path: Path, reported: tuple[AnalysedCohort, Findings]) -> None:
    found = reported[1].probe
    assert found is not None
    app = open_app(settings, store_path, "probes")
    app.selectbox(key="probes.cut").select("keep all classes").run()
    said = said_on(app).replace("\u00a0", " ")
    assert plain(p_words(found.p_chance, "one-sided", found.chance_adjusted)) in said
    combined, adjusted = found.adjusted_differences[0]
    assert plain(p_words(combined.p, "two-sided", adjusted)) in said
