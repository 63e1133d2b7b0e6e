"""Several stores as one: what each job of a cluster wrote of its part of a cohort, brought into one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from embeddings import case_table
from embeddings.connections import Connection, SharedFile, StoreError, first_row
from embeddings.schema import quote
from embeddings.store import Store
from embeddings.transactions import vectors_table
from embeddings.vector_numbers import FLOAT32, create_table, widen

ROWS_AT_ONCE = 10_000
# What a row of each table is known by; a row that is there already stays, but a run is known better later.
_KEYS = {
    "embedding_sets": ("set_id",),
    "items": ("item_id",),
    "thumbnails": ("item_id",),
    "lesions": ("case_id", "source"),
    "acquisition": ("case_id",),
    "sources": ("set_id", "case_id"),
    "completed": ("set_id", "case_id", "slice_step"),
    "failures": ("set_id", "case_id", "item_id"),
}


@dataclass(frozen=True)
class Merged:
    """What the merged file holds: vectors in it, and those that were new in it."""

    n_sets: int
    n_items: int
    n_new: int


def merge(out: Path, parts: Sequence[Path], patience_s: float = 20.0) -> Merged:
    """Bring the parts into `out`, made if missing, each in one transaction; repeated, it changes nothing.

    Vectors stay as they are to the bit. Projections are left behind: they are of other items.

    Raises:
        StoreError: a file cannot be used, a case is another scan in two of them, or an item has two vectors.
    """
    if out.resolve() in {part.resolve() for part in parts}:
        raise StoreError(f"{out} is to be merged into itself: give the merged store a name of its own")
    for part in parts:
        with Store(part, patience_s=patience_s):
            pass  # a part that cannot be read is named before anything is written
    before = _n_items(out, patience_s)[1] if out.exists() else 0
    for part in parts:
        cohort = Store(part, patience_s=patience_s)
        info, cases, covariates = cohort.info(), cohort.cases(), cohort.covariates()
        with (
            SharedFile(part, True, patience_s).reading() as source,
            SharedFile(out, False, patience_s).writing() as con,
        ):
            case_table.add_cases(con, part, info, cases, covariates)
            _refuse_other_sources(con, source, part)
            for table, key in _KEYS.items():
                _copy(con, source, table, key)
            _copy_runs(con, source)
            for (set_id,) in source.execute("SELECT set_id FROM embedding_sets").fetchall():
                _copy_vectors(con, source, set_id, part)
    n_sets, n_items = _n_items(out, patience_s)
    return Merged(n_sets, n_items, n_items - before)


def _n_items(path: Path, patience_s: float) -> tuple[int, int]:
    sets = Store(path, patience_s=patience_s).sets()
    return len(sets), int(sets["n_items"].sum())


def _batches(source: Connection, query: str) -> pa.RecordBatchReader:
    return source.sql(query).to_arrow_reader(ROWS_AT_ONCE)


def _copy(con: Connection, source: Connection, table: str, key: Sequence[str]) -> None:
    if not first_row(source, "SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [table]):
        return  # a file of before the program kept these
    same = " AND ".join(f"t.{name} IS NOT DISTINCT FROM incoming.{name}" for name in key)
    for batch in _batches(source, f"SELECT * FROM {table}"):
        con.register("incoming", pa.Table.from_batches([batch]))
        con.execute(
            f"""INSERT INTO {table} BY NAME SELECT * FROM incoming
            WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {same})"""
        )
        con.unregister("incoming")


def _copy_runs(con: Connection, source: Connection) -> None:
    for batch in _batches(source, "SELECT * FROM runs"):
        con.register("incoming", pa.Table.from_batches([batch]))
        con.execute("INSERT OR REPLACE INTO runs BY NAME SELECT * FROM incoming")
        con.unregister("incoming")


def _refuse_other_sources(con: Connection, source: Connection, part: Path) -> None:
    con.register("incoming", source.sql("SELECT set_id, case_id, content FROM sources").to_arrow_table())
    other = first_row(
        con,
        "SELECT case_id FROM incoming JOIN sources USING (set_id, case_id) WHERE incoming.content <> sources.content",
    )
    con.unregister("incoming")
    if other:
        raise StoreError(f"the scan of case {other[0]!r} in {part} is not the one merged before: embed it again in one")


def _copy_vectors(con: Connection, source: Connection, set_id: str, part: Path) -> None:
    """Add the part's vectors; a set that is float32 in one of the two is float32 in the merged file."""
    table = vectors_table(set_id)
    width, held = first_row(con, "SELECT width, number_type FROM embedding_sets WHERE set_id = ?", [set_id]) or (0, "")
    create_table(con, table, width, held)
    column = source.sql(f"SELECT vector FROM {table} LIMIT 0").to_arrow_table().schema.field("vector")
    given_half = column.type.value_type == pa.uint16()
    if not given_half and held != FLOAT32:
        widen(con, set_id, table, width)
        held = FLOAT32
    for batch in _batches(source, f"SELECT item_id, vector FROM {table}"):
        vectors = batch.column("vector")
        if given_half and held == FLOAT32:
            numbers = vectors.flatten().to_numpy().view("float16").astype("float32")
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(numbers), width)
        con.register("incoming", pa.table({"item_id": batch.column("item_id"), "vector": vectors}))
        other = first_row(
            con,
            f"""SELECT i.case_id FROM incoming JOIN {table} v ON v.item_id = incoming.item_id
            JOIN items i ON i.item_id = v.item_id WHERE v.vector <> incoming.vector LIMIT 1""",
        )
        if other:
            raise StoreError(
                f"case {other[0]!r} has another vector in {part} than in what was merged before (set {quote(set_id)}): "
                "leave one of the two files out"
            )
        con.execute(f"INSERT INTO {table} SELECT * FROM incoming ON CONFLICT DO NOTHING")
        con.unregister("incoming")
