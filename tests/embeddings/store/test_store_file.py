"""The cohort store as a file: whoever has it open, whatever happened to it, whichever version wrote it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from embeddings.exchange.export import export
from embeddings.exchange.import_export import import_export
from embeddings.records import AcquisitionRecord, EmbeddedItem, Failure
from embeddings.store.connections import SharedFile
from embeddings.store.merge import merge
from embeddings.store.schema import MIGRATIONS, SCHEMA_VERSION
from embeddings.store.store import Store, StoreBusy, StoreError

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no file"),
        (b"", "is not a DuckDB file"),
        (b"case,patient\n1,2\n" * 999, "is not a DuckDB file"),
    ],
)
def test_a_file_that_is_no_store_is_named(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "x.duckdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=sentence):
        Store(path).info()


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.6, 0.95])
def test_a_half_copied_store_is_named(store: Store, fraction: float, identity: Make) -> None:
    set_id = store.open_set(identity(width=4096))
    rng = np.random.default_rng(0)
    store.commit(
        set_id,
        [EmbeddedItem(f"c{n}/lesion", "c0", rng.normal(size=4096).astype(np.float32)) for n in range(200)],
    )
    whole = store.path.read_bytes()
    half = store.path.with_name("half.duckdb")
    half.write_bytes(whole[: int(len(whole) * fraction)])
    with pytest.raises(StoreError, match="copied only in part"):
        Store(half).vectors(set_id)


def test_a_database_of_something_else_is_neither_read_nor_written(tmp_path: Path, cohort: Any) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(path) as con:
        con.execute("CREATE TABLE theirs AS SELECT 42 AS answer")
    with pytest.raises(StoreError, match="something else"):
        Store(path).cases()
    with pytest.raises(StoreError, match="something else"):
        Store(path, read_only=False).register_cohort(cohort)
    with duckdb.connect(path) as con:
        assert con.execute("SELECT answer FROM theirs").fetchall() == [(42,)]
        assert con.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(1,)]


def test_a_newer_schema_is_refused_with_what_to_do(store: Store, identity: Make) -> None:
    with duckdb.connect(store.path) as con:
        con.execute("UPDATE schema_version SET version = 99")
    with pytest.raises(StoreError, match=r"newer version of this program .schema 99.*update"):
        Store(store.path).cases()
    with pytest.raises(StoreError, match="newer version"):
        store.open_set(identity())


def test_a_view_in_a_mailed_store_cannot_reach_other_files(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("case_id,row\nstolen,1\n")
    with duckdb.connect(store.path) as con:
        con.execute("CREATE TABLE kept AS SELECT * FROM cases; DROP TABLE cases")
        con.execute(f"CREATE VIEW cases AS SELECT * FROM read_csv('{secret}')")
    with pytest.raises(StoreError, match="a DuckDB file of something else"):
        store.cases()
    with duckdb.connect(store.path) as con:
        con.execute("DROP VIEW cases; CREATE TABLE cases AS SELECT * FROM kept")
        con.execute(f"CREATE VIEW outside AS SELECT * FROM read_csv('{secret}')")
    with pytest.raises(StoreError, match="Permission"), SharedFile(store.path, True, 5.0).reading() as con:
        con.execute("SELECT * FROM outside")


def test_a_read_only_store_does_not_write_and_does_not_make_files(store: Store, cohort: Any) -> None:
    with pytest.raises(StoreError, match="reading only"):
        Store(store.path).register_cohort(cohort)
    absent = store.path.with_name("absent.duckdb")
    with pytest.raises(StoreError, match="there is no file"), Store(absent):
        pass
    assert not absent.exists()


def hold_the_file(path: str, held: object, enough: object) -> None:
    with duckdb.connect(path):
        held.set()  # type: ignore[attr-defined]
        enough.wait()  # type: ignore[attr-defined]


def test_a_reader_waits_for_a_writer_and_gives_up_with_a_sentence(store: Store) -> None:
    spawn = multiprocessing.get_context("spawn")
    held, enough = spawn.Event(), spawn.Event()
    writer = spawn.Process(target=hold_the_file, args=(str(store.path), held, enough))
    writer.start()
    assert held.wait()
    with pytest.raises(StoreBusy, match="in use by another program"):
        Store(store.path, patience_s=0.2).info()
    waits = threading.Timer(0.3, enough.set)
    waits.start()
    assert Store(store.path, patience_s=600).info().n_cases == 4
    writer.join()


def test_threads_read_while_another_writes(store: Store, identity: Make, items: Make) -> None:
    set_id = store.open_set(identity())
    errors: list[BaseException] = []
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                ids, X = Store(store.path).vectors(set_id)
                assert len(ids) == len(X)
                seen.append(len(ids))
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for n in range(8):
            store.commit(set_id, items([f"c{n}"]))
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not errors
    assert set(seen) <= set(range(9))
    assert len(store.vectors(set_id)[0]) == 8


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A file as the first version wrote it: two cases with a CSV column called Kernel, one embedded lesion each."""
    path = tmp_path / "old.duckdb"
    with duckdb.connect(path) as con:
        for statement in MIGRATIONS[0]:
            con.execute(statement)
        con.execute("INSERT INTO schema_version VALUES (1)")
        con.execute("INSERT INTO meta VALUES (now()::TIMESTAMP, 'old', '/o.csv', 'ff', '/o', '[\"T1\"]', false)")
        con.execute('ALTER TABLE cases ADD COLUMN "Kernel" VARCHAR')
        con.execute("INSERT INTO covariates VALUES ('Kernel', 'Kernel', 'VARCHAR')")
        for n in range(2):
            con.execute(
                "INSERT INTO cases VALUES (?, ?, ?, ?, NULL, NULL, NULL, NULL, 'T1', 'sharp')",
                [f"c{n}", f"p{n}", n + 2, f"c{n}.nii"],
            )
            con.execute("INSERT INTO items VALUES (?, ?, 'lesion', NULL, NULL)", [f"c{n}/lesion", f"c{n}"])
        con.execute(
            """INSERT INTO embedding_sets VALUES
            ('s', 'e', 'ab', 'w', false, 'lesion', 'p', 'cls', 2, '1', now()::TIMESTAMP)"""
        )
        con.execute('CREATE TABLE "vectors of s" (item_id VARCHAR PRIMARY KEY, vector FLOAT[2] NOT NULL)')
        con.execute("INSERT INTO \"vectors of s\" VALUES ('c0/lesion', [1, 2]), ('c1/lesion', [3, 4])")
    return path


