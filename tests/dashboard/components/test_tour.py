"""The tour of the demonstration cohort: every step lands on its page, and it ends where it should."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.components.tour.steps import STEPS
from dashboard.session.settings import Settings
from tests.dashboard.app_session import APP, open_app

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def simulated(make_store: Callable[[Path, bool], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("tour") / "demo.duckdb", True)


def step_of(app: AppTest) -> str | None:
    return next((str(m.value) for m in app.markdown if str(m.value).startswith("##### Tour, step")), None)


def keys_of(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button if button.key}


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception, app.exception


def test_every_step_names_a_page_that_is_there_once() -> None:
    pages = [step.page for step in STEPS]
    assert len(set(pages)) == len(pages)
    navigation = APP.read_text(encoding="utf-8")
    for page in pages:
        assert (ROOT / "dashboard" / "screens" / f"{page}.py").is_file()
        assert f'"screens/{page}.py"' in navigation


def test_the_whole_tour_lands_on_each_page_and_back(settings: Settings, simulated: Path) -> None:
    app = open_app(settings, simulated)
    assert step_of(app) is None
    press(app, "tour.start")
    for number, step in enumerate(STEPS, start=1):
        assert step_of(app) == f"##### Tour, step {number} of {len(STEPS)}: {step.title}"
        assert app.title[0].value == step.title
        said = "\n".join(str(m.value) for m in app.markdown)
        for text in (step.do, step.see, step.caution):
            assert text in said
        assert "tour.start" not in keys_of(app)
        if number < len(STEPS):
            press(app, "tour.next")
    assert "tour.next" not in keys_of(app)
    press(app, "tour.back")
    assert app.title[0].value == STEPS[-2].title
    press(app, "tour.end")
    assert step_of(app) is None
    assert app.title[0].value == STEPS[-2].title


def test_the_first_step_has_nothing_before_it(settings: Settings, simulated: Path) -> None:
    app = open_app(settings, simulated)
    press(app, "tour.start")
    assert app.button(key="tour.back").disabled


def test_a_page_visited_on_the_way_keeps_the_step_and_leads_back(settings: Settings, simulated: Path) -> None:
    app = open_app(settings, simulated)
    press(app, "tour.start")
    press(app, "tour.next")
    app.switch_page("screens/neighbours.py").run()
    assert "step 2 of" in str(step_of(app))
    assert any("left the page of this step" in str(m.value) for m in app.markdown)
    press(app, "tour.return")
    assert app.title[0].value == "Map"


def test_a_cohort_of_patients_has_no_tour(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path)
    assert not {"tour.start", "tour.demonstration"} & keys_of(app)


def test_opening_a_cohort_of_patients_ends_the_tour(settings: Settings, simulated: Path, store_path: Path) -> None:
    app = open_app(settings, simulated)
    press(app, "tour.start")
    app.session_state["shared.cohort"] = store_path
    app.run()
    assert step_of(app) is None
    assert not {"tour.start", "tour.next"} & keys_of(app)


def test_without_a_cohort_the_demonstration_in_the_workspace_is_offered_and_opened(
    settings: Settings, simulated: Path
) -> None:
    folder = settings.workspace / "demo"
    folder.mkdir(parents=True)
    shutil.copy(simulated, folder / "demo.duckdb")
    app = open_app(settings, None)
    press(app, "tour.demonstration")
    assert app.session_state["shared.cohort"] == folder / "demo.duckdb"
    assert "step 1 of" in str(step_of(app))


def test_without_a_demonstration_cohort_none_is_offered(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(settings.data_roots[0])
    assert "tour.demonstration" not in keys_of(open_app(settings, None))


def test_a_file_that_is_no_cohort_is_not_offered_as_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(settings.data_roots[0])
    settings.workspace.mkdir(parents=True)
    (settings.workspace / "demo.duckdb").write_bytes(b"not a cohort")
    assert "tour.demonstration" not in keys_of(open_app(settings, None))
