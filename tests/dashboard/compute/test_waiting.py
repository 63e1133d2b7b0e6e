"""What a page shows in the place of an analysis that still runs, was cancelled or failed."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.compute import background
from dashboard.compute.background import Registry
from dashboard.session.settings import Settings

APP = Path(__file__).resolve().parents[3] / "dashboard" / "app.py"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A server of its own for the test, which remembers nothing of others."""
    made = Registry()
    monkeypatch.setattr(background, "registry", lambda: made)
    yield made
    made.close()


@pytest.fixture
def open_page(settings: Settings, store_path: Path, tmp_path: Path, registry: Registry) -> Callable[[str], AppTest]:
    """Opens a page of a cohort file that holds no results, in an app that waits for no analysis."""
    path = Path(shutil.copy(store_path, tmp_path / "cohort.duckdb"))

    def open_it(page: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=600)
        app.session_state["settings"] = dataclasses.replace(settings, cohort=path, patience_s=0.0)
        app.session_state["shared.cohort"] = path
        app.run()
        return app.switch_page(f"screens/{page}.py").run()

    return open_it


def run_until(app: AppTest, what: Callable[[], object]) -> None:
    """Run the page again and again, as the browser does while something runs."""
    while not what():
        time.sleep(0.05)
        app.run()
        assert not app.exception, app.exception


def buttons(app: AppTest) -> list[str]:
    return [one.label for one in app.main.button]


def bars(app: AppTest) -> list[str]:
    return [one.proto.text for one in app.get("progress")]


def slow(app: AppTest) -> None:
    """Ask for so many permutations that the analysis takes a while."""
    app.select_slider(key="gradient.permutations").set_value(10_000).run()


def test_a_page_shows_how_far_its_analysis_is_and_then_the_result(open_page: Callable[[str], AppTest]) -> None:
    app = open_page("gradient")
    [bar] = bars(app)
    assert bar.startswith("**Fitting the stage axis")
    assert buttons(app) == ["Cancel"]
    assert not app.metric
    # What the page asks is there already.
    assert app.selectbox(key="gradient.size").value == "equivalent_diameter_mm"
    run_until(app, lambda: app.metric)
    assert bars(app) == []
    assert "Cancel" not in buttons(app)
    assert any("the axis follows stage" in one.value for one in app.markdown)


def test_after_cancel_the_place_says_so_and_offers_to_run_it_again(
    open_page: Callable[[str], AppTest], registry: Registry
) -> None:
    app = open_page("gradient")
    slow(app)
    app.button(key="waiting.gradient.cancel").click().run()
    assert any("cancelled" in one.value for one in app.info)
    assert registry.processes() == {}
    app.run()
    assert buttons(app) == ["Run again"]
    app.button(key="waiting.gradient.again").click().run()
    assert len(bars(app)) == 1


def test_a_crash_is_said_in_a_sentence_and_can_be_run_again(
    open_page: Callable[[str], AppTest], registry: Registry
) -> None:
    app = open_page("gradient")
    slow(app)
    run_until(app, registry.processes)
    for pid in registry.processes().values():
        os.kill(pid, signal.SIGKILL)
    run_until(app, lambda: app.error)
    assert "ended before its result was there" in app.error[0].value
    app.button(key="waiting.gradient.again").click().run()
    assert len(bars(app)) == 1


def test_other_pages_and_the_choices_of_a_page_can_be_used_while_an_analysis_runs(
    open_page: Callable[[str], AppTest], registry: Registry
) -> None:
    app = open_page("gradient")
    slow(app)
    run_until(app, registry.processes)
    app.selectbox(key="gradient.size").set_value("(do not test size)").run()
    assert app.select_slider(key="gradient.permutations").value == 10_000
    app.switch_page("screens/neighbours.py").run()
    assert not app.exception
    assert app.selectbox(key="neighbours.query").options
    assert len(registry.processes()) >= 1


def test_the_parts_of_a_page_wait_by_themselves(open_page: Callable[[str], AppTest]) -> None:
    app = open_page("trajectory")
    assert len(bars(app)) == 2
    assert app.multiselect(key="trajectory.covariates").value
    app.multiselect(key="trajectory.covariates").set_value(["age"]).run()
    run_until(app, lambda: len(app.metric) == 5 and not bars(app))
    assert app.multiselect(key="trajectory.covariates").value == ["age"]
    assert app.dataframe[-1].value.iloc[:, 0].tolist() == ["age (years)"]


def test_the_probe_is_shown_before_its_permutations_have_ended(open_page: Callable[[str], AppTest]) -> None:
    app = open_page("probes")
    app.selectbox(key="probes.target").select("histology").run()
    app.select_slider(key="probes.permutations.200").set_value(1000).run()
    run_until(app, lambda: app.dataframe)
    assert any("every permutation of the classes" in one for one in bars(app))


def test_the_report_page_shows_its_progress_and_can_be_cancelled(
    open_page: Callable[[str], AppTest], registry: Registry
) -> None:
    app = open_page("report")
    assert bars(app) == []
    next(one for one in app.button if one.label == "Build the report").click().run()
    run_until(app, lambda: any("Now: " in one.value for one in app.caption))
    assert bars(app)[0].startswith("**Building the report**")
    app.button(key="waiting.report.cancel").click().run()
    assert "Run again" in buttons(app)
    assert registry.processes() == {}
    next(one for one in app.button if one.label == "Build the report").click().run()
    assert len(bars(app)) == 1


def one_analysis(name: str) -> None:
    """A page with one analysis."""
    import streamlit as st

    from dashboard.compute.task import Task
    from dashboard.compute.waiting import obtain, section
    from flexict.errors import FlexiCTError
    from tests.dashboard import failing_analyses

    with section():
        try:
            obtain(Task(getattr(failing_analyses, name), {}, "Working", module=failing_analyses.MODULE), "place")
        except FlexiCTError as error:
            st.error(str(error))


@pytest.mark.parametrize(
    ("name", "said", "offered"),
    [
        ("refuse", "there are 3 cases, and 5 are needed", []),
        ("break_down", "An error of the program stopped this", ["Run again"]),
    ],
)
def test_a_refusal_is_its_sentence_and_a_fault_of_the_program_can_be_run_again(
    settings: Settings, registry: Registry, caplog: pytest.LogCaptureFixture, name: str, said: str, offered: list[str]
) -> None:
    app = AppTest.from_function(one_analysis, args=(name,), default_timeout=600)
    app.session_state["settings"] = settings
    app.run()
    assert not app.exception
    assert said in app.error[0].value
    assert buttons(app) == offered
    assert ("Traceback (most recent call last)" in caplog.text) == bool(offered)
