"""The cohort store: what goes in comes out, whatever the CSV calls things."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embeddings.records import (
    CaseOutcome,
    EmbeddedItem,
    Failure,
    LesionRecord,
    RunProgress,
    Thumbnail,
)
from embeddings.store.store import Store, StoreError

Make = Callable[..., Any]
WIDTH = 6


def test_cases_come_back_as_the_csv_had_them(store: Store, cohort: Any) -> None:
    frame = store.cases()
    assert list(frame["case_id"]) == ["c0", "c1", "c2", "c3"]
    assert list(frame["age"]) == [50, 51, 52, 53]
    assert frame["age"].dtype == np.int64
    assert frame.loc[0, ["seed_x", "seed_y", "seed_z"]].tolist() == [1.5, -2.0, 3.25]
    assert np.isnan(frame.loc[1, "seed_x"])
    assert frame["image_path"].tolist() == [str(c.image_path) for c in cohort.cases]
    assert frame["mask_path"].tolist() == [None if c.mask_path is None else str(c.mask_path) for c in cohort.cases]


def test_info_names_the_cohort_after_its_folder_and_counts_patients(store: Store, cohort: Any) -> None:
    info = store.info()
    assert (info.name, info.n_cases, info.n_patients, info.simulated) == ("lungs", 4, 2, False)
    assert info.stage_order == ("T1", "T2")
    assert info.data_root == cohort.path.parent.resolve()


def test_simulated_mark_is_never_taken_back(store: Store, cohort: Any) -> None:
    store.register_cohort(cohort, simulated=True)
    store.register_cohort(cohort, simulated=False)
    assert store.info().simulated


def test_vectors_come_back_bit_identical_and_sorted_by_item(store: Store, identity: Make, items: Make) -> None:
    set_id = store.open_set(identity())
    given_items = items(["c3", "c0", "c2", "c1"])
    store.commit(set_id, given_items[:3])
    store.commit(set_id, given_items[3:])
    ids, X = store.vectors(set_id)
    assert ids == ["c0/lesion", "c1/lesion", "c2/lesion", "c3/lesion"]
    expected = {item.item_id: item.vector for item in given_items}
    assert X.dtype == np.float32
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(X, [expected[i] for i in ids])


def test_table_joins_items_with_cases_and_prefers_the_mask_to_the_seed(
    store: Store, identity: Make, items: Make
) -> None:
    set_id = store.open_set(identity())
    store.commit(
        set_id,
        items(["c1", "c0"]),
        lesions=[
            LesionRecord("c0", "seed", (1.5, -2.0, 3.25)),
            LesionRecord("c0", "mask", (0.0, 0.0, 0.0), 4.5, 20.0, 31.0, 2),
        ],
    )
    table, X = store.table(set_id)
    assert table["item_id"].tolist() == ["c0/lesion", "c1/lesion"]
    assert table["age"].tolist() == [50, 51]
    assert table.loc[0, ["lesion_source", "volume_ml", "n_components"]].tolist() == ["mask", 4.5, 2]
    assert pd.isna(table.loc[1, "volume_ml"])
    np.testing.assert_array_equal(X, store.vectors(set_id)[1])
    assert len(store.lesions()) == 2


def test_an_item_keeps_its_first_vector(store: Store, identity: Make, items: Make) -> None:
    set_id = store.open_set(identity())
    store.commit(set_id, items(["c0"], seed=1))
    store.commit(set_id, items(["c0", "c1"], seed=2))
    ids, X = store.vectors(set_id)
    assert ids == ["c0/lesion", "c1/lesion"]
    np.testing.assert_array_equal(X[0], items(["c0"], seed=1)[0].vector)


def test_sets_are_told_apart_by_everything_that_changes_a_vector(store: Store, identity: Make, items: Make) -> None:
    one = store.open_set(identity())
    assert store.open_set(identity(weights_source="elsewhere")) == one
    others = {
        store.open_set(identity(**change))
        for change in ({"preset": "lesion_mask@2.0"}, {"weights_sha256": "cd" * 32}, {"code_version": "2"})
    }
    assert len(others | {one}) == 4
    store.commit(one, items(["c0", "c1"]))
    frame = store.sets().set_index("set_id")
    assert frame.loc[one, "n_items"] == 2
    assert frame["n_items"].sum() == 2
    assert one.startswith("tiny.lesion.")


def test_vectors_of_another_width_are_refused_and_nothing_of_the_commit_stays(store: Store, identity: Make) -> None:
    set_id = store.open_set(identity())
    wrong = EmbeddedItem("c1/lesion", "c1", np.zeros(WIDTH + 1, np.float32))
    with pytest.raises(ValueError, match="vectors of 6 numbers"):
        store.commit(set_id, [wrong], failures=[Failure("c0", "read", "gone")])
    assert store.failures().empty
    assert store.vectors(set_id)[1].shape == (0, WIDTH)


def test_asking_for_an_unknown_set_names_it(store: Store) -> None:
    with pytest.raises(StoreError, match=r"no embedding set 'nobody'"):
        store.vectors("nobody")


def test_registering_again_updates_cases_and_keeps_vectors_and_columns(
    store: Store, cohort: Any, identity: Make, items: Make, make_case: Make, make_report: Make
) -> None:
    set_id = store.open_set(identity())
    store.commit(set_id, items(["c0", "c1"]))
    first, second = cohort.cases[:2]
    first.stage, first.covariates = "T2", {"age": 61.5, "smoker": True}
    store.register_cohort(make_report(cohort.path, [first, make_case("new", 3, second.image_path)]))
    frame = store.cases().set_index("case_id")
    assert set(frame.index) == {"c0", "c1", "c2", "c3", "new"}
    assert frame.loc["c0", ["stage", "age", "site", "smoker"]].tolist() == ["T2", 61.5, "A", True]
    assert frame.loc["c1", "age"] == 51
    assert pd.isna(frame.loc["new", "site"])
    assert store.vectors(set_id)[0] == ["c0/lesion", "c1/lesion"]


def test_a_column_that_turns_from_numbers_to_words_keeps_the_old_numbers_as_words(
    store: Store, cohort: Any, make_report: Make
) -> None:
    changed = cohort.cases[0]
    changed.covariates = {"age": "about sixty"}
    store.register_cohort(make_report(cohort.path, [changed]))
    assert store.cases()["age"].tolist() == ["about sixty", "51", "52", "53"]


def test_a_column_that_turns_from_words_to_numbers_in_every_case_becomes_one_of_numbers(
    store: Store, cohort: Any
) -> None:
    for case in cohort.cases:
        case.covariates = {"age": "Not Reported" if case.case_id == "c0" else "61"}
    store.register_cohort(cohort)
    assert store.cases()["age"].tolist() == ["Not Reported", "61", "61", "61"]
    for case in cohort.cases:
        case.covariates = {"age": None if case.case_id == "c0" else 61}
    store.register_cohort(cohort)
    ages = store.cases()["age"]
    assert pd.api.types.is_numeric_dtype(ages)
    assert ages.isna().tolist() == [True, False, False, False]
    cohort.cases = cohort.cases[1:]
    for case in cohort.cases:
        case.covariates = {"age": "old"}
    store.register_cohort(cohort)
    assert store.cases()["age"].dropna().tolist() == ["old", "old", "old"]


def test_a_column_that_was_empty_takes_the_type_of_its_first_values(store: Store, cohort: Any) -> None:
    for value in (None, 2.5):
        for case in cohort.cases:
            case.covariates = {"suv": value}
        store.register_cohort(cohort)
    assert store.cases()["suv"].tolist() == [2.5] * 4


HOSTILE = [
    'quo"te',
    "'; DROP TABLE cases; --",
    '"; DROP TABLE cases; --',
    "select",
    "group",
    "vector",
    "item_id",
    "ITEM_ID",
    "Case_ID",
    "row",
    "rowid",
    "Age",
    "age",
    "AGE",
    "volume_ml",
    "volume_ml (CSV)",
    "",
    " ",
    "incoming",
    "c0",
    "Größe\n(mm)",
    "a.b",
    "*",
]


def test_hostile_column_names_neither_collide_nor_run(tmp_path: Path, cohort: Any, identity: Make, items: Make) -> None:
    for case in cohort.cases:
        case.covariates = {header: f"{case.case_id}:{n}" for n, header in enumerate(HOSTILE)}
    store = Store(tmp_path / "hostile.duckdb", read_only=False)
    store.register_cohort(cohort)
    store.register_cohort(cohort)
    set_id = store.open_set(identity())
    store.commit(set_id, items(["c0", "c1", "c2", "c3"]))
    columns, frame = store.covariates(), store.cases()
    assert set(columns) == set(HOSTILE)
    assert len({name.casefold() for name in frame.columns}) == len(frame.columns)
    table, X = store.table(set_id)
    assert X.shape == (4, WIDTH)
    for n, header in enumerate(HOSTILE):
        expected = [f"c{c}:{n}" for c in range(4)]
        assert frame[columns[header]].tolist() == expected
        assert table[columns[header]].tolist() == expected


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    headers=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), unique=True, max_size=6),
    values=st.lists(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False),
            st.text("ab'\"\0;=,", max_size=5),
        ),
        min_size=6,
        max_size=6,
    ),
)
def test_any_header_and_any_cell_survive(
    tmp_path_factory: pytest.TempPathFactory,
    headers: list[str],
    values: list[object],
    make_case: Make,
    make_report: Make,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "cohort.csv").write_text("")
    covariates = dict(zip(headers, values, strict=False))
    store = Store(folder / "any.duckdb", read_only=False)
    store.register_cohort(
        make_report(folder / "cohort.csv", [make_case("c", 2, folder / "c.nii", covariates=covariates)])
    )
    columns, row = store.covariates(), store.cases().iloc[0]
    for header, value in covariates.items():
        found = row[columns[header]]
        if value is None:
            assert pd.isna(found)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            assert found == str(value)
        else:
            assert found == value


def test_success_clears_the_failures_of_earlier_runs_only(store: Store, identity: Make, items: Make) -> None:
    set_id = store.open_set(identity())
    first = store.start_run(set_id, {}, 2)
    store.commit(set_id, failures=[Failure("c0", "read", "cut off")], run_id=first)
    again = store.start_run(set_id, {}, 2)
    store.commit(set_id, failures=[Failure("c0", "read", "still cut off")], run_id=again)
    row = store.failures().iloc[0]
    assert (row["attempts"], row["reason"]) == (2, "still cut off")
    assert row["first_at"] < row["last_at"]
    third = store.start_run(set_id, {}, 2)
    store.commit(
        set_id,
        items(["c0"]),
        failures=[Failure("c0", "measure", "empty mask", "c0/lesion")],
        outcomes=[CaseOutcome("c0", complete=True)],
        run_id=third,
    )
    assert store.failures(set_id)["stage_of_work"].tolist() == ["measure"]
    assert store.failures("another").empty
    assert store.completed(set_id)["case_id"].tolist() == ["c0"]


def test_runs_tell_how_far_they_came_and_dead_ones_are_found(store: Store, identity: Make) -> None:
    set_id = store.open_set(identity())
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run_id = store.start_run(set_id, {"workers": 2}, 4)
    with duckdb.connect(store.path) as con:
        con.execute("UPDATE runs SET pid = ?", [gone.pid])
    live = store.start_run(set_id, {}, 4)
    store.commit(set_id, run_id=live, progress=RunProgress(4, 3, 1, 3))
    store.finish_run(live, "finished")
    runs = store.runs().set_index("run_id")
    assert runs.loc[run_id, "state"] == "killed"
    assert json.loads(runs.loc[run_id, "settings"]) == {"workers": 2}
    assert runs.loc[live, ["state", "n_planned", "n_done", "n_failed", "n_items"]].tolist() == [
        "finished",
        4,
        3,
        1,
        3,
    ]
    assert runs.loc[live, "heartbeat"] >= runs.loc[live, "started"]


def test_the_success_of_a_case_leaves_the_failures_of_others(store: Store, identity: Make, items: Make) -> None:
    set_id = store.open_set(identity())
    store.commit(set_id, failures=[Failure("c0", "read", "cut off"), Failure("c1", "read", "cut off")])
    store.commit(set_id, items(["c0"]), outcomes=[CaseOutcome("c0", complete=True), CaseOutcome("c2", complete=False)])
    assert store.failures()["case_id"].tolist() == ["c1"]
    assert store.completed(set_id)["case_id"].tolist() == ["c0"]


def test_thumbnails_are_given_for_the_items_that_have_one(store: Store, identity: Make, items: Make) -> None:
    set_id = store.open_set(identity())
    picture = Thumbnail(b"\x89PNG\0\xff", "lung", 2.5, -120.0)
    with_picture, without = items(["c0", "c1"])
    store.commit(set_id, [EmbeddedItem("c0/lesion", "c0", with_picture.vector, thumbnail=picture), without])
    assert store.thumbnail("c0/lesion") == picture
    assert store.thumbnail("c1/lesion") is None
    assert store.thumbnails(["c1/lesion", "c0/lesion", "?"]) == {"c0/lesion": picture}


def test_projections_are_kept_by_their_settings(store: Store, identity: Make) -> None:
    set_id = store.open_set(identity())
    key = {"method": "umap", "n_neighbors": 15}
    assert store.projection(set_id, key) is None
    store.save_projection(set_id, key, ["b", "a"], np.array([[1.0, 2.0], [3.0, 4.0]]))
    store.save_projection(set_id, key | {"n_neighbors": 30}, ["a"], np.zeros((1, 2)))
    found = store.projection(set_id, {"n_neighbors": 15, "method": "umap"})
    assert found is not None
    assert found.to_numpy().tolist() == [["a", 3.0, 4.0], ["b", 1.0, 2.0]]
    store.save_projection(set_id, key, ["a"], np.ones((1, 2)))
    again = store.projection(set_id, key)
    assert again is not None
    assert again["x"].tolist() == [1.0]
