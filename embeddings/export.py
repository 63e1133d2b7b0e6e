"""A store as one table for other programs: a row an item and set, with its vector, case and lesion."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from embeddings.store import Store, StoreError

FORMATS = ("parquet", "csv")
_FIRST = ("set_id", "item_id", "case_id", "vector")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class ExportError(ValueError):
    """Nothing was exported; the message says why and what to do."""


def export(store: Store, out: Path, kind: str, set_id: str | None = None) -> int:
    """Write the items of one set, or of all, and return the number of rows.

    `vector` is a list of float32 in Parquet and JSON text in CSV, where text that a spreadsheet would take for a
    formula gets an apostrophe in front. The file appears under its name only when it is whole.

    Raises:
        ExportError: nothing to export, or a place that cannot be written.
        StoreError: the store cannot be read or has no such set.
    """
    if kind not in FORMATS:
        raise ExportError(f"there is no format {kind!r}: choose {' or '.join(FORMATS)}")
    known = store.sets()["set_id"].tolist()
    if set_id is not None and set_id not in known:
        raise StoreError(f"{store.path} has no embedding set {set_id!r}: choose one of {', '.join(known) or 'none'}")
    if not known:
        raise ExportError(f"{store.path} holds no vectors yet: embed the cohort first")
    if out.resolve() == store.path.resolve():
        raise ExportError(f"{out} is the store itself: give the export another name")
    chosen = [set_id] if set_id is not None else known
    tables = (_table(store, chosen_id) for chosen_id in chosen)
    with _whole_file(out) as partial:
        return _write_parquet(tables, partial) if kind == "parquet" else _write_csv(tables, partial)


def defused(text: str) -> str:
    """Text that no spreadsheet takes for a formula; numbers stay as they are."""
    dangerous = text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and not _NUMBER.fullmatch(text)
    return "'" + text if dangerous else text


def _table(store: Store, set_id: str) -> pa.Table:
    found = store.joined(set_id)
    vectors = found["vector"].cast(pa.list_(pa.float32()))
    found = found.set_column(found.schema.get_field_index("vector"), "vector", vectors)
    found = found.append_column("set_id", pa.array([set_id] * found.num_rows, pa.string()))
    return found.select([*_FIRST, *(name for name in found.column_names if name not in _FIRST)])


def _write_parquet(tables: Iterator[pa.Table], path: Path) -> int:
    n_rows, writer = 0, None
    try:
        for table in tables:
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
    """A partial file beside `out` that takes its place at the end of the block, or goes if the block raises."""
    if out.is_dir():
        raise ExportError(f"{out} is a folder: give the name of a file")
    if not out.parent.is_dir():
        raise ExportError(f"there is no folder {out.parent} to write {out.name} into: make it first")
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(out)
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
