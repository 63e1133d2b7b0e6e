"""Named selections, results and scores in a real cohort file."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import duckdb
import numpy as np
import pytest

from embeddings.cohort.read import read_cohort
from embeddings.store.connections import StoreError
from embeddings.store.saved_work import KeptWork
from embeddings.store.schema import SCHEMA_VERSION
from embeddings.store.store import Store
from flexict.errors import FlexiCTError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cohort file of two cases."""
    csv = tmp_path / "cohort.csv"
    csv.write_text("case_id,image_path\na,a.nii.gz\nb,b.nii.gz\n")
    store = tmp_path / "cohort.duckdb"
    Store(store, read_only=False).register_cohort(read_cohort(csv, check_images=False))
    return store


def test_a_selection_comes_back_sorted_and_without_doubles(path: Path) -> None:
    kept = KeptWork(path)
    kept.save_selection(" Upper lobes ", "set", "lasso", ["b/lesion", "a/lesion", "b/lesion"], ["b", "a"])
    found = kept.selection("Upper lobes")
    assert found is not None
    assert (found.item_ids, found.case_ids, found.origin) == (("a/lesion", "b/lesion"), ("a", "b"), "lasso")
    assert kept.selections()[["name", "n_items", "n_cases"]].values.tolist() == [["Upper lobes", 2, 2]]


def test_a_name_that_is_saved_again_replaces_and_one_deleted_is_gone(path: Path) -> None:
    kept = KeptWork(path)
    kept.save_selection("one", "set", "click", ["a/lesion"], ["a"])
    kept.save_selection("one", "set", "click", ["b/lesion"], ["b"])
    found = kept.selection("one")
    assert found is not None
    assert found.item_ids == ("b/lesion",)
    kept.delete_selection("one")
    assert kept.selection("one") is None


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "line\nbreak"])
def test_a_selection_without_a_usable_name_is_refused(path: Path, name: str) -> None:
    with pytest.raises(FlexiCTError, match="printable"):
        KeptWork(path).save_selection(name, "set", "click", ["a/lesion"], ["a"])


def test_selections_of_links_are_found_but_not_listed(path: Path) -> None:
    kept = KeptWork(path)
    kept.save_selection("@0a1b", "set", "link", ["a/lesion"], ["a"])
    assert kept.selections().empty
    assert kept.selection("@0a1b") is not None


def test_a_result_is_kept_and_the_oldest_give_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embeddings.store.saved_work.MOST_RESULT_BYTES", 250)
    kept = KeptWork(path)
    for name in "abc":
        kept.save_result(name, "gradient", 1.0, name.encode() * 100)
    assert kept.result("a") is None
    assert kept.result("b") == b"b" * 100
    assert kept.result("c") == b"c" * 100
    kept.save_result("large", "gradient", 1.0, b"x" * 251)
    assert kept.result("large") is None
    assert kept.result("c") is not None


def test_scores_become_columns_by_item(path: Path) -> None:
    kept = KeptWork(path)
    before = kept.revision()
    kept.save_scores("set", "effusion", {"finding": "effusion"}, ["a/lesion", "b/lesion"], [0.1, 0.9])
    kept.save_scores("set", "nodule", {}, ["b/lesion"], [0.5])
    kept.save_scores("other set", "nodule", {}, ["a/lesion"], [0.5])
    found = kept.scores("set")
    assert found.loc["b/lesion"].tolist() == [0.9, 0.5]
    assert np.isnan(found.loc["a/lesion", "nodule"])
    assert kept.revision() != before
    kept.delete_scores("set", "nodule")
    assert list(kept.scores("set")) == ["effusion"]


def test_a_file_of_before_holds_nothing_and_takes_the_first_write(path: Path) -> None:
    with duckdb.connect(path) as con:
        for table in ("selections", "results", "scores"):
            con.execute(f"DROP TABLE {table}")
        con.execute("UPDATE schema_version SET version = 3")
    kept = KeptWork(path)
    assert kept.selections().empty
    assert kept.selection("one") is None
    assert kept.result("key") is None
    assert kept.scores("set").empty
    kept.save_selection("one", "set", "click", ["a/lesion"], ["a"])
    assert len(kept.selections()) == 1
    assert Store(path).info().schema_version == SCHEMA_VERSION


def test_a_file_that_is_gone_is_an_error_for_people(path: Path) -> None:
    path.unlink()
    with pytest.raises(StoreError, match="there is no file"):
        KeptWork(path).selections()


WRITER = """
import sys
from embeddings.store.saved_work import KeptWork
kept = KeptWork(sys.argv[1], patience_s=60.0)
for number in range(8):
    kept.save_selection(f"{sys.argv[2]} {number}", "set", "click", ["a/lesion"], ["a"])
    assert kept.selection(f"{sys.argv[2]} {number}") is not None
"""


def test_several_people_keep_their_work_in_one_file_at_once(path: Path) -> None:
    people = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in ("one", "two", "three")]
    reader = KeptWork(path, patience_s=60.0)
    while any(one.poll() is None for one in people):
        reader.selections()
        time.sleep(0.05)
    assert [one.returncode for one in people] == [0, 0, 0]
    assert len(reader.selections()) == 24
