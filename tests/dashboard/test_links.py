"""Links: what the address holds opens the same view, and an address that was tampered with does no harm."""

from __future__ import annotations

import base64
import shutil
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from dashboard import links
from dashboard.session.selection import Selection
from dashboard.session.settings import Settings
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
names = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12)


@with_settings(deadline=None)
@given(st.frozensets(names, max_size=20), st.frozensets(names, max_size=20))
def test_a_selection_survives_an_address(items: frozenset[str], cases: frozenset[str]) -> None:
    word = links.packed(Selection(items, cases))
    if word is not None:
        found = links.unpacked(word)
        assert (found.items, found.cases) == (items, cases)
        assert word.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("word", ["", "abc", "e" * 40, "%00", "é", "eNpLBAAAYgBi"])
def test_a_selection_that_was_changed_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="cut off or changed"):
        links.unpacked(word)


def test_an_address_that_inflates_without_end_is_cut() -> None:
    word = base64.urlsafe_b64encode(zlib.compress(b"a" * 50_000_000)).decode()
    with pytest.raises(ValueError, match="cut off or changed"):
        links.unpacked(word)


@pytest.fixture
def store(store_path: Path, tmp_path: Path) -> Path:
    """A copy of the cohort file that may be written to."""
    return Path(shutil.copy(store_path, tmp_path / "cohort.duckdb"))


def test_a_long_selection_is_kept_in_the_cohort_file_under_its_content(store: Path) -> None:
    items = frozenset(f"{n:x}{hash(str(n)) & 0xFFFFFFFF:08x}/lesion" for n in range(3000))
    many = Selection(items, frozenset(one.split("/")[0] for one in items), "lasso")
    word = links.selection_word(store, "set", many)
    assert word is not None
    assert len(word) < 30
    assert links.selection_of(store, word).items == items
    assert links.selection_word(store, "set", many) == word
    assert KeptWork(store).selections().empty


def test_a_long_selection_of_a_file_that_cannot_be_written_is_left_out_of_the_address(
    store: Path, tmp_path: Path
) -> None:
    many = Selection(frozenset(map(str, range(6000))), frozenset(map(str, range(6000))))
    assert links.selection_word(tmp_path / "gone" / "x.duckdb", "set", many) is None


def test_a_cohort_outside_the_allowed_folders_is_not_opened(settings: Settings, store: Path) -> None:
    for word in (str(store), "../../../etc/passwd", "/etc/hostname", f"../{store.name}"):
        with pytest.raises(ValueError, match=r"outside|not on this machine"):
            links.cohort_of(word, settings)


def opened(settings: Settings, **query: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = settings
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def test_a_link_opens_cohort_set_selection_and_colour(settings: Settings, store: Path) -> None:
    settings = Settings(None, store.parent, settings.data_roots)
    slices = Store(store).sets().set_index("view").loc["slices", "set_id"]
    word = links.packed(Selection(frozenset({"case03/slice/0001"}), frozenset({"case03"})))
    app = opened(settings, cohort=store.name, set=str(slices), selection=str(word), colour="age", stage="stage")
    assert not app.exception
    app.switch_page("screens/map.py").run()
    assert not app.exception
    assert app.selectbox(key="map.colour").value == "age"
    assert [h.value for h in app.subheader] == ["1 selected scan"]
    assert any("1 scan selected" in c.value for c in app.sidebar.caption)
    assert app.query_params["cohort"] == store.name
    assert app.query_params["set"] == slices
    assert app.query_params["selection"] == word


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"cohort": "/etc/passwd"}, "outside the folders"),
        ({"cohort": "not-there.duckdb"}, "not on this machine"),
        ({"cohort": "cohort.duckdb", "set": "no.such.set"}, "not in this copy"),
        ({"cohort": "cohort.duckdb", "selection": "garbage"}, "cut off or changed"),
        ({"cohort": "cohort.duckdb", "selection": "@0123"}, "not saved in this copy"),
    ],
)
def test_a_link_that_cannot_be_opened_says_why(
    settings: Settings, store: Path, query: dict[str, str], words: str
) -> None:
    app = opened(Settings(None, store.parent, settings.data_roots), **query)
    assert not app.exception
    assert any(words in w.value for w in app.warning)
    assert not any(words in w.value for w in app.run().warning)


def test_a_link_to_settings_that_are_none_opens_the_page_all_the_same(settings: Settings, store: Path) -> None:
    settings = Settings(None, store.parent, settings.data_roots)
    query = {"cohort": store.name, "colour": "no such", "stage": "none", "item": "x", "plane": "9", "offset": "nan"}
    app = opened(settings, **query)
    for page in ("map", "gradient", "neighbours"):
        app.switch_page(f"screens/{page}.py").run()
        assert not app.exception
