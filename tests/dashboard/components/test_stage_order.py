"""Stages that do not sort themselves: the pages ask for their order, and then use it everywhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.data import columns
from dashboard.session.settings import Settings
from embeddings.cohort.read import read_cohort
from embeddings.store.store import Store
from tests.dashboard.app_session import open_app

NAMES = {"T1": "Group 1", "T2": "Group 2", "T3": "Group 3"}


@pytest.fixture
def grouped(settings: Settings, store_path: Path, tmp_path: Path) -> Path:
    """The cohort with its T stages called groups, whose order is not known."""
    report = read_cohort(settings.data_roots[0] / "cohort.csv", check_images=False)
    cases = tuple(
        dataclasses.replace(case, stage=NAMES[case.stage[:2]] if case.stage else None) for case in report.cases
    )
    path = tmp_path / "grouped.duckdb"
    path.write_bytes(store_path.read_bytes())
    store = Store(path, read_only=False)
    store.register_cohort(dataclasses.replace(report, cases=cases, stage_order=()))
    return path


def texts(app: AppTest) -> str:
    return "\n".join(str(p.value) for p in [*app.info, *app.error, *app.caption, *app.markdown])


def test_a_page_asks_for_the_order_and_analyses_in_it(settings: Settings, grouped: Path) -> None:
    app = open_app(settings, grouped, "gradient")
    assert "The order of the stages of this cohort is not known (Group 1, Group 2, Group 3)" in texts(app)
    field = app.text_input(key="stage.order")
    assert field.placeholder == "Group 1, Group 2, Group 3"
    field.set_value("Group 3, group 1").run()
    assert not app.exception
    assert "is not known" not in texts(app)
    assert app.session_state["shared.stage_orders"] == {"stage": ("Group 3", "group 1")}
    assert "(no stage in this column)" in texts(app)
    app.text_input(key="stage.order").set_value("Group 9, Group 8").run()
    assert "names fewer than two stages" in texts(app)


def test_the_cohort_page_counts_stages_of_unknown_order(settings: Settings, grouped: Path) -> None:
    assert "Scans of each stage: Group 1: " in texts(open_app(settings, grouped))


def test_the_report_page_asks_for_the_order_in_its_own_field(settings: Settings, grouped: Path) -> None:
    app = open_app(settings, grouped, "report")
    assert "The order of the stages is not known (Group 1, Group 2, Group 3)" in texts(app)
    app.text_input(key="report.order").set_value("Group 1, Group 2, Group 3").run()
    assert not app.exception
    assert "is not known" not in texts(app)
    assert "--order 'Group 1,Group 2,Group 3'" in app.code[0].value


def test_an_order_that_was_typed_decides_codes_and_what_it_lacks_is_unstaged(grouped: Path) -> None:
    frame = Store(grouped).cases()
    assert "stage" not in columns.stages(frame)
    ordered = columns.with_orders(frame, {"stage": ("Group 2", "Group 1")})
    assert columns.stages(ordered)[0] == "stage"
    codes, order = columns.codes(ordered, "stage")
    assert order == ["Group 2", "Group 1"]
    expected = {"Group 2": 0, "Group 1": 1}
    assert codes.tolist() == [expected.get(stage, -1) for stage in frame["stage"]]
    assert columns.with_orders(frame, {}) is frame