def test_a_file_of_version_1_is_read_as_it_is_and_left_as_it_was(version_1: Path) -> None:
    before = version_1.read_bytes()
    store = Store(version_1)
    table, X = store.table("s")
    assert X.tolist() == [[1, 2], [3, 4]]
    assert table["Kernel"].tolist() == ["sharp", "sharp"]
    assert not {"spacing_z_mm", "kvp"} & set(table.columns)
    assert store.acquisitions().empty
    assert store.info().schema_version == 1
    assert store.sets()["n_items"].tolist() == [2]
    assert store.cases()["image_path"].tolist() == ["/o/c0.nii", "/o/c1.nii"]
    assert version_1.read_bytes() == before


def test_the_next_write_brings_a_file_of_version_1_up_to_date(version_1: Path) -> None:
    store = Store(version_1, read_only=False)
    assert store.info().schema_version == 1
    store.commit("s", acquisitions=[AcquisitionRecord("c1", 0.7, 2.5, 80, kernel="B30f", kvp=120.0)])
    assert store.info().schema_version == SCHEMA_VERSION
    table, X = Store(version_1).table("s")
    assert X.tolist() == [[1, 2], [3, 4]]
    assert table["Kernel"].tolist() == ["sharp", "sharp"]
    assert "kernel" not in table.columns
    assert table["kvp"].isna().tolist() == [True, False]
    with duckdb.connect(version_1) as con:
        assert con.execute("SELECT * FROM schema_version").fetchall() == [(SCHEMA_VERSION,)]


def test_a_write_that_fails_leaves_the_version_as_it_was(version_1: Path) -> None:
    before = Store(version_1).table("s")[0]
    with pytest.raises(StoreError, match="no embedding set 'nobody'"):
        Store(version_1, read_only=False).commit("nobody")
    assert Store(version_1).info().schema_version == 1
    pd.testing.assert_frame_equal(Store(version_1).table("s")[0], before)


def test_a_csv_is_registered_in_a_file_of_version_1(version_1: Path, cohort: Any) -> None:
    for case in cohort.cases:
        case.covariates["Kernel"] = 3
    Store(version_1, read_only=False).register_cohort(cohort)
    frame = Store(version_1).cases()
    assert frame["case_id"].tolist() == ["c0", "c1", "c2", "c3"]
    assert frame["Kernel"].tolist() == [3] * 4


