"""Settings of a page are kept while other pages are visited, and end with the cohort."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.session.settings import Settings
from tests.dashboard.app_session import open_app

KINDS = ("selectbox", "multiselect", "select_slider", "slider", "number_input", "checkbox", "toggle", "button_group")
CHANGES: dict[str, list[tuple[str, str, Any]]] = {
    "gradient": [
        ("selectbox", "gradient.size", "(do not test size)"),
        ("multiselect", "gradient.covariates", ["site"]),
        ("select_slider", "gradient.permutations", 200),
        ("number_input", "gradient.seed", 3),
    ],
    "trajectory": [("slider", "trajectory.k", 7), ("multiselect", "trajectory.covariates", ["age"])],
    "probes": [
        ("selectbox", "probes.target", "histology"),
        ("select_slider", "probes.repeats", 2),
        ("select_slider", "probes.permutations.200", 0),
    ],
    "audit": [("multiselect", "audit.columns.stage", ["site"]), ("select_slider", "audit.permutations", 200)],
    "neighbours": [("number_input", "neighbours.k", 2), ("toggle", "neighbours.patients", False)],
    "map": [("slider", "map.neighbours", 9), ("selectbox", "filter.column", "age")],
    "compare": [("select_slider", "compare.repeats", 2), ("number_input", "compare.seed", 4)],
    "report": [("number_input", "report.permutations", 99), ("multiselect", "report.baseline", ["age"])],
}


def values(app: AppTest) -> dict[str, Any]:
    return {one.key: one.value for kind in KINDS for one in app.get(kind) if one.key}


def other_page(page: str) -> str:
    return "screens/cohort.py" if page != "cohort" else "screens/map.py"


@pytest.mark.parametrize("page", CHANGES)
def test_settings_survive_a_visit_to_another_page(settings: Settings, store_path: Path, page: str) -> None:
    app = open_app(settings, store_path, page)
    for kind, key, value in CHANGES[page]:
        next(one for one in app.get(kind) if one.key == key).set_value(value)
    app.run()
    before = {key: values(app)[key] for _, key, _ in CHANGES[page]}
    for _ in range(2):
        app.switch_page(other_page(page)).run()
    app.switch_page(f"screens/{page}.py").run()
    assert not app.exception
    assert {key: values(app)[key] for key in before} == before
    for _, key, value in CHANGES[page]:
        assert before[key] == value


def test_another_cohort_starts_afresh(
    settings: Settings, store_path: Path, make_store: Callable[[Path, bool], Path], tmp_path: Path
) -> None:
    app = open_app(settings, store_path, "gradient")
    fresh = values(app)
    for kind, key, value in CHANGES["gradient"]:
        next(one for one in app.get(kind) if one.key == key).set_value(value)
    app.run()
    assert values(app) != fresh
    app.switch_page("screens/cohort.py").run()
    settings.workspace.mkdir(parents=True, exist_ok=True)
    other = make_store(settings.workspace / "other.duckdb", False)
    app.run()
    app.text_input[-1].set_value(str(other)).run()
    app.button(key="open.button").click().run()
    assert app.session_state["shared.cohort"] == other
    app.switch_page("screens/gradient.py").run()
    assert not app.exception
    assert values(app) == fresh


def test_a_stage_chosen_on_one_page_is_chosen_on_the_others(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "gradient")
    app.switch_page("screens/trajectory.py").run()
    assert app.selectbox(key="trajectory.stage").value == "stage"
    app.session_state["shared.stage"] = "stage"
    app.switch_page("screens/gradient.py").run()
    assert app.selectbox(key="gradient.stage").value == "stage"


@pytest.mark.parametrize(
    ("page", "key", "stale"),
    [
        ("gradient", "gradient.size", "a column of another set"),
        ("gradient", "gradient.covariates", ["a column of another set"]),
        ("gradient", "gradient.permutations", 12345),
        ("audit", "audit.columns.stage", ["gone"]),
        ("probes", "probes.cut", "T9"),
        ("trajectory", "trajectory.root", "a case that is gone"),
        ("neighbours", "neighbours.k", 99),
        ("compare", "compare.sets", ["gone"]),
        ("compare", "compare.count", 50),
        ("map", "filter.range.age", (-10.0, 500.0)),
    ],
)
def test_a_kept_value_that_is_no_longer_offered_breaks_nothing(
    settings: Settings, store_path: Path, page: str, key: str, stale: Any
) -> None:
    app = open_app(settings, store_path)
    if page == "map":
        app.session_state["filter.column"] = "age"
    app.session_state[key] = stale
    app.switch_page(f"screens/{page}.py").run()
    assert not app.exception
    assert not app.error
    if page != "compare" or key != "compare.sets":
        assert values(app)[key] != stale
