"""What a run writes to the tables of a cohort store; the caller begins and ends the transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from embeddings.records import AcquisitionRecord, CaseOutcome, EmbeddedItem, Failure, LesionRecord, RunProgress, Source
from embeddings.store.connections import Connection, StoreError, first_row
from embeddings.store.number_types import stored
from embeddings.store.schema import quote


def vectors_table(set_id: str) -> str:
    """The set's own table of vectors, quoted."""
    return quote(f"vectors of {set_id}")


def width_of(con: Connection, set_id: str, path: Path) -> int:
    """Numbers in a vector of the set. Raises `StoreError` where the store has no such set."""
    found = first_row(con, "SELECT width FROM embedding_sets WHERE set_id = ?", [set_id])
    if found is None:
        raise StoreError(f"{path} has no embedding set {set_id!r}")
    return int(found[0])


def insert_items(con: Connection, set_id: str, width: int, items: Sequence[EmbeddedItem]) -> None:
    """Store items with their vectors and pictures; a vector that is stored already stays as it is."""
    vectors = np.stack([np.asarray(item.vector, dtype=np.float32) for item in items])
    if vectors.shape != (len(items), width):
        raise ValueError(f"set {set_id} holds vectors of {width} numbers, not {list(vectors.shape[1:])}")
    view = first_row(con, "SELECT view FROM embedding_sets WHERE set_id = ?", [set_id])
    ids = pa.array([item.item_id for item in items], pa.string())
    tables = {
        "items": {
            "item_id": ids,
            "case_id": pa.array([item.case_id for item in items], pa.string()),
            "view": pa.array([view[0] if view else None] * len(items), pa.string()),
            "slice_index": pa.array([item.slice_index for item in items], pa.int64()),
            "z_lps_mm": pa.array([item.z_lps_mm for item in items], pa.float64()),
        },
        vectors_table(set_id): {
            "item_id": ids,
            "vector": stored(con, set_id, vectors_table(set_id), vectors),
        },
    }
    pictures = [(item.item_id, item.thumbnail) for item in items if item.thumbnail is not None]
    if pictures:
        tables["thumbnails"] = {
            "item_id": pa.array([item_id for item_id, _ in pictures], pa.string()),
            "png": pa.array([picture.png for _, picture in pictures], pa.binary()),
            "window": pa.array([picture.window for _, picture in pictures], pa.string()),
            "pixel_mm": pa.array([picture.pixel_mm for _, picture in pictures], pa.float64()),
            "z_lps_mm": pa.array([picture.z_lps_mm for _, picture in pictures], pa.float64()),
        }
    for table, columns in tables.items():
        con.register("incoming", pa.table(columns))
        # Places and pictures are shared with other sets, and those of a changed scan must follow it.
        rule = "NOTHING" if table == vectors_table(set_id) else "UPDATE SET " + _replaced(columns)
        con.execute(f"INSERT INTO {table} SELECT * FROM incoming ON CONFLICT DO {rule}")
        con.unregister("incoming")


def _replaced(columns: Iterable[str]) -> str:
    return ", ".join(f"{quote(name)} = EXCLUDED.{quote(name)}" for name in columns if name != "item_id")


def record_source(con: Connection, set_id: str, source: Source) -> None:
    """Note what a case's vectors are made from; vectors of another content go, and projections that hold them."""
    key = [set_id, source.case_id]
    before = first_row(con, "SELECT content FROM sources WHERE set_id = ? AND case_id = ?", key)
    if before and before[0] != source.content:
        con.execute(
            f"DELETE FROM {vectors_table(set_id)} WHERE item_id IN (SELECT item_id FROM items WHERE case_id = ?)",
            [source.case_id],
        )
        con.execute("DELETE FROM completed WHERE set_id = ? AND case_id = ?", key)
        con.execute("DELETE FROM projections WHERE set_id = ?", [set_id])
    con.execute(
        "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?)", [*key, source.content, source.stamp, source.doubt]
    )


def record_failure(con: Connection, set_id: str, failure: Failure, now: datetime) -> None:
    """Add a failure, or count one more attempt of the same case and item."""
    key = [set_id, failure.case_id, failure.item_id]
    where = "WHERE set_id = ? AND case_id = ? AND item_id IS NOT DISTINCT FROM ?"
    if first_row(con, f"SELECT 1 FROM failures {where}", key):
        con.execute(
            f"""UPDATE failures SET stage_of_work = ?, reason = ?, attempts = attempts + 1, last_at = ?, stamp = ?
            {where}""",
            [failure.stage_of_work, failure.reason, now, failure.stamp, *key],
        )
    else:
        con.execute(
            "INSERT INTO failures VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?)",
            [failure.case_id, failure.item_id, set_id, failure.stage_of_work, failure.reason, now, now, failure.stamp],
        )


def settle_cases(
    con: Connection, set_id: str, outcomes: Sequence[CaseOutcome], run_id: str | None, now: datetime
) -> None:
    """Mark cases complete, and drop their failures of before this run (without a run: before this commit)."""
    columns = {
        "case_id": pa.array([outcome.case_id for outcome in outcomes], pa.string()),
        "complete": pa.array([outcome.complete for outcome in outcomes], pa.bool_()),
        "slice_step": pa.array([outcome.slice_step for outcome in outcomes], pa.int64()),
    }
    run = first_row(con, "SELECT started FROM runs WHERE run_id = ?", [run_id])
    con.register("incoming", pa.table(columns))
    con.execute(
        """INSERT INTO completed SELECT ?, case_id, slice_step FROM incoming WHERE complete
        ON CONFLICT DO NOTHING""",
        [set_id],
    )
    con.execute(
        """DELETE FROM failures
        WHERE set_id = ? AND case_id IN (SELECT case_id FROM incoming) AND last_at < ?
        AND stage_of_work <> 'validate'""",
        [set_id, run[0] if run else now],
    )
    con.unregister("incoming")


def record_progress(con: Connection, run_id: str, progress: RunProgress, now: datetime) -> None:
    """A heartbeat of the run, with its counts."""
    con.execute(
        """UPDATE runs SET heartbeat = ?, n_planned = ?, n_done = ?, n_failed = ?, n_items = ?
        WHERE run_id = ?""",
        [now, progress.n_planned, progress.n_done, progress.n_failed, progress.n_items, run_id],
    )


def record_lesion(con: Connection, lesion: LesionRecord) -> None:
    """Store size and place of a lesion in place of what was known from the same source."""
    con.execute(
        "INSERT OR REPLACE INTO lesions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            lesion.case_id,
            lesion.source,
            lesion.volume_ml,
            lesion.equivalent_diameter_mm,
            lesion.max_extent_mm,
            *lesion.centroid_lps,
            lesion.n_components,
        ],
    )


def record_acquisition(con: Connection, found: AcquisitionRecord) -> None:
    """Store how a case's scan was acquired in place of what was known of it."""
    columns = asdict(found)
    con.execute(
        f"INSERT OR REPLACE INTO acquisition ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        list(columns.values()),
    )
