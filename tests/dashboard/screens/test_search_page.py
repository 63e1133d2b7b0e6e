"""The Text search page: a sentence ranks scans, findings become columns of every set, and refusals are messages."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.data import columns, loading
from dashboard.data.zero_shot import findings_in
from dashboard.session.settings import Settings
from embeddings import job
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store
from embeddings.text_search import open_tower, search
from tests.dashboard.app_session import open_app
from tests.dashboard.text_cohort import N_CHESTS, write_text_cohort

SENTENCE = "large spiculated solid mass"


@pytest.fixture(scope="session")
def chests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text cohort; tests copy it before they write to it."""
    return write_text_cohort(tmp_path_factory.mktemp("chests"))


@pytest.fixture
def copied(chests: Path, tmp_path: Path) -> Path:
    """A cohort file of its own; the CTs lie where they lay."""
    return Path(shutil.copy(chests, tmp_path / "copied.duckdb"))


def ask(app: AppTest, sentence: str) -> AppTest:
    app.text_input(key="search.sentence").set_value(sentence)
    app.button(key="search.go").click().run()
    assert not app.exception, app.exception
    return app


def text_of(app: AppTest) -> str:
    return "\n".join(str(p.value) for p in [*app.markdown, *app.info, *app.warning, *app.caption, *app.success])


def test_a_sentence_ranks_the_cases_as_the_command_does(settings: Settings, chests: Path) -> None:
    app = ask(open_app(settings, chests, "search"), SENTENCE)
    store = Store(chests)
    tower, set_id = open_tower(store)
    wanted = search(store, SENTENCE, tower, set_id)
    table = app.dataframe[0].value
    assert table["case_id"].tolist() == wanted["case_id"].tolist()
    assert table["rank"].tolist() == list(range(1, N_CHESTS + 1))
    assert table["similarity"].tolist() == pytest.approx(wanted["similarity"].tolist())
    assert "not a diagnosis" in text_of(app)
    assert "for demonstrations only" in text_of(app)
    assert [b.label for b in app.get("download_button")] == ["SVG", "PDF", "PNG", "CSV", "CSV"]


def test_the_first_of_the_ranking_are_selected_on_every_page(settings: Settings, chests: Path) -> None:
    app = ask(open_app(settings, chests, "search"), SENTENCE)
    app.number_input(key="search.first").set_value(2).run()
    app.button(key="search.select").click().run()
    first = app.dataframe[0].value["case_id"].tolist()[:2]
    assert app.session_state["shared.selection"].current.cases == frozenset(first)


def test_the_sentence_is_still_there_after_a_visit_to_another_page(settings: Settings, chests: Path) -> None:
    app = ask(open_app(settings, chests, "search"), SENTENCE)
    app.switch_page("screens/map.py").run()
    app.switch_page("screens/search.py").run()
    assert app.text_input(key="search.sentence").value == SENTENCE
    assert len(app.dataframe) == 1


def test_a_case_of_the_ranking_leads_to_its_neighbours(settings: Settings, chests: Path) -> None:
    app = ask(open_app(settings, chests, "search"), SENTENCE)
    third = app.dataframe[0].value["case_id"].tolist()[2]
    app.selectbox(key="search.case").select(third).run()
    app.button(key="search.neighbours").click().run()
    assert app.title[0].value == "Neighbours"
    assert app.selectbox(key="neighbours.query").value == f"{third}/lesion"


@pytest.mark.parametrize(("sentence", "words"), [("", "is empty"), ("   ", "is empty"), ("mass " * 399, "shorten it")])
def test_a_sentence_that_cannot_be_read_is_a_message(
    settings: Settings, chests: Path, sentence: str, words: str
) -> None:
    app = ask(open_app(settings, chests, "search"), sentence)
    assert words in app.error[0].value


def test_a_set_of_other_weights_than_the_tower_is_a_message(settings: Settings, copied: Path) -> None:
    with duckdb.connect(copied) as con:
        con.execute("UPDATE embedding_sets SET weights_sha256 = ?", ["0" * 64])
    app = ask(open_app(settings, copied, "search"), SENTENCE)
    assert "other weights than this text tower" in app.error[0].value


def test_a_cohort_without_a_text_set_says_how_to_get_one(settings: Settings, store_path: Path) -> None:
    app = open_app(settings, store_path, "search")
    assert "can be searched by text" in app.info[0].value
    command = app.code[0].value
    assert command.startswith("python -m embeddings embed ")
    assert command.endswith("--encoder flexict-nano-vlm --view lesion --preset lesion_seed")
    assert not app.error


def test_findings_become_columns_of_every_set_by_case(settings: Settings, copied: Path, chests: Path) -> None:
    job.run(chests.parent / "cohort.csv", copied, encoder="flexict-nano", view="volume")
    app = open_app(settings, copied, "search")
    app.text_area(key="findings.text").set_value("spiculated margin\n\nlarge nodule\nspiculated margin")
    app.button(key="findings.go").click().run()
    assert not app.error
    assert "2 columns of scores saved" in app.success[0].value
    store = Store(copied)
    sets = store.sets().set_index("view")["set_id"]
    wanted = KeptWork(copied).scores(sets["lesion"])["large nodule (zero-shot)"]
    frame = loading.case_table(copied, sets["volume"]).frame
    by_case = dict(zip(frame["case_id"], frame["large nodule (zero-shot)"], strict=True))
    assert by_case == {item.removesuffix("/lesion"): value for item, value in wanted.items()}
    assert "large nodule (zero-shot)" in columns.numeric(frame)
    app.switch_page("screens/map.py").run()
    assert "large nodule (zero-shot)" in app.selectbox(key="map.colour").options
    app.selectbox(key="map.colour").select("large nodule (zero-shot)").run()
    assert not app.exception


def test_a_deleted_column_is_gone_from_every_page(settings: Settings, copied: Path) -> None:
    app = open_app(settings, copied, "search")
    app.text_area(key="findings.text").set_value("emphysema")
    app.button(key="findings.go").click().run()
    set_id = Store(copied).sets()["set_id"][0]
    assert "emphysema (zero-shot)" in loading.embedding_table(copied, set_id).frame
    app.button(key="findings.delete.0").click().run()
    assert KeptWork(copied).scores(set_id).empty
    assert "emphysema (zero-shot)" not in loading.embedding_table(copied, set_id).frame


@pytest.mark.parametrize(
    ("text", "words"), [("", "There is no finding"), ("x" * 121, "at most 120"), ("a\n" + "\x00b", "printable")]
)
def test_findings_that_are_no_names_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        findings_in(text)


def test_zero_shot_scores_are_covariates_but_no_sizes_and_no_shortcuts(settings: Settings, copied: Path) -> None:
    kept, store = KeptWork(copied), Store(copied)
    set_id = store.sets()["set_id"][0]
    items = store.items(set_id)["item_id"].tolist()
    kept.save_scores(set_id, "lesion diameter above 30 mm (zero-shot)", {}, items, [0.1 * n for n in range(len(items))])
    frame = loading.case_table(copied, set_id).frame
    name = "lesion diameter above 30 mm (zero-shot)"
    assert name in columns.numeric(frame)
    assert name not in columns.sizes(frame)
    assert name not in columns.suspects(frame, "stage")
