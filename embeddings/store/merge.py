"""Merge the files of a cohort's parts, such as those of a cluster's jobs, into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from embeddings.formatting import counted
from embeddings.store import case_table
from embeddings.store.connections import Connection, SharedFile, StoreError, first_row, has_table
from embeddings.store.merge_saved_work import merge_kept_work
from embeddings.store.number_types import FLOAT32, create_table, widen
from embeddings.store.schema import ACQUISITION_COLUMNS, CASE_COLUMNS, quote
from embeddings.store.store import Store
from embeddings.store.transactions import vectors_table

ROWS_AT_ONCE = 10_000
# The key of each table. A row already there stays; for runs, the newer row wins.
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
# A note is made where a row that stays differs from the part's in these columns.
_COMPARED = {
    "items": ("places of slices", ("slice_index", "z_lps_mm")),
    "thumbnails": ("pictures", ("png",)),
    "lesions": ("lesion sizes", ("volume_ml", "max_extent_mm", "centroid_x", "centroid_y", "centroid_z")),
    "acquisition": ("acquisitions", ACQUISITION_COLUMNS),
    "failures": ("reasons of failures", ("stage_of_work", "reason")),
}


@dataclass(frozen=True)
class Merged:
    """The sets and vectors of the merged file, and how many of them are new.

    Attributes:
        n_scores: columns of scores.
        notes: sentences on what differs between the parts, and what was not merged.
    """

    n_sets: int
    n_items: int
    n_new: int
    n_selections: int = 0
    n_scores: int = 0
    n_results: int = 0
    notes: tuple[str, ...] = ()

    def text(self, out: Path) -> str:
        """What was merged, in plain words."""
        kept = [
            counted(self.n_selections, "selection"),
            counted(self.n_scores, "column of scores", "columns of scores"),
            counted(self.n_results, "result"),
        ]
        lines = [
            f"{counted(self.n_items, 'vector')} of {counted(self.n_sets, 'set')} in {out}, {self.n_new} of them new",
            f"also new: {', '.join(kept)}",
            *(f"note: {note}" for note in self.notes),
        ]
        return "\n".join(lines)


def merge(out: Path, parts: Sequence[Path], patience_s: float = 20.0) -> Merged:
    """Merge the parts into `out`, made if missing, each in one transaction; repeating it changes nothing.

    Vectors are copied bit by bit. Maps are not merged: they show the part's items alone. Where a part differs from
    `out` in a case or item, `out` keeps its row and a note says so.

    Raises:
        StoreError: a file cannot be used, a case is another scan in two of them, or an item has two vectors.
    """
    if out.resolve() in {part.resolve() for part in parts}:
        raise StoreError(f"{out} would be merged into itself: give the merged file another name")
    for part in parts:
        with Store(part, patience_s=patience_s):
            pass  # a part that cannot be read is named before anything is written
    before = _n_items(out, patience_s)[1] if out.exists() else 0
    n_selections = n_scores = n_results = 0
    notes: list[str] = []
    for part in parts:
        cohort = Store(part, patience_s=patience_s)
        info, cases, covariates = cohort.info(), cohort.cases(), cohort.covariates()
        if out.exists():
            notes += _other_cases(Store(out, patience_s=patience_s), cases, covariates, part)
        with (
            SharedFile(part, True, patience_s).reading() as source,
            SharedFile(out, False, patience_s).writing() as con,
        ):
            case_table.add_cases(con, part, info, cases, covariates)
            _refuse_other_sources(con, source, part)
            for table, key in _KEYS.items():
                notes += _copy(con, source, table, key, part)
            _copy_runs(con, source)
            for (set_id,) in source.execute("SELECT set_id FROM embedding_sets").fetchall():
                _copy_vectors(con, source, set_id, part)
            kept = merge_kept_work(con, source, part)
            notes += [*kept.notes, *_maps_left_behind(source, part)]
        n_selections += kept.n_selections
        n_scores += kept.n_scores
        n_results += kept.n_results
    n_sets, n_items = _n_items(out, patience_s)
    return Merged(n_sets, n_items, n_items - before, n_selections, n_scores, n_results, tuple(notes))


def _other_cases(store: Store, cases: pd.DataFrame, covariates: Mapping[str, str], part: Path) -> list[str]:
    """A sentence on how the part's cases differ from those of the store, whose rows stay."""
    held = store.cases().set_index("case_id")
    shared = cases[cases["case_id"].isin(held.index)].set_index("case_id")
    held = held.loc[shared.index]
    columns = store.covariates()
    # Name, column in the part, column here.
    pairs = [(name, name, name) for name in CASE_COLUMNS if name not in ("case_id", "row")]
    pairs += [(header, column, columns.get(header, "")) for header, column in covariates.items()]
    nothing = pd.Series(None, shared.index, dtype=object)
    differs = pd.DataFrame(
        {
            name: [
                not pd.isna(one) and (pd.isna(other) or (one != other and str(one) != str(other)))
                for one, other in zip(shared[column], held.get(here, nothing), strict=True)
            ]
            for name, column, here in pairs
        },
        index=shared.index,
    )
    cases_that_differ = differs.index[differs.any(axis=1)]
    if cases_that_differ.empty:
        return []
    said = ", ".join(differs.columns[differs.any()])
    cases_words = f"{counted(len(cases_that_differ), 'case')}, such as {cases_that_differ[0]}"
    return [f"other values in {part.name} ({said}): {cases_words}; the rows merged before stay"]


def _maps_left_behind(source: Connection, part: Path) -> list[str]:
    found = first_row(source, "SELECT count(*) FROM (SELECT DISTINCT set_id, key FROM projections)")
    if not found or not found[0]:
        return []
    return [
        f"{counted(found[0], 'map')} of {part.name} not merged: a map shows the items of one part, and is computed "
        "again when needed"
    ]


def _n_items(path: Path, patience_s: float) -> tuple[int, int]:
    sets = Store(path, patience_s=patience_s).sets()
    return len(sets), int(sets["n_items"].sum())


def _batches(source: Connection, query: str) -> pa.RecordBatchReader:
    return source.sql(query).to_arrow_reader(ROWS_AT_ONCE)


def _copy(con: Connection, source: Connection, table: str, key: Sequence[str], part: Path) -> list[str]:
    """Add the rows that are missing; a sentence where rows already there differ."""
    if not has_table(source, table):
        return []  # a file of before the program kept these
    what, columns = _COMPARED.get(table, ("", ()))
    differs = " OR ".join(f"t.{name} IS DISTINCT FROM incoming.{name}" for name in columns) or "false"
    n_other = 0
    same = " AND ".join(f"t.{name} IS NOT DISTINCT FROM incoming.{name}" for name in key)
    for batch in _batches(source, f"SELECT * FROM {table}"):
        con.register("incoming", pa.Table.from_batches([batch]))
        other = first_row(con, f"SELECT count(*) FROM incoming JOIN {table} t ON {same} WHERE {differs}")
        n_other += other[0] if other else 0
        con.execute(
            f"""INSERT INTO {table} BY NAME SELECT * FROM incoming
            WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {same})"""
        )
        con.unregister("incoming")
    return [f"{n_other} {what} differ in {part.name}: the rows merged before stay"] if n_other else []


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
