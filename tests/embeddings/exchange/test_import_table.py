"""Tables of vectors: read bit for bit from every format, and refused with the reason otherwise."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from embeddings.cohort.table import CohortError
from embeddings.exchange.vector_table import VectorTable, VectorTableError, read_vectors

IDS = ["b", "007", "a"]
X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def read(path: Path, id_column: str | None = None, labels: tuple[str, ...] = ("case", "label")) -> VectorTable:
    return read_vectors(path, id_column, labels)


def frame(ids: list[Any] = IDS, vectors: np.ndarray[Any, Any] = X, **more: object) -> pd.DataFrame:
    found = pd.DataFrame(vectors, columns=[f"f{n}" for n in range(vectors.shape[1])])
    found.insert(1, "case", ids)
    return found.assign(**more)


def listed(ids: list[Any] = IDS, vectors: Any = X, **more: Any) -> pa.Table:
    return pa.table({"case": ids, "vector": pa.array([list(map(float, v)) for v in vectors]), **more})


def test_a_csv_gives_ids_as_text_and_every_float_exactly(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    frame().to_csv(path, index=False)
    found = read(path)
    assert (found.ids, found.id_column) == (IDS, "case")
    np.testing.assert_array_equal(found.vectors, X)
    assert found.vectors.dtype == np.float32
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_german_csv_is_read(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    np.testing.assert_array_equal(read(tmp_path / "t.csv").vectors, X)


def test_parquet_has_columns_of_numbers_or_one_of_lists(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "wide.parquet", index=False)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 4)
    pq.write_table(pa.table({"case": IDS, "vector": fixed, "note": ["x", "y", "z"]}), tmp_path / "fixed.parquet")
    pq.write_table(listed(label=[0, 1, 0]), tmp_path / "lists.parquet")
    for name in ("wide", "fixed", "lists"):
        found = read(tmp_path / f"{name}.parquet")
        assert found.ids == IDS
        np.testing.assert_array_equal(found.vectors, X)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    vectors=hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(width=32))
)
def test_any_floats_survive_every_format_and_what_is_not_finite_stays_so(
    tmp_path_factory: pytest.TempPathFactory, vectors: Any
) -> None:
    folder = tmp_path_factory.mktemp("any")
    ids = [f"c{n}" for n in range(len(vectors))]
    np.savez(folder / "t.npz", vectors=vectors, ids=np.array(ids))
    frame(ids, vectors).to_parquet(folder / "t.parquet", index=False)
    frame(ids, vectors).to_csv(folder / "t.csv", index=False)
    for kind in ("npz", "parquet", "csv"):
        found = read(folder / f"t.{kind}").vectors
        finite = np.isfinite(vectors)
        np.testing.assert_array_equal(np.isfinite(found), finite)
        np.testing.assert_array_equal(found[finite], vectors[finite])


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        (np.array(IDS), IDS),
        (np.array([b"b", b"007", b"a"]), IDS),
        (np.array([3, 1, 20]), ["3", "1", "20"]),
    ],
)
def test_an_npz_contains_vectors_and_ids(tmp_path: Path, ids: Any, texts: list[str]) -> None:
    np.savez(tmp_path / "t.npz", vectors=X.astype(float), ids=ids)
    found = read(tmp_path / "t.npz")
    assert found.ids == texts
    np.testing.assert_array_equal(found.vectors, X)


def test_integer_ids_are_read_as_written(tmp_path: Path) -> None:
    frame([3, 1, 20]).to_parquet(tmp_path / "int.parquet", index=False)
    frame([3.0, 1.0, 20.0]).to_parquet(tmp_path / "float.parquet", index=False)
    assert read(tmp_path / "int.parquet").ids == read(tmp_path / "float.parquet").ids == ["3", "1", "20"]


def test_the_id_column_is_named_or_recognised_or_the_one_that_the_labels_have(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    frame().rename(columns={"case": "Kennung"}).to_csv(path, index=False)
    assert read(path, "Kennung").id_column == "Kennung"
    assert read(path, labels=("Kennung", "label")).id_column == "Kennung"
    with pytest.raises(VectorTableError, match="none in common with the labels: say with --id"):
        read(path)
    with pytest.raises(VectorTableError, match="no column 'nobody': its columns are f0, Kennung"):
        read(path, "nobody")


def test_missing_and_infinite_numbers_are_kept_for_the_reader_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("case,0,1\na,1,NA\nb,,2\nc,-inf,3\nd,1e300,4\ne,1,2\n")
    assert np.isfinite(read(tmp_path / "t.csv").vectors).all(axis=1).tolist() == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("case,0,1\na,1,2\na,3,4\n", "more than one vector for a: keep one row per case"),
        ("case,0,1\na,1,2\n,3,4\n", "1 vector without an id .the first is number 2.: fill in 'case'"),
        ("case,0,1\na,1,2\nb,3\n", "2 cells in row 3 where the header has 3"),
        ("case,0,site\na,1,Mayo\nb,3,Keck\n", "not numbers: 'site' .'Mayo'.; remove"),
        ("case,0,1\na,1,1_000\n", "not numbers: '1' .'1_000'."),
        ("case,0,label\na,1,1\nb,3,0\n", "and the labels both have 'label', which must not become part"),
        ("case,0,1,2,3,4,5,6,7,8,9,age\na,1,2,3,4,5,6,7,8,9,9,61\n", "has 'age' among columns named 0, 1"),
        (",case,0,1,2,3,4,5,6,7,8,9\n0,a,1,2,3,4,5,6,7,8,9,9\n", "has 'column 1' among columns"),
        ("case,0,0\na,1,2\n", "two columns named '0'"),
        ("case\na\n", "single column"),
        ("", "empty"),
    ],
)
def test_a_csv_that_cannot_be_vectors_says_why(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises((VectorTableError, CohortError), match=sentence):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (listed(vectors=[[1, 2], [1, 2], [1, 2, 3]]), r"1 vector of another width than 2 .a: 3."),
        (pa.table({"case": IDS, "vector": [[1.0], None, [2.0]]}), r"another width than 1 .007: 0."),
        (listed(other=pa.array([[1.0]] * 3)), "several columns of lists .vector, other."),
        (pa.table({"case": IDS, "vector": [["x"]] * 3}), "lists of string, not of numbers"),
        (pa.table({"case": IDS, "0": [1.0] * 3, "site": ["A"] * 3}), "not numbers: 'site' .'string'."),
        (pa.table({"case": IDS, "0": [True] * 3}), "not numbers: '0' .'bool'."),
        (pa.table({"case": ["a", "a", "b"], "0": [1.0] * 3}), "more than one vector for a"),
        (pa.table({"case": IDS}), "contains no vectors"),
        (pa.table({"case": [1.5, 2.0, 3.0], "0": [1.0] * 3}), "ids of double in 'case': save them as text"),
        (pa.table({"case": IDS, "0": [1.0] * 3, "label": [0, 1, 0]}), "both have 'label'"),
    ],
)
def test_a_parquet_table_that_cannot_be_vectors_says_why(tmp_path: Path, table: pa.Table, sentence: str) -> None:
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(VectorTableError, match=sentence):
        read(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"vectors": X}, "no array ids"),
        ({"vectors": X, "ids": np.array(IDS, dtype=object)}, "contains Python objects"),
        ({"vectors": X, "ids": np.array(IDS[:2])}, r"vectors \[3, 4\] of float32 and ids \[2\]"),
        ({"vectors": X[0], "ids": np.array(IDS)}, r"vectors \[4\]"),
        ({"vectors": X.astype(complex), "ids": np.array(IDS)}, "complex"),
        ({"vectors": X, "ids": np.array([0.5, 1, 2])}, "ids of float64"),
        ({"vectors": X[:, :0], "ids": np.array(IDS)}, "contains no vectors"),
    ],
)
def test_an_npz_that_cannot_be_vectors_says_why(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(VectorTableError, match=sentence):
        read(tmp_path / "t.npz")


def test_an_npz_that_claims_more_than_memory_is_not_unpacked(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 4)})
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("vectors.npy", header.getvalue())
        archive.writestr("ids.npy", header.getvalue())
    with pytest.raises(VectorTableError, match=r"t\.npz"):
        read(tmp_path / "t.npz")


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npz", "t.pkl", "t.npy"])
@pytest.mark.parametrize("content", [b"\x80\x04\x95 a pickle \0", b"PK\x03\x04 cut off"])
def test_files_of_something_else_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((VectorTableError, CohortError), match=name):
        read(tmp_path / name)
    with pytest.raises(VectorTableError):
        read(tmp_path / "absent" / name)
