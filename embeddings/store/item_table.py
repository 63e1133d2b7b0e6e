"""A set's items as one table: vector, case, lesion and acquisition side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from embeddings.store import schema
from embeddings.store.connections import Connection, has_table
from embeddings.store.number_types import vectors_of
from embeddings.store.schema import quote
from embeddings.store.transactions import vectors_table

_LESION_COLUMNS = ", ".join(f"l.{name}" for name in schema.LESION_COLUMNS)
_COLUMNS = f"""i.item_id, i.case_id, i.view, i.slice_index, i.z_lps_mm, c.* EXCLUDE (case_id),
    l.source AS lesion_source, {_LESION_COLUMNS}"""
_JOINS = """JOIN items i ON i.item_id = v.item_id JOIN cases c ON c.case_id = i.case_id
    LEFT JOIN (SELECT * FROM lesions QUALIFY row_number() OVER (PARTITION BY case_id ORDER BY source) = 1) l
    ON l.case_id = i.case_id"""


def joined(con: Connection, set_id: str) -> tuple[pa.Table, NDArray[np.float32]]:
    """Items with their case, lesion and acquisition, sorted by `item_id`, and their vectors `[n, width]`."""
    found = without_vectors(con, set_id)
    return found, vectors_of(con, vectors_table(set_id), found["item_id"])


def without_vectors(con: Connection, set_id: str) -> pa.Table:
    """Items with their case, lesion and acquisition, sorted by `item_id`."""
    # Vectors do not go through the joins and the sorting: they are most of the file.
    return con.sql(_query(con, set_id)).to_arrow_table()


def columns_of(con: Connection, set_id: str) -> pa.Table:
    """The columns of `without_vectors` without a row."""
    return con.sql(f"{_query(con, set_id)} LIMIT 0").to_arrow_table()


def _query(con: Connection, set_id: str) -> str:
    columns, joins = _COLUMNS, _JOINS
    measured = acquisition_columns(con)
    if measured:
        columns += "".join(f", a.{quote(name)}" for name in measured)
        joins += " LEFT JOIN acquisition a ON a.case_id = i.case_id"
    return f"SELECT {columns} FROM {vectors_table(set_id)} v {joins} ORDER BY i.item_id"


def with_vectors(table: pa.Table, matrix: NDArray[np.float32]) -> pa.Table:
    """The table with the vectors as its last column `vector`, lists of fixed size."""
    column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])
    return table.append_column("vector", column)


def acquisition_columns(con: Connection) -> list[str]:
    """What is added of a case's acquisition: a CSV's own column of the same name keeps its place.

    Nothing where the file is of before acquisitions were kept.
    """
    if not has_acquisition(con):
        return []
    rows = con.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = 'cases'").fetchall()
    taken = {name.casefold() for (name,) in rows}
    return [name for name in schema.ACQUISITION_COLUMNS if name not in taken]


def has_acquisition(con: Connection) -> bool:
    """Whether the file has a table of acquisitions; files of schema version 1 have none."""
    return has_table(con, "acquisition")


def described(table: pa.Table, root: Path) -> pd.DataFrame:
    """The table of `joined` with absolute paths, and without acquisition columns that say nothing."""
    empty = [
        name
        for name in schema.ACQUISITION_COLUMNS
        if name in table.column_names and table[name].null_count == table.num_rows
    ]
    return absolute(table.drop_columns(empty).to_pandas(), root)


def absolute(frame: pd.DataFrame, root: Path) -> pd.DataFrame:
    """The frame with the paths of images and masks made absolute; None where there is none."""
    for column in ("image_path", "mask_path"):
        frame[column] = [None if pd.isna(path) else str(root / path) for path in frame[column]]
    return frame
