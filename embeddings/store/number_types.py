"""How a set's table stores its vectors: float32, or half precision for slices.

Slices are most of a store, so two bytes a number halve it. Half precision (IEEE 754 binary16) rounds a number by at
most 2^-11 of its size. DuckDB has no such type, so the table holds the bit patterns as `USMALLINT[width]`: as small
and as quick to read as a BLOB, and the type still refuses a vector of another width. Reading gives float32 always.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embeddings.store.connections import Connection, first_row

FLOAT32, FLOAT16 = "float32", "float16"
_COLUMN = {FLOAT32: "FLOAT", FLOAT16: "USMALLINT"}
# Of the vector's length. Rounding alone stays below half of it; numbers too large or too small for half do not.
_MOST_LOST = 2.0**-10


def number_type_of(view: str) -> str:
    """The number type of a new set of this view."""
    return FLOAT16 if view == "slices" else FLOAT32


def create_table(con: Connection, table: str, width: int, number_type: str) -> None:
    """Make the (quoted) table of a set's vectors where there is none."""
    con.execute(
        f"""CREATE TABLE IF NOT EXISTS {table} (
        item_id VARCHAR PRIMARY KEY, vector {_COLUMN[number_type]}[{int(width)}] NOT NULL)"""
    )


def stored(con: Connection, set_id: str, table: str, vectors: NDArray[np.float32]) -> pa.FixedSizeListArray:
    """Vectors `[n, width]` in the set's number type.

    Where half precision would lose more than its rounding, the set changes to float32 for good.
    """
    found = first_row(con, "SELECT number_type FROM embedding_sets WHERE set_id = ?", [set_id])
    numbers: NDArray[np.float32] | NDArray[np.uint16] = vectors
    if found is not None and found[0] == FLOAT16:
        if fits_half(vectors):
            numbers = vectors.astype(np.float16).view(np.uint16)
        else:
            widen(con, set_id, table, vectors.shape[1])
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()), vectors.shape[1])


def fits_half(vectors: NDArray[np.float32]) -> bool:
    """Whether half precision changes each of the vectors `[n, width]` by no more than its rounding."""
    with np.errstate(over="ignore", invalid="ignore"):
        exact = vectors.astype(np.float64)
        lost = np.linalg.norm(exact - vectors.astype(np.float16), axis=1)
        return bool((lost <= _MOST_LOST * np.linalg.norm(exact, axis=1)).all())


def vectors_of(con: Connection, table: str, item_ids: pa.ChunkedArray) -> NDArray[np.float32]:
    """The vectors `[n, width]` of these items in their order, float32, C-contiguous and read-only."""
    found = con.sql(f"SELECT item_id, vector FROM {table}").to_arrow_table()
    places = pc.index_in(found["item_id"], value_set=item_ids)
    return _placed(found["vector"], places.fill_null(-1).to_numpy(), len(item_ids))


def sorted_vectors(con: Connection, table: str) -> tuple[pa.ChunkedArray, NDArray[np.float32]]:
    """Item ids, sorted as DuckDB sorts text, and their vectors `[n, width]` float32, C-contiguous, read-only."""
    found = con.sql(f"SELECT item_id, vector FROM {table}").to_arrow_table()
    order = pc.sort_indices(found["item_id"]).to_numpy()
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return found["item_id"].take(pa.array(order)), _placed(found["vector"], places, len(order))


def _placed(column: pa.ChunkedArray, places: NDArray[np.int64], n_rows: int) -> NDArray[np.float32]:
    """Vectors of a column of fixed-size lists at their places; -1 leaves one out."""
    width = column.type.list_size
    found = np.empty((n_rows, width), np.float32)
    start = 0
    for chunk in column.chunks:
        numbers = chunk.flatten().to_numpy()
        rows = (numbers.view(np.float16) if numbers.dtype == np.uint16 else numbers).reshape(-1, width)
        at = places[start : start + len(rows)]
        start += len(rows)
        if (at >= 0).all():
            found[at] = rows
        else:
            found[at[at >= 0]] = rows[at >= 0]
    found.flags.writeable = False
    return cast("NDArray[np.float32]", found)


def widen(con: Connection, set_id: str, table: str, width: int) -> None:
    """Change a set of half precision to float32; its numbers stay the same."""
    ids, vectors = sorted_vectors(con, table)
    con.execute(f"DROP TABLE {table}")
    create_table(con, table, width, FLOAT32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width)
    con.register("widened", pa.table({"item_id": ids, "vector": column}))
    con.execute(f"INSERT INTO {table} SELECT * FROM widened")
    con.unregister("widened")
    con.execute("UPDATE embedding_sets SET number_type = ? WHERE set_id = ?", [FLOAT32, set_id])