def test_a_column_called_mask_label_of_an_older_file_becomes_what_it_says(version_1: Path, cohort: Any) -> None:
    with duckdb.connect(version_1) as con:
        con.execute("ALTER TABLE cases ADD COLUMN mask_label BIGINT")
        con.execute("INSERT INTO covariates VALUES ('mask_label', 'mask_label', 'BIGINT')")
        con.execute("UPDATE cases SET mask_label = row")
    assert Store(version_1).table("s")[0]["mask_label"].tolist() == [2, 3]
    for case in cohort.cases:
        case.mask_label = "tumour"
    Store(version_1, read_only=False).register_cohort(cohort)
    assert Store(version_1).cases()["mask_label"].tolist() == ["tumour"] * 4
    assert Store(version_1).covariates() == {"Kernel": "Kernel", "age": "age", "site": "site"}


def test_labels_of_masks_are_kept_through_a_merge_and_an_older_part_has_none(
    version_1: Path, cohort: Any, tmp_path: Path
) -> None:
    cohort.cases[0].mask_label = "2"
    new = Store(tmp_path / "new.duckdb", read_only=False)
    for case in cohort.cases:
        case.case_id = f"new {case.case_id}"
    new.register_cohort(cohort)
    merge(tmp_path / "all.duckdb", [version_1, new.path])
    labels = Store(tmp_path / "all.duckdb").cases().set_index("case_id")["mask_label"]
    assert labels.dropna().to_dict() == {"new c0": "2"}
    assert set(labels.index) == {"c0", "c1", "new c0", "new c1", "new c2", "new c3"}


def test_an_export_of_a_file_without_labels_still_comes_back(store: Store, identity: Make, tmp_path: Path) -> None:
    set_id = store.open_set(identity())
    store.commit(set_id, [EmbeddedItem("c1/lesion", "c1", np.ones(6, np.float32))])
    with duckdb.connect(store.path) as con:
        con.execute("ALTER TABLE cases DROP COLUMN mask_label")
        con.execute("UPDATE schema_version SET version = 4")
    export(Store(store.path), tmp_path / "old.parquet", "parquet")
    import_export(tmp_path / "again.duckdb", tmp_path / "old.parquet")
    again = Store(tmp_path / "again.duckdb")
    assert again.vectors(set_id)[1].tolist() == [[1.0] * 6]
    assert again.cases()["mask_label"].isna().all()


@pytest.fixture
def version_2(version_1: Path) -> Path:
    """The same file as the second version left it, with slices in float32 and a failure without a stamp."""
    with duckdb.connect(version_1) as con:
        for statement in MIGRATIONS[1]:
            con.execute(statement)
        con.execute("UPDATE schema_version SET version = 2")
        con.execute("INSERT INTO acquisition VALUES ('c0', 0.7, 2.5, 80, NULL, NULL, NULL, 'B30f', 120)")
        con.execute(
            """INSERT INTO embedding_sets VALUES
            ('z', 'e', 'ab', 'w', false, 'slices', 'slice', 'cls', 2, '1', now()::TIMESTAMP)"""
        )
        con.execute('CREATE TABLE "vectors of z" (item_id VARCHAR PRIMARY KEY, vector FLOAT[2] NOT NULL)')
        con.execute("INSERT INTO items VALUES ('c0/slice/0001', 'c0', 'slices', 1, -2.5)")
        con.execute("INSERT INTO \"vectors of z\" VALUES ('c0/slice/0001', [0.1, 70000])")
        con.execute(
            """INSERT INTO failures VALUES
            ('c1', NULL, 'z', 'read', 'is cut off', 2, now()::TIMESTAMP, now()::TIMESTAMP)"""
        )
    return version_1


def test_a_file_of_version_2_keeps_its_slices_in_float32(version_2: Path) -> None:
    expected = np.array([[0.1, 70000]], np.float32)
    np.testing.assert_array_equal(Store(version_2).vectors("z")[1], expected)
    assert Store(version_2).sets()["number_type"].tolist() == ["float32"] * 2
    assert Store(version_2).info().schema_version == 2
    store = Store(version_2, read_only=False)
    more = EmbeddedItem("c1/slice/0000", "c1", np.array([0.3, -0.7], np.float32), 0, 0.0)
    store.commit("z", [more], failures=[Failure("c0", "read", "is cut off", stamp="2 files")])
    assert store.info().schema_version == SCHEMA_VERSION
    np.testing.assert_array_equal(store.vectors("z")[1], np.vstack([expected, more.vector]))
    assert store.vectors("s")[1].tolist() == [[1, 2], [3, 4]]
    failures = store.failures("z")
    assert failures["attempts"].tolist() == [1, 2]
    assert failures["stamp"].fillna("unknown").tolist() == ["2 files", "unknown"]
    assert store.acquisitions()["kernel"].tolist() == ["B30f"]


def test_failures_of_an_older_file_have_no_stamp(version_2: Path) -> None:
    assert Store(version_2).failures("z")["stamp"].isna().all()
