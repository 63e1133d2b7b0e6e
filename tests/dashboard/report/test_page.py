"""The Report page: the command line it shows, the figure and the zip it offers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.session.selection import History, Selection, of_cases
from dashboard.session.settings import Settings
from embeddings.store.saved_work import KeptWork

APP = Path(__file__).resolve().parents[3] / "dashboard" / "app.py"


@pytest.fixture
def page(settings: Settings, cohort_path: Path) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = dataclasses.replace(settings, cohort=cohort_path)
    app.session_state["shared.cohort"] = cohort_path
    app.run()
    app.switch_page("screens/report.py").run()
    app.selectbox(key="report.stage").select("t_category").run()
    assert not app.exception, app.exception
    return app


def test_the_page_shows_the_command_line_of_its_settings(page: AppTest, cohort_path: Path) -> None:
    command = page.code[0].value
    assert command.startswith(f"python -m dashboard report {cohort_path} --stage t_category")
    assert "--size diameter_mm" in command
    page.text_area(key="report.groups").set_value("Early=T1\nLate=T2,T3").run()
    page.multiselect(key="report.covariates").select("age").run()
    command = page.code[0].value
    assert "--group Early=T1 --group Late=T2,T3" in command
    assert "--covariates age" in command
    page.text_area(key="report.groups").set_value("Early").run()
    assert "--group takes NAME=STAGE" in page.error[0].value
    assert not page.code


def test_only_the_selected_scans_are_reported_under_a_name_that_the_file_keeps(
    settings: Settings, make_cohort: Callable[..., Path]
) -> None:
    path = make_cohort()
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = dataclasses.replace(settings, cohort=path)
    app.session_state["shared.cohort"] = path
    app.session_state["shared.selection"] = History([Selection(), of_cases(["case00", "case01", "case02"])], at=1)
    app.run()
    app.switch_page("screens/report.py").run()
    assert "--selection" not in app.code[0].value
    app.toggle(key="report.selected").set_value(True).run()
    assert not app.exception
    found = re.search(r"--selection (@[0-9a-f]+)", app.code[0].value)
    assert found
    kept = KeptWork(path).selection(found[1])
    assert kept is not None
    assert kept.case_ids == ("case00", "case01", "case02")


def test_the_button_builds_the_report_and_a_refusal_is_said(page: AppTest) -> None:
    for key in ("report.permutations", "report.bootstrap"):
        page.number_input(key=key).set_value(19)
    page.text_input(key="report.order").set_value("T2").run()
    page.button[[one.label for one in page.button].index("Build the report")].click().run()
    assert not page.exception, page.exception
    assert any("stage gradient" in one.value for one in page.warning)
    assert "cases analysed" in page.success[0].value
    assert "never for diagnosis" in page.success[0].value
    # 19 permutations are too few for the columns of the audit, whether one stage is left or three.
    page.text_input(key="report.order").set_value("").run()
    page.button[[one.label for one in page.button].index("Build the report")].click().run()
    assert any("Warnings of the analyses" in one.label for one in page.expander)
    assert any("cannot reach an adjusted p" in one.value for one in page.markdown)
