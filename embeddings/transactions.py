"""What one write transaction does to the tables of a cohort store; the caller begins and ends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from embeddings import schema
from embeddings.connections import Connection, StoreError, first_row
from embeddings.records import CaseOutcome, EmbeddedItem, Failure, LesionRecord, RunProgress, Source
from embeddings.schema import quote

if TYPE_CHECKING:
    from embeddings.cohort import CohortReport


def vectors_table(set_id: str) -> str:
    """The set's own table of vectors, quoted."""
    return quote(f"vectors of {set_id}")


def width_of(con: Connection, set_id: str, path: Path) -> int:
    """Numbers in a vector of the set. Raises `StoreError` where the store has no such set."""
    found = first_row(con, "SELECT width FROM embedding_sets WHERE set_id = ?", [set_id])
    if found is None:
        raise StoreError(f"{path} has no embedding set {set_id!r}")
    return int(found[0])


def upsert_cases(con: Connection, report: CohortReport, root: Path) -> None:
    """Update the report's cases that are there and insert the others; columns it does not have stay."""
    columns = _fixed_columns(report, root) | _covariate_columns(con, report)
    plain = {f"c{number}": values for number, values in enumerate(columns.values())}
    con.register("incoming", pa.table({"case_id": columns["case_id"], **plain}))
    assignments = ", ".join(f"{quote(name)} = incoming.c{number}" for number, name in enumerate(columns))
    con.execute(f"UPDATE cases SET {assignments} FROM incoming WHERE cases.case_id = incoming.case_id")
    con.execute(
        f"INSERT INTO cases ({', '.join(map(quote, columns))}) SELECT {', '.join(plain)} FROM incoming "
        "WHERE case_id NOT IN (SELECT case_id FROM cases)"
    )
    con.unregister("incoming")


def anchor_paths(con: Connection, root: Path) -> None:
    """Make relative paths absolute: what was stored under this data root must not be looked for under the next."""
    for column in ("image_path", "mask_path"):
        relative = [p for (p,) in con.execute(f"SELECT DISTINCT {column} FROM cases").fetchall() if p is not None]
        paths = {"relative": relative, "absolute": [str(root / p) for p in relative]}
        con.register("anchored", pa.table({name: pa.array(v, pa.string()) for name, v in paths.items()}))
        con.execute(f"UPDATE cases SET {column} = anchored.absolute FROM anchored WHERE {column} = anchored.relative")
        con.unregister("anchored")


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
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), width),
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
            f"""UPDATE failures SET stage_of_work = ?, reason = ?, attempts = attempts + 1, last_at = ?
            {where}""",
            [failure.stage_of_work, failure.reason, now, *key],
        )
    else:
        con.execute(
            "INSERT INTO failures VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
            [failure.case_id, failure.item_id, set_id, failure.stage_of_work, failure.reason, now, now],
        )


def settle_case(con: Connection, set_id: str, outcome: CaseOutcome, run_id: str | None, now: datetime) -> None:
    """Mark a case complete, and drop its failures of before this run (without a run: before this commit)."""
    if outcome.complete:
        con.execute(
            "INSERT INTO completed VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [set_id, outcome.case_id, outcome.slice_step],
        )
    run = first_row(con, "SELECT started FROM runs WHERE run_id = ?", [run_id])
    con.execute(
        """DELETE FROM failures
        WHERE set_id = ? AND case_id = ? AND last_at < ? AND stage_of_work <> 'validate'""",
        [set_id, outcome.case_id, run[0] if run else now],
    )


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


def _fixed_columns(report: CohortReport, root: Path) -> dict[str, pa.Array]:
    seeds = np.array([c.seed_lps or (None, None, None) for c in report.cases], dtype=object).reshape(-1, 3)
    fixed: dict[str, list[object]] = {
        "case_id": [c.case_id for c in report.cases],
        "patient_id": [c.patient_id for c in report.cases],
        "row": [c.row for c in report.cases],
        "image_path": [_relative(c.image_path, root) for c in report.cases],
        "mask_path": [_relative(c.mask_path, root) for c in report.cases],
        "seed_x": list(seeds[:, 0]),
        "seed_y": list(seeds[:, 1]),
        "seed_z": list(seeds[:, 2]),
        "stage": [c.stage for c in report.cases],
    }
    return {name: pa.array(v, schema.CASE_COLUMNS[name]) for name, v in fixed.items()}


def _covariate_columns(con: Connection, report: CohortReport) -> dict[str, pa.Array]:
    """Make room in the table of cases for the CSV's own columns, and return their values by column name."""
    known = {h: (c, t) for h, c, t in con.execute("SELECT * FROM covariates").fetchall()}
    headers = list(dict.fromkeys(header for case in report.cases for header in case.covariates))
    names = schema.covariate_columns(headers, {header: column for header, (column, _) in known.items()})
    columns = {}
    for header in headers:
        name, column = names[header], quote(names[header])
        values = [schema.plain(case.covariates.get(header)) for case in report.cases]
        found = schema.column_type(values)
        if header not in known:
            con.execute(f"ALTER TABLE cases ADD COLUMN {column} {found}")
            con.execute("INSERT INTO covariates VALUES (?, ?, ?)", [header, name, found])
        elif found != known[header][1] and any(value is not None for value in values):
            kept = first_row(con, f"SELECT 1 FROM cases WHERE {column} IS NOT NULL LIMIT 1")
            found = schema.widened({found, known[header][1]}) if kept else found
            con.execute(f"ALTER TABLE cases ALTER COLUMN {column} SET DATA TYPE {found}")
            con.execute("UPDATE covariates SET column_type = ? WHERE header = ?", [found, header])
        else:
            found = known[header][1]
        columns[name] = schema.column_values(values, found)
    return columns


def _relative(path: Path | None, root: Path) -> str | None:
    """The path from the data root, so that the cohort can move, or absolute where it lies elsewhere."""
    if path is None:
        return None
    absolute = Path(path).resolve()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)
