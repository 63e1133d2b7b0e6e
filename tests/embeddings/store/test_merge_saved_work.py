"""Merging loses nothing that a part holds without a word: kept work comes along, conflicts and omissions are said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from embeddings.__main__ import main
from embeddings.records import AcquisitionRecord, EmbeddedItem, Failure, LesionRecord, Thumbnail
from embeddings.store.merge import merge
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store

Make = Callable[..., Any]


@pytest.fixture
def parts(copies: tuple[Path, Path], run_job: Make, identity: Make) -> tuple[Path, Path]:
    """Two stores of one cohort, a case each, with something in every table."""
    for number, path in enumerate(copies):
        case = f"c{number}"
        vector = np.random.default_rng(number).normal(size=6).astype(np.float32)
        set_id = run_job(
            path,
            identity(),
            [EmbeddedItem(f"{case}/lesion", case, vector, thumbnail=Thumbnail(b"png", "lung", 1.0, 0.0))],
            failures=[Failure("c3", "read", "gone")],
            acquisitions=[AcquisitionRecord(case, 0.7, 2.5, 80)],
        )
        Store(path, read_only=False).save_projection(set_id, {"method": "pca"}, [f"{case}/lesion"], np.zeros((1, 2)))
        kept = KeptWork(path)
        kept.save_selection(f"of part {number + 1}", set_id, "lasso", [f"{case}/lesion"], [case])
        kept.save_selection("responders", set_id, "lasso", [f"{case}/lesion"], [case])
        kept.save_selection("@link", set_id, "link", ["c0/lesion"], ["c0"])
        kept.save_scores(set_id, "effusion", {"finding": "effusion"}, [f"{case}/lesion"], [0.25 + number])
        kept.save_scores(set_id, "nodule", {"template": number}, [f"{case}/lesion"], [0.5])
        kept.save_result(f"key {number}", "gradient", 1.0, b"one")
        kept.save_result("shared key", "gradient", 1.0, b"same")
    return copies


def tables(path: Path) -> dict[str, pd.DataFrame]:
    with duckdb.connect(path, read_only=True) as con:
        names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: con.execute(f'SELECT * FROM "{name}" ORDER BY ALL').df() for name in names}


def test_every_table_of_a_part_is_in_the_merged_file_or_is_said_to_be_left_out(
    parts: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all.duckdb"
    assert main(["merge", str(out), str(parts[0])]) == 0
    said = capsys.readouterr().out
    merged = tables(out)
    for name, rows in tables(parts[0]).items():
        assert len(rows), name
        if name == "projections":
            assert "1 map of part1.duckdb not merged" in said
        else:
            pd.testing.assert_frame_equal(merged[name], rows)
    assert "also new: 3 selections, 2 columns of scores, 2 results" in said


def test_kept_work_of_two_parts_is_joined_and_conflicts_are_kept_under_other_names(
    parts: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "all.duckdb"
    merged = merge(out, parts)
    kept, set_id = KeptWork(out), Store(out).sets()["set_id"][0]
    assert kept.selections()["name"].tolist() == ["of part 1", "of part 2", "responders", "responders (part2)"]
    for name, items in (("responders", ("c0/lesion",)), ("responders (part2)", ("c1/lesion",))):
        found = kept.selection(name)
        assert found is not None
        assert found.item_ids == items
    assert any("'responders' of part2.duckdb" in note and "'responders (part2)'" in note for note in merged.notes)
    # Scores made alike are one column over the items of both; those made otherwise are another column.
    scores = kept.scores(set_id)
    assert scores["effusion"].to_dict() == {"c0/lesion": 0.25, "c1/lesion": 1.25}
    assert scores["nodule"].dropna().to_dict() == {"c0/lesion": 0.5}
    assert scores["nodule (part2)"].dropna().to_dict() == {"c1/lesion": 0.5}
    assert any("'nodule' of part2.duckdb" in note for note in merged.notes)
    assert kept.score_settings(set_id)["name"].tolist() == ["effusion", "nodule", "nodule (part2)"]
    assert [kept.result(key) for key in ("key 0", "key 1", "shared key")] == [b"one", b"one", b"same"]
    assert (merged.n_selections, merged.n_scores, merged.n_results) == (5, 4, 3)


def test_merging_again_adds_no_kept_work(parts: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "all.duckdb"
    merge(out, parts)
    before = tables(out)
    again = merge(out, parts)
    assert (again.n_new, again.n_selections, again.n_scores, again.n_results) == (0, 0, 0, 0)
    for name, rows in tables(out).items():
        pd.testing.assert_frame_equal(rows, before[name])


def test_a_score_that_differs_for_an_item_makes_another_column(parts: tuple[Path, Path], tmp_path: Path) -> None:
    set_id = Store(parts[0]).sets()["set_id"][0]
    KeptWork(parts[1]).save_scores(
        set_id, "effusion", {"finding": "effusion"}, ["c0/lesion", "c1/lesion"], [0.75, 1.25]
    )
    merge(tmp_path / "all.duckdb", parts)
    scores = KeptWork(tmp_path / "all.duckdb").scores(set_id)
    assert scores["effusion"].dropna().to_dict() == {"c0/lesion": 0.25}
    assert scores["effusion (part2)"].dropna().to_dict() == {"c0/lesion": 0.75, "c1/lesion": 1.25}


def test_the_longest_names_stay_apart(parts: tuple[Path, Path], tmp_path: Path) -> None:
    long = "x" * 80
    for path, items in zip(parts, (["c0/lesion"], ["c1/lesion"]), strict=True):
        KeptWork(path).save_selection(long, "set", "lasso", items, ["c0"])
    merge(tmp_path / "all.duckdb", parts)
    kept = KeptWork(tmp_path / "all.duckdb")
    assert kept.selection(long) is not None
    found = kept.selection("x" * 72 + " (part2)")
    assert found is not None
    assert found.item_ids == ("c1/lesion",)


def test_what_parts_say_differently_is_said(
    parts: tuple[Path, Path], cohort: Any, make_report: Make, tmp_path: Path
) -> None:
    other = Store(parts[1], read_only=False)
    changed = cohort.cases[0]
    changed.stage, changed.covariates = "T2", {"age": 50, "site": None, "smoker": True}
    other.register_cohort(make_report(cohort.path, [changed]))
    set_id = other.sets()["set_id"][0]
    other.commit(
        set_id,
        failures=[Failure("c3", "read", "cut off")],
        lesions=[LesionRecord("c0", "mask", (1.0, 2.0, 3.0), 9.5)],
        acquisitions=[AcquisitionRecord("c0", 0.7, 2.5, 81)],
    )
    KeptWork(parts[1]).save_result("shared key", "gradient", 1.0, b"other")
    out = tmp_path / "all.duckdb"
    said = merge(out, parts).text(out)
    assert "other values in part2.duckdb (stage, smoker): 1 case, such as c0" in said
    for words in ("1 lesion sizes differ", "1 acquisitions differ", "1 reasons of failures differ", "1 results of"):
        assert words in said, words
    assert "pictures" not in said
    first = Store(out).cases().set_index("case_id").loc["c0"]
    assert (first["stage"], first["site"]) == ("T1", "A")
    assert Store(out).lesions().set_index("case_id").loc["c0", "volume_ml"] == 4.5


def test_a_part_of_before_kept_work_is_merged(parts: tuple[Path, Path], tmp_path: Path) -> None:
    with duckdb.connect(parts[0]) as con:
        for table in ("selections", "results", "scores"):
            con.execute(f"DROP TABLE {table}")
        con.execute("UPDATE schema_version SET version = 3")
    merged = merge(tmp_path / "all.duckdb", parts)
    assert (merged.n_new, merged.n_selections, merged.n_results) == (2, 3, 2)
