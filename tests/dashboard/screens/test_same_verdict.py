"""A stage axis whose p is below 5 % only before it is adjusted is nowhere called an axis: on no page, in no report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.report.analysis_plan import Findings, run_analyses
from dashboard.report.arguments import ReportSettings
from dashboard.report.cohort_selection import AnalysedCohort, select_cases
from dashboard.report.html import sentences
from dashboard.report.main_tests import main_tests
from dashboard.report.methods import methods
from dashboard.report.panels.all_panels import figure_panels
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings.analysis import verdicts
from embeddings.exchange.import_vectors import import_vectors
from embeddings.versions import versions
from tests.dashboard.app_session import open_app

N, WIDTH, SEED = 60, 16, 24
NO_AXIS = "but no stage axis is shown that could be explained"


@pytest.fixture(scope="module")
def cohort_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of the tumour's size, with which stage is weakly associated."""
    folder = tmp_path_factory.mktemp("weak")
    rng = np.random.default_rng(SEED)
    log_size = rng.normal(size=N)
    stage = np.digitize(log_size + 1.2 * rng.normal(size=N), [-0.6, 0.6])
    vectors = rng.normal(size=(N, WIDTH))
    vectors[:, :3] += 0.9 * log_size[:, None]
    ids = [f"case{number:02d}" for number in range(N)]
    np.savez(folder / "vectors.npz", vectors=vectors.astype(np.float32), ids=np.array(ids))
    table = {"case_id": ids, "patient_id": ids, "stage": [f"T{1 + code}" for code in stage]}
    pd.DataFrame(table | {"tumour_diameter_mm": 20 * np.exp(log_size)}).to_csv(folder / "labels.csv", index=False)
    import_vectors(folder / "weak.duckdb", folder / "vectors.npz", folder / "labels.csv", view="lesion")
    return folder / "weak.duckdb"


@pytest.fixture(scope="module")
def reported(cohort_file: Path) -> tuple[AnalysedCohort, Findings, ReportSettings]:
    settings = ReportSettings(cohort_file, "stage", size="tumour_diameter_mm")
    cohort = select_cases(settings)
    return cohort, run_analyses(cohort, settings, lambda words: None), settings


def words_of(app: AppTest) -> str:
    assert not app.exception
    return "\n".join(str(one.value) for one in [*app.markdown, *app.caption])


def test_the_p_lies_on_both_sides_of_five_per_cent(reported: tuple[AnalysedCohort, Findings, ReportSettings]) -> None:
    found = reported[1].gradient
    assert found is not None
    assert found.p_permutation < 0.05 < found.p_adjusted


def test_gradient_and_shortcuts_page_give_one_verdict_by_one_p(
    settings: Settings, cohort_file: Path, reported: tuple[AnalysedCohort, Findings, ReportSettings]
) -> None:
    gradient = reported[1].gradient
    assert gradient is not None
    p = plain(verdicts.axis_words(gradient))
    said = words_of(open_app(settings, cohort_file, "gradient"))
    assert "No stage gradient is shown" in said
    assert p in said
    said = words_of(open_app(settings, cohort_file, "audit"))
    assert NO_AXIS in said
    assert p in said
    assert "alone explains" not in said


def test_the_shortcuts_page_follows_the_settings_of_the_gradient_page(settings: Settings, cohort_file: Path) -> None:
    """Two tests in place of five: with less to adjust for, both pages see the axis."""
    app = open_app(settings, cohort_file, "gradient")
    app.selectbox(key="gradient.size").set_value("(do not test size)").run()
    said = words_of(app)
    assert "the axis follows stage" in said
    assert "after Holm over 2 tests" in said
    app.switch_page("screens/audit.py").run()
    said = words_of(app)
    assert "after Holm over 2 tests" in said
    assert "1 of 1 column alone explains the stage axis here: " in said


def test_headline_audit_panels_table_and_methods_of_the_report_agree(
    reported: tuple[AnalysedCohort, Findings, ReportSettings],
) -> None:
    cohort, findings, settings = reported
    gradient, audit = findings.gradient, findings.audit
    assert gradient is not None
    assert audit is not None
    p = verdicts.axis_words(gradient)
    assert sentences(findings, cohort)[0].startswith("No stage gradient is shown")
    assert f"{NO_AXIS} ({p})" in verdicts.audit(audit)
    assert not any("alone explains" in one for one in audit.verdicts)
    panels = {panel.key: panel.table for panel in figure_panels(findings, cohort)}
    column = panels["shortcuts"].iloc[1]
    assert (column["stage_rho_p"], column["stage_rho_p_adjusted"]) == (gradient.p_permutation, gradient.p_adjusted)
    first = main_tests(findings, cohort).set_index("test").loc["Stage axis, out of fold"]
    assert (first["p"], first["p adjusted"]) == (gradient.p_permutation, gradient.p_adjusted)
    text = "\n".join(methods(cohort, findings, settings, versions())[0])
    said = p.split("; ")[1].replace("\u00a0", " ")
    assert text.count(said) == 2, "of the stage axis and of the audit"
