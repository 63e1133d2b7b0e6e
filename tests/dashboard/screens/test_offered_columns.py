"""What no page may offer as a covariate: follow-up that is censored, and what only a simulation can know."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.data import caveats
from dashboard.session.settings import Settings
from embeddings.cohort.read import read_cohort
from embeddings.store.store import Store
from tests.dashboard.app_session import open_app

SAID = "Left out: survival (days)."
PAGES = ("map", "gradient", "audit", "trajectory", "probes", "survival", "neighbours", "compare", "report")


@pytest.fixture
def followed(settings: Settings, store_path: Path, tmp_path: Path) -> Path:
    """The cohort with a follow-up and its event, and with what a simulation knows, as the demonstration names it."""
    report = read_cohort(settings.data_roots[0] / "cohort.csv", check_images=False)
    cases = tuple(
        dataclasses.replace(
            case,
            covariates={
                **case.covariates,
                "survival_days": 30 + (number * 37) % 900,
                "event": number % 2,
                "true_diameter_mm": 10.0 + number,
                "true_side": ("left", "right")[number % 2],
                "simulated": "yes",
            },
        )
        for number, case in enumerate(report.cases)
    )
    path = tmp_path / "followed.duckdb"
    path.write_bytes(store_path.read_bytes())
    Store(path, read_only=False).register_cohort(dataclasses.replace(report, cases=cases))
    return path


def offered(app: AppTest) -> dict[str, list[str]]:
    """The options of every picker of a page by its key, as they are written."""
    return {str(one.key): list(one.options) for one in [*app.multiselect, *app.selectbox]}


def said(app: AppTest) -> str:
    return "\n".join(str(one.value) for one in app.caption)


@pytest.mark.parametrize("page", ["gradient", "audit", "trajectory", "probes", "report"])
def test_a_censored_time_is_left_out_of_the_covariates_and_the_page_says_why(
    settings: Settings, followed: Path, store_path: Path, page: str
) -> None:
    app = open_app(settings, followed, page)
    assert not app.exception
    pickers = {key: options for key, options in offered(app).items() if key not in ("report.time", "survival.time")}
    assert any("age (years)" in options for options in pickers.values())
    assert not [key for key, options in pickers.items() if "survival (days)" in options]
    assert SAID in said(app)
    assert "censored" in said(app)
    assert "Left out:" not in said(open_app(settings, store_path, page))


@pytest.mark.parametrize("page", PAGES)
def test_no_picker_offers_what_only_the_simulation_knows(settings: Settings, followed: Path, page: str) -> None:
    app = open_app(settings, followed, page)
    assert not app.exception
    pickers = offered(app)
    assert pickers
    assert not [one for options in pickers.values() for one in options if one.startswith("true")]


def test_survival_still_takes_the_time_and_its_event(settings: Settings, followed: Path) -> None:
    app = open_app(settings, followed, "survival")
    assert app.selectbox(key="survival.time").value == "survival_days"
    assert app.selectbox(key="survival.event").value == "event"
    assert "survival (days)" in offered(open_app(settings, followed, "report"))["report.time"]


@pytest.mark.parametrize("page", ["gradient", "audit", "trajectory", "probes", "report"])
def test_where_t_stage_and_a_size_are_chosen_the_page_says_what_they_share(
    settings: Settings, store_path: Path, page: str
) -> None:
    assert caveats.T_STAGE_AND_SIZE in said(open_app(settings, store_path, page))


def test_without_a_size_nothing_is_said_of_it(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "gradient")
    app.selectbox(key="gradient.size").set_value("(do not test size)").run()
    assert caveats.T_STAGE_AND_SIZE not in said(app)
