"""The page Compare encoders: sets of one cohort side by side, and what it says where there is nothing to compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.session.settings import Settings
from embeddings.records import CaseOutcome, EmbeddedItem, SetIdentity
from embeddings.store.store import Store
from tests.dashboard.app_session import open_app


def open_page(settings: Settings, cohort: Path | None) -> AppTest:
    app = open_app(settings, cohort, "compare")
    assert not app.error
    return app


def text_of(app: AppTest) -> str:
    parts = [*app.markdown, *app.info, *app.caption]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def add_set(path: Path, encoder: str, *, noise: float, cases: slice = slice(None), view: str = "lesion") -> None:
    """Another set of the lesions: the first one's vectors in noise, of some of the cases."""
    store = Store(path, read_only=False)
    sets = store.sets()
    frame, vectors = store.table(str(sets.loc[sets["view"] == "lesion", "set_id"].iloc[0]))
    drawn = vectors + np.random.default_rng(5).normal(0, noise, vectors.shape)
    identity = SetIdentity(encoder, "1" * 64, view, view, "pooled", vectors.shape[1], "1", "made here", False)
    kept = frame["case_id"].tolist()[cases]
    items = [
        EmbeddedItem(f"{case_id}/{view}", case_id, drawn[row].astype(np.float32))
        for row, case_id in enumerate(frame["case_id"])
        if case_id in kept
    ]
    store.commit(
        store.open_set(identity), items, failures=[], outcomes=[CaseOutcome(c, True) for c in kept], lesions=[]
    )


@pytest.fixture
def cohort(store_path: Path, tmp_path: Path) -> Path:
    path = tmp_path / "two.duckdb"
    path.write_bytes(store_path.read_bytes())
    return path


def test_without_a_cohort_the_page_says_what_to_do(settings: Settings) -> None:
    assert "No cohort is open" in text_of(open_page(settings, None))


def test_sets_of_two_views_are_compared_case_by_case(settings: Settings, store_path: Path) -> None:
    app = open_page(settings, store_path)
    said = text_of(app)
    assert "In all of these sets: 41 scans of 36 patients." in said
    assert [s.value for s in app.subheader] == [
        "Stage gradient",
        "Linear probe",
        "Retrieval",
        "Are the same scans similar in all sets?",
    ]
    assert "It is not shown that the two sets differ in how well they follow stage" in said
    assert "the two sets share" in said
    assert "How is this computed?" in [e.label for e in app.expander]
    labels = [b.label for b in app.get("download_button")]
    assert labels[:6] == ["SVG", "PDF", "PNG", "CSV", "Differences", "Cases"]


def test_sets_of_the_view_shown_come_first_and_a_worse_one_is_found(settings: Settings, cohort: Path) -> None:
    add_set(cohort, "coarse [x](y)", noise=50.0)
    app = open_page(settings, cohort)
    chosen = app.multiselect(key="compare.sets").value
    assert [one.split(".")[1] for one in chosen] == ["lesion", "lesion"]
    said = text_of(app)
    assert "Lesion crops · flexict-nano follows stage better than Lesion crops · coarse [x](y)" in said
    # A name is shown as it stands, not acted on.
    assert all("coarse [x](y)" not in str(part.value) for part in app.markdown)


def test_only_cases_in_every_set_are_compared_and_the_rest_counted(settings: Settings, cohort: Path) -> None:
    add_set(cohort, "partial", noise=0.1, cases=slice(0, 34))
    said = text_of(open_page(settings, cohort))
    assert "34 scans" in said
    assert "7 left out because not every set has them" in said


def test_the_cases_that_sets_disagree_on_can_be_selected_on_every_page(settings: Settings, store_path: Path) -> None:
    app = open_page(settings, store_path)
    app.number_input(key="compare.count").set_value(4).run()
    app.button(key="compare.select").click().run()
    assert not app.exception
    table = next(d.value for d in app.dataframe if "jaccard" in d.value)
    assert len(table) == 4
    assert table["jaccard"].is_monotonic_increasing
    app.switch_page("screens/neighbours.py").run()
    offered = app.selectbox(key="neighbours.query").options
    assert {str(one).split(",")[0] for one in offered} == set(table["case_id"])


def test_another_number_of_nearest_cases_changes_what_is_shared(settings: Settings, store_path: Path) -> None:
    app = open_page(settings, store_path)
    assert "Of the 10 nearest cases" in text_of(app)
    app.session_state["compare.k"] = 5
    app.run()
    assert not app.exception
    assert "Of the 5 nearest cases" in text_of(app)


def test_one_set_alone_asks_for_a_second_with_the_command(settings: Settings, cohort: Path) -> None:
    app = open_page(settings, cohort)
    app.multiselect(key="compare.sets").set_value(app.multiselect(key="compare.sets").value[:1]).run()
    assert "Choose at least two embedding sets" in text_of(app)


def test_a_cohort_with_one_set_says_how_to_embed_another(settings: Settings, tmp_path: Path) -> None:
    from embeddings.cohort.read import read_cohort

    path = tmp_path / "one set.duckdb"
    store = Store(path, read_only=False)
    report = read_cohort(settings.data_roots[0] / "cohort.csv", check_images=False)
    store.register_cohort(report, simulated=False)
    rng = np.random.default_rng(0)
    items = [
        EmbeddedItem(f"{c.case_id}/lesion", c.case_id, rng.normal(size=8).astype(np.float32)) for c in report.cases
    ]
    identity = SetIdentity("flexict-nano", "0" * 64, "lesion", "lesion", "pooled", 8, "1", "bundled", False)
    outcomes = [CaseOutcome(c.case_id, True) for c in report.cases]
    store.commit(store.open_set(identity), items, failures=[], outcomes=outcomes, lesions=[])
    app = open_page(settings, path)
    assert "one embedding set" in app.info[0].value
    commands = [one.value for one in app.code]
    assert f"--db '{path}' --encoder flexict-3d --view lesion" in commands[0]
    assert commands[1].endswith("--encoder flexict-nano --view volume")
    assert "embeddings import" in commands[2]


def test_every_class_by_itself_can_be_told_apart(settings: Settings, store_path: Path) -> None:
    app = open_page(settings, store_path)
    app.selectbox(key="compare.cut").select("keep all classes").run()
    assert not app.exception
    assert "Label: T1, T2, T3." in text_of(app)


def test_stage_and_label_can_be_left_out(settings: Settings, store_path: Path) -> None:
    app = open_page(settings, store_path)
    app.selectbox(key="compare.stage").select("(do not compare stage axes)").run()
    app.selectbox(key="compare.label").select("(do not compare probes and retrieval)").run()
    assert not app.exception
    assert [s.value for s in app.subheader] == ["Are the same scans similar in all sets?"]
