"""The Shortcuts page, on a cohort with a planted shortcut and on cohorts that lack something."""

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
from embeddings.analysis import Adjusted, ShortcutAudit, shortcuts, verdicts
from embeddings.cohort.read import read_cohort
from embeddings.store.store import Store
from tests.dashboard.app_session import open_app

MakeCohort = Callable[[Callable[[int, dict[str, Any]], dict[str, Any]]], Path]


@pytest.fixture
def cohort_with(settings: Settings, store_path: Path, tmp_path: Path) -> MakeCohort:
    """Writes the cohort with its covariates changed, given the number of the case and what it has."""

    def make(change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> Path:
        report = read_cohort(settings.data_roots[0] / "cohort.csv", check_images=False)
        cases = tuple(
            dataclasses.replace(case, covariates=change(number, dict(case.covariates)))
            for number, case in enumerate(report.cases)
        )
        path = tmp_path / "changed.duckdb"
        path.write_bytes(store_path.read_bytes())
        Store(path, read_only=False).register_cohort(dataclasses.replace(report, cases=cases))
        return path

    return make


def text_of(app: AppTest) -> str:
    return "\n".join(str(p.value) for p in [*app.markdown, *app.info, *app.warning, *app.error, *app.caption])


def chosen(app: AppTest) -> Any:
    return next(one for one in app.multiselect if str(one.key).startswith("audit.columns"))


def test_every_column_has_its_verdict_and_its_row(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "audit")
    asked = chosen(app).value
    assert {"age", "histology", "site", "equivalent_diameter_mm"} <= set(asked)
    assert not {"stage", "t_stage"} & set(asked)
    said = text_of(app)
    rows = app.dataframe[0].value
    sizes = columns.SIZE_COLUMNS
    assert set(sizes) <= set(asked)
    # The measures of the mask are one finding, where the first of them stands.
    names = dict.fromkeys("tumour size" if c in sizes else columns.label(c) for c in asked)
    assert rows["column"].tolist() == list(names)
    assert "Tumour size is the mean rank of" in said
    assert all(columns.label(c) in said for c in sizes)
    for name in rows["column"]:
        assert f"- {name} " in said
    assert "scanner, kernel, slice thickness, contrast medium, sex" in said
    assert "Benjamini and Hochberg" in said
    labels = [b.label for b in app.get("download_button")]
    assert labels == ["SVG", "PDF", "PNG", "CSV", "Left out", "CSV", "CSV"]


def test_a_site_that_is_nearly_the_stage_is_called_out_first(settings: Settings, cohort_with: MakeCohort) -> None:
    path = cohort_with(lambda number, held: held | {"hospital": ("first", "second", "third")[number % 3]})
    app = open_app(settings, path, "audit")
    chosen(app).set_value(["hospital", "age"]).run()
    assert app.markdown[0].value.startswith("#### 1 of 2 columns alone explains the stage axis here: hospital.")
    assert "- hospital alone explains the stage axis here" in text_of(app)
    assert len(app.dataframe[0].value) == 2


def test_levels_left_out_of_training_are_listed(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "audit")
    left_out = app.dataframe[1].value
    assert {"north", "south"} <= set(left_out["level"])
    assert (left_out["n"].astype(int) >= 5).all()


def test_without_a_chosen_column_the_page_asks_for_one(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "audit")
    chosen(app).set_value([]).run()
    assert not app.exception
    assert "Choose at least one column" in text_of(app)
    assert not app.dataframe


def test_a_page_without_a_cohort_says_what_to_do_next(settings: Settings) -> None:
    assert "No cohort is open" in open_app(settings, None, "audit").info[0].value


def test_a_cohort_of_too_few_staged_cases_is_refused_in_a_sentence(settings: Settings, cohort_with: MakeCohort) -> None:
    path = cohort_with(lambda number, held: held | {"isup_grade": f"Grade {1 + number % 2}" if number < 15 else None})
    app = open_app(settings, path, "audit")
    app.selectbox(key="audit.stage").set_value("isup_grade").run()
    assert not app.exception
    assert "at least 20 cases" in text_of(app)


def test_a_column_of_names_is_offered_but_not_preset_and_then_explained(
    settings: Settings, cohort_with: MakeCohort
) -> None:
    path = cohort_with(lambda number, held: held | {"radiologist": f"Dr {number}"})
    app = open_app(settings, path, "audit")
    assert "radiologist" not in chosen(app).value
    chosen(app).set_value(["radiologist"]).run()
    assert not app.exception
    assert "fewer than two levels" in text_of(app)
    assert "None of the columns can be audited" in text_of(app)


FRAME = pd.DataFrame(
    {
        "stage": ["T1", "T2", "T3"] * 20,
        "p_stage": ["T1a", "T2", "T3"] * 20,
        "n_stage": ["N0", "N1", "N0", "N1"] * 15,
        "hospital": [1, 2, 3] * 20,
        "survival_days": np.arange(60.0),
        "vital_status": ["alive", "dead"] * 30,
        "exposure_time_ms": np.arange(60.0),
        "contrast": [True, False] * 30,
        "remarks": [f"seen on day {k}" for k in range(60)],
        "tumour_size_mm": np.arange(60.0),
    }
)


def test_suspects_are_neither_the_stage_nor_its_spellings_nor_the_outcome_nor_free_text() -> None:
    found = columns.suspects(FRAME, "stage")
    # The hospital is as good as the stage here, which is what an audit must find, not leave out.
    assert found == ["n_stage", "hospital", "exposure_time_ms", "contrast", "tumour_size_mm"]
    assert "p_stage" in columns.suspects(FRAME, "n_stage")


def test_a_time_counts_as_outcome_only_beside_an_event() -> None:
    assert "survival_days" in columns.suspects(FRAME.drop(columns="vital_status"), "stage")


def test_suspects_that_no_column_tells_of_are_named() -> None:
    assert columns.unrecorded(FRAME) == ["scanner", "kernel", "slice thickness", "sex", "age"]


@pytest.fixture(scope="module")
def result() -> ShortcutAudit:
    rng = np.random.default_rng(0)
    stage = np.arange(60) % 3
    X = rng.normal(size=(60, 6)) + 3.0 * np.outer(stage, np.eye(6)[0])
    known = {"site": np.array(["a", "b", "c"])[stage], "age": rng.normal(size=60), "one": np.ones(60)}
    return shortcuts(X, stage, known, n_permutations=99, n_bootstrap=20)


def test_the_reading_names_the_columns_that_explain_the_axis(result: ShortcutAudit) -> None:
    assert verdicts.audit(result) == "1 of 2 columns alone explains the stage axis here: site."
    twice = dataclasses.replace(result, columns=(*result.columns, dataclasses.replace(result.columns[0], name="town")))
    assert verdicts.audit(twice) == "2 of 3 columns each alone explain the stage axis here: site, town."
    harmless = dataclasses.replace(result, columns=result.columns[1:])
    assert verdicts.audit(harmless) == (
        "age is not shown both to be associated with stage and to be predicted by the vectors."
    )
    assert "None of the columns can be audited" in verdicts.audit(
        dataclasses.replace(result, columns=result.columns[2:])
    )


def test_a_column_that_is_predicted_but_does_not_explain_the_axis_is_said_so(result: ShortcutAudit) -> None:
    site = result.columns[0]
    assert max(site.association_p_adjusted, site.column_from_vectors_p_adjusted) < 0.05
    beyond = dataclasses.replace(
        site, kind="numeric", after_removal_p=0.001, after_removal_p_adjusted=0.002, before_removal_p_adjusted=0.001
    )
    assert verdicts.audit(dataclasses.replace(result, columns=(beyond, result.columns[1]))) == (
        "1 of 2 columns is associated with stage and predicted by the vectors (site), but it alone does not explain "
        "the stage axis."
    )
    no_axis = dataclasses.replace(beyond, before_removal_p_adjusted=0.4, after_removal_p_adjusted=0.6)
    some_cases = dataclasses.replace(result, columns=(no_axis,))
    assert verdicts.audit(some_cases).endswith(
        "but on the cases that have a value no stage axis is shown that could be explained."
    )
    nowhere = dataclasses.replace(some_cases, axis=dataclasses.replace(result.axis, p_adjusted=0.08, n_tests=5))
    p = verdicts.p_in_sentence(0.01, "one-sided", Adjusted(0.08, 5))
    assert "but no stage axis is shown that could be explained (ρ" in verdicts.audit(nowhere)
    assert verdicts.audit(nowhere).endswith(f"; {p}).")


def test_too_few_permutations_for_the_number_of_columns_are_called_out(result: ShortcutAudit) -> None:
    assert verdicts.audit_resolution(result) is None
    coarse = dataclasses.replace(result, n_permutations=19)
    assert "at least 40 permutations" in str(verdicts.audit_resolution(coarse))


def test_of_many_columns_the_ones_that_explain_the_axis_are_said_first(
    settings: Settings, cohort_with: MakeCohort
) -> None:
    many = {f"column_{k:02d}": k for k in range(13)}

    def change(number: int, held: dict[str, Any]) -> dict[str, Any]:
        noise = {name: (number * (3 + 2 * k)) % 41 for name, k in many.items()}
        return held | noise | {"hospital": ("first", "second", "third")[number % 3]}

    app = open_app(settings, cohort_with(change), "audit")
    chosen(app).set_value([*many, "hospital"]).run()
    assert "- hospital alone explains the stage axis here" in app.markdown[1].value
    assert "column 05" not in app.markdown[1].value
    assert "13 other columns" in [one.label for one in app.expander][1]
    assert "- column 05" in text_of(app)
