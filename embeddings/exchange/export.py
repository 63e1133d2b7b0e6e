"""A store as one table for other programs: one row per item and set, with its vector, case and lesion."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from embeddings.atomic_file import partial_file
from embeddings.exchange.anndata_file import anndata_of, check_anndata
from embeddings.exchange.description import KEY, describe
from embeddings.store.store import Store, StoreError
from flexict.errors import FlexiCTError

if TYPE_CHECKING:
    from anndata import AnnData

FORMATS = ("parquet", "h5ad", "csv")
# Without a stored map, one is computed for up to this many items; more take minutes.
MOST_MAPPED = 20_000
FEWEST_MAPPED = 5
_FIRST = ("set_id", "item_id", "case_id", "vector")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class ExportError(FlexiCTError):
    """Nothing was exported; the message says why and what to do."""


def export(store: Store, out: Path, kind: str, set_id: str | None = None) -> int:
    """Write the items of one set, or of all, and return the number of rows.

    `vector` is a list of float32 in Parquet and JSON text in CSV, where text that a spreadsheet would read as a formula
    gets an apostrophe in front; h5ad is AnnData of one set, with its UMAP. The description of cohort and sets is stored
    in the table (for a CSV in a file of the same name with .json added), so that `import` can restore all. The file
    appears under its name only when it is complete.

    Raises:
        ExportError: nothing to export, or a place that cannot be written.
        StoreError: the store cannot be read or has no such set.
    """
    if kind not in FORMATS:
        raise ExportError(f"there is no format {kind!r}: choose one of {', '.join(FORMATS)}")
    known = store.sets()["set_id"].tolist()
    if set_id is not None and set_id not in known:
        raise StoreError(f"{store.path} has no embedding set {set_id!r}: choose one of {', '.join(known) or 'none'}")
    if not known:
        raise ExportError(f"{store.path} contains no vectors yet: embed the cohort first")
    if out.resolve() == store.path.resolve():
        raise ExportError(f"{out} is the store itself: give the export another name")
    chosen = [set_id] if set_id is not None else known
    if kind == "h5ad":
        if len(chosen) > 1:
            raise ExportError(f"an h5ad file can contain one set: choose it with --set from {', '.join(known)}")
        check_anndata()
        with _whole_file(out) as partial:
            data = as_anndata(store, chosen[0])
            data.write_h5ad(partial, compression="gzip")
        return int(data.n_obs)
    description = _described(store, chosen)
    if kind == "csv":
        with _whole_file(out) as partial, _whole_file(sidecar(out)) as words:
            words.write_text(description, encoding="utf-8")
            return _write_csv((_table(store, one) for one in chosen), partial)
    with _whole_file(out) as partial:
        return _write_parquet((_table(store, one) for one in chosen), partial, description)


def as_anndata(store: Store, set_id: str) -> AnnData:
    """One set as AnnData (see `anndata_of`), with its stored UMAP or a new one.

    Raises:
        AnnDataMissing: anndata is not installed.
        StoreError: the store cannot be read or has no such set.
    """
    check_anndata()
    table = _table(store, set_id)
    return anndata_of(table, store.info().stage_order, _described(store, [set_id]), _umap(store, set_id, table))


def _described(store: Store, set_ids: Sequence[str]) -> str:
    # All sets have the columns of the first.
    return describe(store, set_ids, _arranged(store.item_columns(set_ids[0]), set_ids[0]).schema)


def sidecar(csv_path: Path) -> Path:
    """The path of the description of an exported CSV."""
    return csv_path.with_name(csv_path.name + ".json")


def _umap(store: Store, set_id: str, table: pa.Table) -> NDArray[np.float64] | None:
    """The stored UMAP of these items, or a new one where there is none; None for too few or too many items."""
    ids = table["item_id"].to_pylist()
    for settings, frame in store.projections(set_id):
        placed = frame.set_index("item_id").reindex(ids)
        if settings.get("method") == "umap" and not placed.isna().any(axis=None):
            return placed[["x", "y"]].to_numpy(dtype=np.float64)
    if not FEWEST_MAPPED <= len(ids) <= MOST_MAPPED:
        return None
    from embeddings.analysis.projection import project  # takes seconds to import

    vectors = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(ids), -1)
    return project(vectors).coordinates


def defused(text: str) -> str:
    """Text that no spreadsheet reads as a formula; numbers are unchanged."""
    dangerous = text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and not _NUMBER.fullmatch(text)
    return "'" + text if dangerous else text


def _table(store: Store, set_id: str) -> pa.Table:
    found = store.joined(set_id)
    vectors = found["vector"].cast(pa.list_(pa.float32()))
    return _arranged(found.set_column(found.schema.get_field_index("vector"), "vector", vectors), set_id)


def _arranged(found: pa.Table, set_id: str) -> pa.Table:
    """The items with their set, columns in the order of an export."""
    found = found.append_column("set_id", pa.array([set_id] * found.num_rows, pa.string()))
    first = [name for name in _FIRST if name in found.column_names]
    return found.select([*first, *(name for name in found.column_names if name not in first)])


def _write_parquet(tables: Iterator[pa.Table], path: Path, description: str) -> int:
    n_rows, writer = 0, None
    try:
        for table in tables:
            table = table.replace_schema_metadata({KEY: description})
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            n_rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return n_rows


def _write_csv(tables: Iterator[pa.Table], path: Path) -> int:
    n_rows = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for table in tables:
            if n_rows == 0 and file.tell() == 0:
                writer.writerow([defused(name) for name in table.column_names])
            for batch in table.to_batches(max_chunksize=1000):
                vectors = batch.column("vector")
                numbers = vectors.flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
                columns: list[Sequence[object]] = [
                    # The shortest decimals that give the same float32 back.
                    ["[" + ",".join(row.astype(str)) + "]" for row in numbers]
                    if name == "vector"
                    else column.to_pylist()
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
                for row in zip(*columns, strict=True):
                    writer.writerow([defused(cell) if isinstance(cell, str) else cell for cell in row])
            n_rows += table.num_rows
    return n_rows


@contextmanager
def _whole_file(out: Path) -> Iterator[Path]:
    """A partial file beside `out` that replaces it at the end of the block, or is deleted if the block raises."""
    if out.is_dir():
        raise ExportError(f"{out} is a folder: give the name of a file")
    if out.exists() and not out.is_file():
        raise ExportError(f"{out} is a device or pipe, which the export would replace: give the name of a file")
    if not out.parent.is_dir():
        raise ExportError(f"there is no folder {out.parent} to write {out.name} to: create it first")
    try:
        with partial_file(out) as partial:
            yield partial
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error.strerror or error}") from error
