"""Every page, with and without data, as Streamlit runs it."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import AttributeDictionary

from dashboard.session.selection import History, Selection, of_cases
from dashboard.session.settings import Settings
from embeddings.store.saved_work import KeptWork
from tests.dashboard.app_session import open_app

PAGES = ("cohort", "map", "gradient", "audit", "trajectory", "probes", "neighbours", "compare")
ANALYSES = PAGES[1:]


def text_of(app: AppTest) -> str:
    parts = [*app.markdown, *app.info, *app.warning, *app.error, *app.caption, *app.success]
    return "\n".join(str(p.value) for p in parts)


@pytest.mark.parametrize("page", ANALYSES)
def test_a_page_without_a_cohort_says_what_to_do_next(settings: Settings, page: str) -> None:
    app = open_app(settings, page=page)
    assert "No cohort is open" in app.info[0].value
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_a_cohort_without_errors(settings: Settings, store_path: Path, page: str) -> None:
    app = open_app(settings, store_path, page)
    assert not app.error
    assert app.title[0].value
    if page != "cohort":
        assert "not the published FlexiCT" in text_of(app)
        assert "never for diagnosis" in text_of(app)


@pytest.mark.parametrize("page", PAGES)
def test_simulated_data_are_called_so_on_every_page(
    settings: Settings, make_store: Callable[[Path, bool], Path], tmp_path: Path, page: str
) -> None:
    simulated = make_store(tmp_path / "simulated.duckdb", True)
    assert "Simulated CT" in text_of(open_app(settings, simulated, page))


@pytest.mark.parametrize("page", PAGES)
def test_real_data_are_not_called_simulated(settings: Settings, store_path: Path, page: str) -> None:
    assert "Simulated" not in text_of(open_app(settings, store_path, page))


def test_the_gradient_page_finds_the_planted_gradient(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "gradient")
    assert "the axis follows stage" in text_of(app)
    values = {m.label: m.value for m in app.metric}
    assert float(values["Out of fold ρ"]) > 0.5
    assert values["ρ after size"] != "not tested"
    app.selectbox(key="gradient.size").set_value("(do not test size)").run()
    assert {m.label: m.value for m in app.metric}["ρ after size"] == "not tested"
    assert "is not tested: choose a size above" in text_of(app)


def test_slices_of_a_case_are_averaged_before_the_gradient(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "gradient")
    slices = next(o for o in app.sidebar.selectbox[0].options if o.startswith("Axial slices"))
    app.sidebar.selectbox[0].select(slices).run()
    assert "n = 41 scans of 36 patients" in text_of(app)


def test_the_probe_page_compares_with_size(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "probes")
    assert "AUC of both minus AUC of " in text_of(app)
    app.selectbox(key="probes.cut").select("keep all classes").run()
    assert not app.exception
    assert "AUC" in text_of(app)


def selected_in(app: AppTest, *case_ids: str) -> AppTest:
    """Select cases as another page would have."""
    app.session_state["shared.selection"] = History([Selection(), of_cases(case_ids)], at=1)
    return app


def test_points_selected_on_the_gradient_are_selected_on_the_map_and_offered_as_neighbours(
    settings: Settings, store_path: Path
) -> None:
    app = open_app(settings, store_path, "gradient")
    points = [{"customdata": [f"case{n:02d}/lesion"]} for n in (3, 5)]
    app.session_state["gradient.chart.0"] = AttributeDictionary({"selection": {"points": points}})
    app.run()
    assert "2 selected scans highlighted" in text_of(app)
    app.switch_page("screens/map.py").run()
    assert "2 selected scans" in [s.value for s in app.subheader]
    assert app.dataframe[0].value["case_id"].tolist() == ["case03", "case05"]
    app.switch_page("screens/neighbours.py").run()
    query = app.selectbox(key="neighbours.query")
    assert query.options == ["case03", "case05"]


def test_a_filter_selects_adds_and_takes_away(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "map")
    app.selectbox(key="filter.column").select("histology").run()
    app.multiselect(key="filter.values.histology").select("other").run()
    app.button(key="filter.replace").click().run()
    n_other = len(app.dataframe[0].value)
    assert set(app.dataframe[0].value["histology"]) == {"other"}
    app.multiselect(key="filter.values.histology").set_value(["squamous"]).run()
    app.button(key="filter.add").click().run()
    assert len(app.dataframe[0].value) > n_other
    assert set(app.dataframe[0].value["histology"]) == {"other", "squamous"}
    app.button(key="filter.subtract").click().run()
    assert len(app.dataframe[0].value) == n_other
    app.button(key="selection.undo").click().run()
    assert set(app.dataframe[0].value["histology"]) == {"other", "squamous"}
    app.button(key="selection.redo").click().run()
    assert len(app.dataframe[0].value) == n_other


def test_a_number_filter_keeps_what_lies_between(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "map")
    app.selectbox(key="filter.column").select("age").run()
    app.slider(key="filter.range.age").set_range(50, 60).run()
    app.button(key="filter.replace").click().run()
    ages = app.dataframe[0].value["age"]
    assert len(ages)
    assert ages.between(50, 60).all()


def test_a_selection_is_saved_under_a_name_and_found_in_another_session(
    settings: Settings, store_path: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(store_path, tmp_path / "named.duckdb"))
    app = selected_in(open_app(settings, path, "map"), "case03", "case05").run()
    app.text_input(key="selection.name").set_value("two of them").run()
    app.button(key="selection.save").click().run()
    assert not app.exception
    later = open_app(settings, path, "gradient")
    later.selectbox(key="selection.load").select("two of them").run()
    assert "2 selected scans highlighted" in text_of(later)
    later.button(key="selection.delete").click().run()
    assert not later.exception
    assert KeptWork(path).selections().empty
    assert "2 scans selected" in text_of(later)


def test_what_one_person_saves_another_finds_in_the_same_file(
    settings: Settings, store_path: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(store_path, tmp_path / "shared.duckdb"))
    one, other = open_app(settings, path, "map"), open_app(settings, path, "map")
    selected_in(one, "case03").run()
    one.text_input(key="selection.name").set_value("seen by one").run()
    one.button(key="selection.save").click().run()
    other.run()
    assert other.selectbox(key="selection.load").options == ["seen by one"]
    assert "Nothing is selected." in text_of(other)
    # One forgets it while the other still sees it offered.
    KeptWork(path).delete_selection("seen by one")
    other.selectbox(key="selection.load").select("seen by one").run()
    assert not other.exception
    assert "another user deleted it" in text_of(other)


def test_clearing_the_selection_brings_all_cases_back(settings: Settings, store_path: Path) -> None:
    app = selected_in(open_app(settings, store_path), "case03")
    app.switch_page("screens/neighbours.py").run()
    assert len(app.selectbox(key="neighbours.query").options) == 1
    app.button(key="selection.clear").click().run()
    assert len(app.selectbox(key="neighbours.query").options) == 41


def test_neighbours_are_of_other_patients_unless_asked_otherwise(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "neighbours")
    app.selectbox(key="neighbours.query").select("case00").run()
    app.number_input(key="neighbours.k").set_value(11).run()
    assert "patient00" not in app.dataframe[0].value["patient_id"].tolist()
    assert "orientation" not in text_of(app)
    assert not app.error


def test_a_cohort_without_vectors_says_to_embed(settings: Settings, cohort_csv: Path, tmp_path: Path) -> None:
    from embeddings.cohort.read import read_cohort
    from embeddings.store.store import Store

    path = tmp_path / "empty.duckdb"
    Store(path, read_only=False).register_cohort(read_cohort(cohort_csv, check_images=False))
    app = open_app(settings, path, "map")
    assert "no embeddings yet" in text_of(app)


def test_a_damaged_file_gives_one_sentence_on_every_page(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "broken.duckdb"
    path.write_bytes(b"not a database" * 1000)
    for page in PAGES:
        app = open_app(settings, path, page)
        assert app.error
        assert "broken.duckdb" in app.error[0].value


def test_a_file_outside_the_data_root_is_not_opened(settings: Settings, store_path: Path) -> None:
    app = open_app(settings)
    app.text_input[-1].set_value(str(store_path)).run()
    app.button(key="open.button").click().run()
    assert "outside the data root" in app.error[0].value
    assert app.session_state["shared.cohort"] is None


def test_failures_are_listed_with_their_reason(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path)
    reasons = [d.value["reason"].tolist() for d in app.dataframe if "reason" in d.value]
    assert reasons
    assert "the file is cut off: copy it again" in reasons[0]


def test_an_unordered_target_is_not_split_by_order(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "probes")
    app.selectbox(key="probes.target").select("histology").run()
    assert not app.exception
    assert "AUC" in text_of(app)
    assert not [s for s in app.selectbox if s.key == "probes.cut"]


def test_scans_that_may_not_be_hu_are_listed(
    settings: Settings, make_store: Callable[[Path, bool], Path], tmp_path: Path
) -> None:
    from embeddings.records import Source
    from embeddings.store.store import Store

    path = make_store(tmp_path / "doubtful.duckdb", False)
    store = Store(path, read_only=False)
    store.commit(store.sets()["set_id"][0], sources=[Source("case00", "digest", "stamp", "values run from 0 to 255")])
    app = open_app(settings, path)
    listed = [d.value["doubt"].tolist() for d in app.dataframe if "doubt" in d.value]
    assert listed == [["values run from 0 to 255"]]


def test_a_cohort_without_stages_says_so_once(settings: Settings, store_path: Path) -> None:
    from embeddings.cohort.read import read_cohort
    from embeddings.store.store import Store

    report = read_cohort(settings.data_roots[0] / "cohort.csv", mapping={"stage": None}, check_images=False)
    unstaged = dataclasses.replace(
        report, cases=tuple(dataclasses.replace(c, stage=None, covariates={}) for c in report.cases)
    )
    path = settings.workspace.with_name("unstaged.duckdb")
    path.write_bytes(store_path.read_bytes())
    Store(path, read_only=False).register_cohort(unstaged)
    for page in ("gradient", "trajectory"):
        app = open_app(settings, path, page)
        assert [i.value for i in app.info if "No column of this cohort is an ordered stage" in i.value]


@pytest.mark.parametrize(("page", "tables"), [("gradient", ["Intervals"]), ("probes", ["Confusion", "Calibration"])])
def test_every_panel_of_a_figure_has_its_numbers_to_download(
    settings: Settings, store_path: Path, page: str, tables: list[str]
) -> None:
    app = open_app(settings, store_path, page)
    assert [b.label for b in app.get("download_button")] == ["SVG", "PDF", "PNG", "CSV", *tables]


def test_the_trajectory_page_follows_covariates_with_adjusted_p(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "trajectory")
    assert len(app.multiselect(key="trajectory.covariates").value) == 3
    app.multiselect(key="trajectory.covariates").set_value(["equivalent_diameter_mm", "age", "site"]).run()
    assert not app.exception
    table = app.dataframe[0].value.set_index("covariate")
    assert float(table.loc["equivalent diameter (mm)", "rho [95 % interval]"].split()[0]) > 0.5
    assert table.loc["site: share of south", "n"] == "41"
    assert {"p, two-sided", "p, adjusted"} <= set(table)
    assert "equivalent diameter (mm) rises" in text_of(app)
    assert "after Benjamini-Hochberg over 3 covariates" in text_of(app)
    app.multiselect(key="trajectory.covariates").set_value([]).run()
    assert "Choose a covariate" in text_of(app)


def test_the_trajectory_page_shows_what_a_supervised_axis_reaches(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "trajectory")
    shown = {one.label: one.value for one in app.metric}
    assert float(shown["ρ of a supervised axis"]) > 0.5
    assert "A supervised stage axis reaches" in text_of(app)


def test_the_neighbours_page_tells_whether_like_cases_share_a_label(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "neighbours")
    assert "share the label more often than by chance" in text_of(app)
    assert "each against all other patients" in text_of(app)
    app.selectbox(key="retrieval.protocol").select("halves").run()
    assert "20 random halves" in text_of(app)
    slices = app.multiselect(key="retrieval.sets")
    slices.select(slices.options[0]).run()
    assert not app.exception
    assert "2 sets are fused" in text_of(app)
    app.selectbox(key="retrieval.label").select("site").run()
    assert "It is not shown that cases that are similar" in text_of(app)


def test_the_probe_page_asks_chance_labels_and_order(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "probes")
    assert "one-sided p" in text_of(app)
    assert "stage steps" not in text_of(app)  # two classes have no steps
    app.select_slider(key="probes.permutations.200").set_value(0)
    app.checkbox(key="probes.learning").check()
    app.selectbox(key="probes.cut").select("keep all classes").run()
    assert not app.exception
    said = text_of(app)
    assert "one-sided p" not in said
    assert "quadratic-weighted κ" in said
    assert "thinned by patient" in said
    assert [b.label for b in app.get("download_button")][-1] == "Learning curve"
    table = app.dataframe[0].value.set_index("measure")
    assert float(table.loc["quadratic-weighted kappa", "value [95 % interval]"].split()[0]) > 0.3
    app.selectbox(key="probes.target").select("histology").run()
    assert "quadratic-weighted" not in text_of(app)  # histology has no order


def test_the_gradient_page_accounts_for_categories_and_shows_the_discriminant(
    settings: Settings, store_path: Path
) -> None:
    app = open_app(settings, store_path, "gradient")
    assert "shrinkage discriminant (LDA)" in text_of(app)
    before = {m.label: m.value for m in app.metric}["ρ after size"]
    app.multiselect(key="gradient.covariates").set_value(["site", "age"]).run()
    assert not app.exception
    assert "site = south, age" in text_of(app)
    values = {m.label: m.value for m in app.metric}
    assert values["ρ after size and covariates"] != before
    assert "after size and covariates ρ" in text_of(app)
    app.selectbox(key="gradient.size").set_value("(do not test size)").run()
    assert {m.label: m.value for m in app.metric}["ρ after covariates"] != "not tested"
    assert 10_000 in [int(one) for one in app.select_slider(key="gradient.permutations").options]


def test_warnings_of_the_gradient_name_the_stage(settings: Settings, store_path: Path) -> None:
    from embeddings.cohort.read import read_cohort
    from embeddings.store.store import Store

    report = read_cohort(settings.data_roots[0] / "cohort.csv", check_images=False)
    cases = [
        dataclasses.replace(case, covariates={**case.covariates, "isup_grade": f"Grade {1 + 3 * (n == 4) + n % 2}"})
        for n, case in enumerate(report.cases)
    ]
    path = settings.workspace.with_name("graded.duckdb")
    path.write_bytes(store_path.read_bytes())
    Store(path, read_only=False).register_cohort(dataclasses.replace(report, cases=tuple(cases)))
    app = open_app(settings, path, "gradient")
    app.selectbox(key="gradient.stage").set_value("isup_grade").run()
    assert not app.exception
    assert "Stage Grade 4 has a single patient" in text_of(app)


def test_of_very_many_slices_the_one_that_is_sought_is_offered(
    settings: Settings, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.components.selection.case_picker.MOST_OPTIONS", 10)
    app = open_app(settings, store_path, "neighbours")
    slices = next(o for o in app.sidebar.selectbox[0].options if o.startswith("Axial slices"))
    app.sidebar.selectbox[0].select(slices).run()
    assert len(app.selectbox(key="neighbours.query").options) == 10
    assert "The first 10 are listed" in text_of(app)
    app.text_input(key="neighbours.find").set_value("CASE33").run()
    assert [o.split(",")[0] for o in app.selectbox(key="neighbours.query").options][-2:] == ["case33", "case33"]
    app.selectbox(key="neighbours.query").select_index(1).run()
    # What was picked stays on offer, whatever is sought next.
    picked = app.selectbox(key="neighbours.query").value
    app.text_input(key="neighbours.find").set_value("case04").run()
    assert app.selectbox(key="neighbours.query").value == picked
    app.text_input(key="neighbours.find").set_value("no such case").run()
    assert not app.exception
