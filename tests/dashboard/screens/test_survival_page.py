"""The Survival page, on a cohort with follow-up and on cohorts that lack it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.data import columns
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings.analysis import SurvivalByScore, by_score, verdicts
from embeddings.cohort.read import read_cohort
from embeddings.store.store import Store
from tests.dashboard.app_session import APP, open_app

MakeFollowed = Callable[[str, Callable[[int], dict[str, Any]]], Path]


@pytest.fixture
def followed(settings: Settings, store_path: Path, tmp_path: Path) -> MakeFollowed:
    """Writes the cohort with further columns, given by the number of the case."""

    def make(name: str, added: Callable[[int], dict[str, Any]]) -> Path:
        report = read_cohort(settings.data_roots[0] / "cohort.csv", check_images=False)
        cases = [
            dataclasses.replace(case, covariates={**case.covariates, **added(number)})
            for number, case in enumerate(report.cases)
        ]
        path = tmp_path / f"{name}.duckdb"
        path.write_bytes(store_path.read_bytes())
        Store(path, read_only=False).register_cohort(dataclasses.replace(report, cases=tuple(cases)))
        return path

    return make


def follow_up(number: int) -> dict[str, Any]:
    """Higher stages (the case's number modulo 3) fail sooner; every fourth is censored; one has no time."""
    time = np.random.default_rng(number).exponential(2000.0 / 5 ** (number % 3))
    return {
        "survival_days": None if number == 6 else round(float(time), 1),
        "vital_status": "alive" if number % 4 == 0 else "dead",
    }


def text_of(app: AppTest) -> str:
    return "\n".join(str(p.value) for p in [*app.markdown, *app.info, *app.warning, *app.error, *app.caption])


def test_the_stage_axis_tells_the_planted_survival(settings: Settings, followed: MakeFollowed) -> None:
    app = open_app(settings, followed("survival", follow_up), "survival")
    assert "Patients with a higher stage axis (out of fold) have worse survival" in text_of(app)
    assert "choose covariates above" in text_of(app)
    values = {m.label: m.value for m in app.metric}
    assert float(values["Hazard ratio per SD"]) > 1.2
    assert float(values["C-index"]) > 0.55
    # 41 embedded scans of 36 patients, one without a time: its patient's other scan stands in, where there is one.
    assert "of 41 scans" in text_of(app)
    groups = app.dataframe[0].value
    assert groups["group"].tolist() == ["low score", "middle score", "high score"]
    assert [b.label for b in app.get("download_button")] == ["SVG", "PDF", "PNG", "CSV", "Groups", "Cox"]


def test_the_page_says_which_value_counts_as_an_event(settings: Settings, followed: MakeFollowed) -> None:
    words = {"alive": "0:LIVING", "dead": "1:DEAD WITH TUMOR"}
    path = followed("coded", lambda n: follow_up(n) | {"vital_status": words[follow_up(n)["vital_status"]]})
    said = text_of(open_app(settings, path, "survival"))
    assert plain("Counted as an event: '1:DEAD WITH TUMOR'. Counted as censored: '0:LIVING'.") in said


def test_covariates_and_other_scores_can_be_chosen(settings: Settings, followed: MakeFollowed) -> None:
    app = open_app(settings, followed("survival", follow_up), "survival")
    app.multiselect(key="survival.covariates").set_value(["age", "histology"]).run()
    assert not app.exception
    terms = app.dataframe[1].value
    assert terms["contrast"].str.startswith("against").sum() == 2
    assert set(terms["model"]) == {"score alone", "with covariates"}
    app.selectbox(key="survival.score").set_value("equivalent_diameter_mm").run()
    assert not app.exception
    assert "equivalent diameter (mm)" in text_of(app)
    app.selectbox(key="survival.score").set_value("Pseudotime").run()
    assert not app.exception
    assert not app.error
    assert [m for m in app.metric if m.label == "C-index"]


def test_a_cohort_without_follow_up_says_which_columns_it_lacks(settings: Settings, store_path: Path) -> None:
    said = open_app(settings, store_path, "survival").info[0].value
    assert "a **time** from the scan" in said
    assert "an **event** column" in said


def test_a_cohort_with_times_alone_is_asked_for_events(settings: Settings, followed: MakeFollowed) -> None:
    path = followed("times", lambda n: {"survival_days": follow_up(n)["survival_days"]})
    said = open_app(settings, path, "survival").info[0].value
    assert "time**" not in said
    assert "an **event** column" in said


def test_too_few_patients_with_follow_up_are_refused_in_a_sentence(settings: Settings, followed: MakeFollowed) -> None:
    path = followed("few", lambda n: follow_up(n) if n < 15 else {"survival_days": None, "vital_status": None})
    assert "at least 20 patients with a score, a time and an event" in text_of(open_app(settings, path, "survival"))


def test_a_page_without_a_cohort_says_what_to_do_next(settings: Settings) -> None:
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = settings
    app.session_state["shared.cohort"] = None
    app.run()
    app.switch_page("screens/survival.py").run()
    assert "No cohort is open" in app.info[0].value


def test_time_and_event_columns_are_told_by_name_and_values() -> None:
    frame = pd.DataFrame(
        {
            "age_years": [60, 70, 80],
            "os_months": [1.0, 2.0, 30.0],
            "delta_days": [-1, 0, 5],
            "survival_status": [0, 1, 0],
            "vital": ["alive", "dead", "dead"],
            "smoker": ["yes", "no", "yes"],
            "sex": ["m", "f", "f"],
            "censored": [1, 0, 1],
        }
    )
    assert columns.times(frame) == ["os_months"]
    assert columns.times(frame.assign(survival_days=frame["os_months"] * 30)) == ["survival_days", "os_months"]
    first_scans = [0.0] * (len(frame) - 1) + [90.0]
    assert columns.times(frame.assign(days_since_first_scan=first_scans)) == ["os_months"]
    assert columns.events(frame) == ["survival_status", "vital", "smoker"]
    assert columns.label("os_months") == "os (months)"


@pytest.fixture(scope="module")
def result() -> SurvivalByScore:
    rng = np.random.default_rng(0)
    score, age = rng.normal(size=(2, 150))
    time = rng.exponential(np.exp(-0.8 * score))
    return by_score(score, time, np.ones(150), covariates={"age": age}, n_bootstrap=50)


def test_the_verdict_follows_the_models(result: SurvivalByScore) -> None:
    assert result.score_alone is not None
    assert "have worse survival" in verdicts.survival(result, "axis")
    assert "After adjustment for the covariates this remains" in verdicts.survival(result, "axis")
    weak = dataclasses.replace(result.cox[0], p_adjusted=0.2)
    assert "no longer shown" in verdicts.survival(dataclasses.replace(result, cox=(weak, *result.cox[1:])), "axis")
    alone = dataclasses.replace(result, cox=(result.score_alone,))
    assert "Whether this goes beyond stage or size is not tested" in verdicts.survival(alone, "axis")
    assert "cannot be fitted" in verdicts.survival(dataclasses.replace(result, cox=()), "axis")
    better = dataclasses.replace(result, score_alone=dataclasses.replace(result.score_alone, hazard_ratio=0.5))
    assert "have better survival" in verdicts.survival(better, "axis")
    assert "no longer shown" in verdicts.survival(better, "axis")  # the model with covariates points the other way


def test_no_effect_is_claimed_without_evidence(result: SurvivalByScore) -> None:
    assert result.score_alone is not None
    null = dataclasses.replace(result, score_alone=dataclasses.replace(result.score_alone, p=0.4), logrank_p=0.5)
    assert verdicts.survival(null, "axis").startswith("No difference in survival by axis is shown")
    assert "no steady trend with it is shown" in verdicts.survival(dataclasses.replace(null, logrank_p=0.01), "axis")
    assert verdicts.survival(dataclasses.replace(result, score_alone=None), "axis").startswith("Not tested")
