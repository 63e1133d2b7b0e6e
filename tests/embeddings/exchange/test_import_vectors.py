"""Vectors made elsewhere become a set of a cohort file: joined by id; ids that do not match are counted and named."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from embeddings.cohort.table import CohortError
from embeddings.exchange.import_vectors import ImportSummary, import_vectors
from embeddings.exchange.vector_table import VectorTableError
from embeddings.store.store import Store, StoreError

RNG = np.random.default_rng(0)


def write_vectors(path: Path, ids: list[str], vectors: np.ndarray[Any, Any] | None = None) -> np.ndarray[Any, Any]:
    X = RNG.normal(size=(len(ids), 3)).astype(np.float32) if vectors is None else vectors
    np.savez(path, vectors=X, ids=np.array(ids))
    return X


def bring(folder: Path, labels: str, **options: Any) -> ImportSummary:
    (folder / "l.csv").write_text(labels)
    return import_vectors(folder / "c.duckdb", folder / "v.npz", folder / "l.csv", **options)


def test_vectors_are_joined_to_labels_by_id_in_any_order(tmp_path: Path) -> None:
    ids = [f"c{n}" for n in range(30)]
    X = write_vectors(tmp_path / "v.npz", list(RNG.permutation(ids)))
    of = dict(zip(np.load(tmp_path / "v.npz")["ids"], X, strict=True))
    rows = "".join(f"c{n},p{n // 2},T{1 + n % 3},{n}\n" for n in reversed(range(30)))
    summary = bring(tmp_path, "case,patient,stage,number\n" + rows, view="lesion", name="theirs")
    assert (summary.n_imported, summary.n_patients, summary.width) == (30, 15, 3)
    store = Store(tmp_path / "c.duckdb")
    table, found = store.table(summary.set_id)
    assert table["item_id"].tolist() == sorted(f"{name}/lesion" for name in ids)
    for case_id, number, stage, row in zip(table["case_id"], table["number"], table["stage"], found, strict=True):
        assert (case_id, stage) == (f"c{number}", f"T{1 + number % 3}")
        np.testing.assert_array_equal(row, of[case_id])
    info = store.info()
    assert (info.name, info.n_cases, info.n_patients, info.stage_order) == ("c", 30, 15, ("T1", "T2", "T3"))
    assert table["image_path"].isna().all()


def test_the_set_says_where_it_comes_from(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b"])
    set_id = bring(tmp_path, "case,age\na,1\nb,2\n").set_id
    row = Store(tmp_path / "c.duckdb").sets().set_index("set_id").loc[set_id]
    sha256 = hashlib.sha256((tmp_path / "v.npz").read_bytes()).hexdigest()
    assert row[["encoder", "weights_sha256", "view", "width"]].tolist() == ["v", sha256, "volume", 3]
    assert not row["is_published"]
    assert set_id.startswith("v.volume.")


def test_ids_on_one_side_only_are_counted_and_named(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b", *(f"lost{n}" for n in range(7))])
    summary = bring(tmp_path, "case,age\nb,1\nc,2\na,3\n")
    assert summary.unlabelled == tuple(f"lost{n}" for n in range(7))
    assert summary.without_vector == ("c",)
    text = summary.text()
    assert "7 without a row in the labels, left out: lost0, lost1, lost2, lost3, lost4 and 2 more" in text
    assert "1 in the labels without a vector: c" in text
    store = Store(tmp_path / "c.duckdb")
    assert store.vectors(summary.set_id)[0] == ["a/volume", "b/volume"]
    assert store.failures()[["case_id", "reason"]].to_numpy().tolist() == [["c", "v.npz has no vector for it"]]


def test_a_vector_with_nan_or_infinity_excludes_only_its_case(tmp_path: Path) -> None:
    X = np.ones((4, 3))
    X[1, 2], X[2, 0] = np.nan, 1e300
    write_vectors(tmp_path / "v.npz", ["a", "b", "c", "d"], X)
    summary = bring(tmp_path, "case,age\na,1\nb,2\nc,3\nd,4\n")
    assert (summary.n_imported, summary.not_finite) == (2, ("b", "c"))
    assert "2 with NaN or infinite numbers in their vectors, left out: b, c" in summary.text()
    assert Store(tmp_path / "c.duckdb").failures()["case_id"].tolist() == ["b", "c"]
    write_vectors(tmp_path / "v.npz", ["a"], np.full((1, 3), np.nan))
    with pytest.raises(VectorTableError, match="every vector"):
        bring(tmp_path, "case,age\na,1\n")


def test_a_vector_of_zeros_excludes_only_its_case(tmp_path: Path) -> None:
    X = np.ones((4, 3))
    X[1], X[3] = 0.0, [0.0, -0.0, 1e-60]
    write_vectors(tmp_path / "v.npz", ["a", "b", "c", "d"], X)
    summary = bring(tmp_path, "case,age\na,1\nb,2\nc,3\nd,4\n")
    assert (summary.n_imported, summary.all_zero) == (2, ("b", "d"))
    assert "2 with vectors of only zeros, left out: b, d" in summary.text()
    store = Store(tmp_path / "c.duckdb")
    assert store.vectors(summary.set_id)[0] == ["a/volume", "c/volume"]
    assert store.failures()["reason"].tolist() == ["its vector in v.npz contains only zeros"] * 2
    write_vectors(tmp_path / "v.npz", ["a"], np.zeros((1, 3)))
    with pytest.raises(VectorTableError, match="only zeros"):
        bring(tmp_path, "case,age\na,1\n")


def test_importing_again_changes_labels_and_neither_doubles_nor_loses_vectors(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b", "c"])
    first = bring(tmp_path, "case,patient,stage\na,p,T1\nb,p,T2\n")
    store = Store(tmp_path / "c.duckdb")
    revision = store.revision()
    second = bring(tmp_path, "case,stage,age\nb,T3,61\nc,T1,50\n")
    assert first.set_id == second.set_id
    assert (first.n_imported, first.n_present) == (2, 0)
    assert (second.n_imported, second.n_present) == (1, 1)
    assert "1 new vector of 3 dimensions (1 more were already there)" in second.text()
    assert store.revision() != revision
    table, _ = store.table(first.set_id)
    assert table[["case_id", "patient_id", "stage"]].to_numpy().tolist() == [
        ["a", "p", "T1"],
        ["b", "p", "T3"],
        ["c", "c", "T1"],
    ]
    assert table["age"].tolist()[1:] == [61, 50]
    assert store.info().stage_order == ("T1", "T3")
    write_vectors(tmp_path / "v.npz", ["a", "b", "c"])
    assert bring(tmp_path, "case,age\na,1\n").set_id != first.set_id
    assert len(store.vectors(first.set_id)[0]) == 3


def test_an_existing_cohort_keeps_its_scans_and_gains_a_set(tmp_path: Path, store: Store, cohort: Any) -> None:
    before = store.cases()
    write_vectors(tmp_path / "v.npz", ["c1", "c0"])
    (tmp_path / "l.csv").write_text("case,grade of the other model\nc0,low\nc1,high\n")
    summary = import_vectors(store.path, tmp_path / "v.npz", tmp_path / "l.csv", mapping={"stage": None})
    table, _ = store.table(summary.set_id)
    kept = ["case_id", "patient_id", "row", "image_path", "stage", "age", "seed_x"]
    pd.testing.assert_frame_equal(table[kept], before.loc[:1, kept], check_dtype=False)
    assert table["grade of the other model"].tolist() == ["low", "high"]
    info = store.info()
    assert (info.name, info.cohort_csv, info.n_cases) == ("lungs", str(cohort.path), 4)


def test_stages_that_cannot_be_compared_with_the_cohort_refuse_the_whole_import(tmp_path: Path, store: Store) -> None:
    write_vectors(tmp_path / "v.npz", ["c1", "new"])
    (tmp_path / "l.csv").write_text("case,stage\nc1,benign\nnew,aggressive\n")
    before = store.cases()
    with pytest.raises(StoreError, match=r"of l\.csv and of the cohort do not compare"):
        import_vectors(store.path, tmp_path / "v.npz", tmp_path / "l.csv")
    pd.testing.assert_frame_equal(store.cases(), before)


def test_labels_may_name_scans_that_are_there(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b"])
    (tmp_path / "a.nii.gz").write_bytes(b"scan")
    summary = bring(tmp_path, "case,image,mask,seed_x,seed_y,seed_z\na,a.nii.gz,,1,2,3\nb,../../b.nii.gz,,,,\n")
    cases = Store(tmp_path / "c.duckdb").cases()
    assert cases["image_path"].tolist() == [str((tmp_path / "a.nii.gz").resolve()), None]
    assert cases.loc[0, ["seed_x", "seed_y", "seed_z"]].tolist() == [1, 2, 3]
    assert any(
        "images, masks or seeds that cannot be used: 1, such as ../../b.nii.gz" in note for note in summary.notes
    )


def test_a_wrong_seed_is_noted_and_its_row_is_used(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b"])
    summary = bring(tmp_path, "case,seed_x,seed_y,seed_z\na,1,two,3\nb,1,2,3\n")
    assert summary.n_imported == 2
    assert Store(tmp_path / "c.duckdb").cases()["seed_x"].isna().tolist() == [True, False]
    assert any("seeds that cannot be used: 1, such as 'two' is not a number" in note for note in summary.notes)


def test_labels_may_give_the_label_of_a_mask_that_the_store_has(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b"])
    bring(tmp_path, "case,mask_label\na,2.0\nb,Tumour\n")
    assert Store(tmp_path / "c.duckdb").cases()["mask_label"].tolist() == ["2", "Tumour"]


def test_columns_are_mapped_by_option(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b"])
    labels = "Nr,Wer,Wie,stage\na,p,benign,9\nb,p,aggressive,8\n"
    summary = bring(tmp_path, labels, mapping={"case_id": "Nr"}, patient="Wer", stage="Wie")
    table, _ = Store(tmp_path / "c.duckdb").table(summary.set_id)
    assert table[["patient_id", "stage"]].to_numpy().tolist() == [["p", "Benign"], ["p", "Aggressive"]]
    assert table["stage (CSV)"].tolist() == [9, 8]
    with pytest.raises(ValueError, match="stage is given as both 'stage' and 'Wie'"):
        bring(tmp_path, labels, mapping={"case_id": "Nr", "stage": "stage"}, stage="Wie")


def test_an_unnamed_stage_column_without_stages_becomes_a_covariate(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b"])
    labels = "case,stage\na,blue\nb,green\n"
    summary = bring(tmp_path, labels)
    table, _ = Store(tmp_path / "c.duckdb").table(summary.set_id)
    assert table["stage (CSV)"].tolist() == ["blue", "green"]
    assert table["stage"].isna().all()
    summary = bring(tmp_path, labels, stage="stage")
    table, _ = Store(tmp_path / "c.duckdb").table(summary.set_id)
    assert table["stage"].tolist() == ["blue", "green"]
    assert Store(tmp_path / "c.duckdb").info().stage_order == ()
    assert any("the order of the stages 'blue', 'green' is not known" in note for note in summary.notes)
    with pytest.raises(CohortError, match=r"'stage' of l\.csv has no stages, only missing values: name another"):
        bring(tmp_path, "case,stage\na,Unknown\nb,'--\n", stage="stage")
    summary = bring(tmp_path, "case,stage\na,T1\nb,green\n", stage="stage")
    assert any("left out of the order of the stages: 1 case, 'green' in 'stage'" in note for note in summary.notes)
    assert Store(tmp_path / "c.duckdb").cases()["stage"].tolist() == ["T1", "green"]
    assert Store(tmp_path / "c.duckdb").info().stage_order == ("T1",)


def test_labels_are_read_by_the_rules_of_the_cohort(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b", "c"])
    labels = "sep=;\ncase;patient;AJCC stage;age;sex\na;p;1A;61,5;[Unknown]\nb;q;'--;Not Collected;f\nc;Unknown;2;7;m\n"
    summary = bring(tmp_path, labels)
    table, _ = Store(tmp_path / "c.duckdb").table(summary.set_id)
    assert table["stage"].where(table["stage"].notna(), None).tolist() == ["IA", None]
    assert table["age"].tolist()[0] == 61.5
    assert table["age"].isna().tolist() == [False, True]
    assert table["sex"].where(table["sex"].notna(), None).tolist() == [None, "f"]
    assert any("row 4 of l.csv is left out: no patient" in note for note in summary.notes)


@pytest.mark.parametrize(
    ("labels", "options", "sentence"),
    [
        ("case,age\nx,1\ny,2\n", {}, r"no id of v.npz .a, b. is in 'case' of l.csv .x, y."),
        ("case,age\na,1\na,2\n", {}, "more than one row for a"),
        ("who,age\na,1\nb,2\n", {}, "no column of case ids such as 'ids': map one of who, age"),
        ("case,age\n,1\na/b,2\n", {}, "no row of l.csv can be used.*no case id.*slash"),
        ("case,age\na,1\n", {"view": "slices"}, "no view 'slices' to import: choose volume or lesion"),
        ("case,age\na,1\n", {"name": "\n"}, "is not a usable model name"),
        ("case,age\na,1\n", {"stage": "nobody"}, "no column 'nobody' for stage"),
        ("0,1\na,1\n", {}, "has no header"),
    ],
)
def test_what_cannot_be_imported_says_why_and_leaves_no_file(
    tmp_path: Path, labels: str, options: dict[str, Any], sentence: str
) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b"])
    with pytest.raises(ValueError, match=sentence):
        bring(tmp_path, labels, **options)
    assert not (tmp_path / "c.duckdb").exists()


def test_rows_without_id_or_patient_are_left_out_and_noted(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npz", ["a", "b", "c"])
    summary = bring(tmp_path, "case,patient\na,p\nb,unknown\n,q\nc,p,1\n")
    assert (summary.n_imported, summary.unlabelled) == (1, ("b", "c"))
    assert [note.split(":")[0] for note in summary.notes] == [f"row {n} of l.csv is left out" for n in (3, 4, 5)]


def test_448_renal_masses_of_another_model(tmp_path: Path, real_ct: Path) -> None:
    folder = real_ct / "embeddings"
    vectors, labels = folder / "renal_embeddings_448x512.csv", folder / "renal_labels.csv"
    summary = import_vectors(tmp_path / "renal.duckdb", vectors, labels, stage="label", view="lesion")
    assert (summary.n_imported, summary.width) == (448, 512)
    assert (summary.unlabelled, summary.without_vector, summary.not_finite) == ((), (), ())
    theirs = pd.read_csv(vectors).merge(pd.read_csv(labels), on="CaseName").sort_values("CaseName")
    table, X = Store(tmp_path / "renal.duckdb").table(summary.set_id)
    assert table["case_id"].tolist() == theirs["CaseName"].tolist()
    assert table["stage"].tolist() == theirs["label"].astype(str).tolist()
    np.testing.assert_allclose(X, theirs[[str(n) for n in range(512)]].to_numpy(), rtol=1e-6)
