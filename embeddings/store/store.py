"""The cohort store: one DuckDB file a cohort, read and written by name instead of by SQL."""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from embeddings.process import is_alive
from embeddings.records import (
    AcquisitionRecord,
    CaseOutcome,
    CohortInfo,
    EmbeddedItem,
    Failure,
    LesionRecord,
    RunProgress,
    SetIdentity,
    Source,
    Thumbnail,
)
from embeddings.store import case_table, item_table, transactions
from embeddings.store.connections import (
    Connection,
    SharedFile,
    StoreBusy,
    StoreError,
    StoreUnavailable,
    first_row,
    utc_now,
)
from embeddings.store.number_types import FLOAT32, create_table, number_type_of, sorted_vectors
from embeddings.store.schema import ACQUISITION_COLUMNS
from embeddings.store.transactions import vectors_table, width_of

__all__ = ["Store", "StoreBusy", "StoreError", "StoreUnavailable"]

if TYPE_CHECKING:
    from embeddings.cohort.labels import Labels
    from embeddings.cohort.read import CohortReport


class Store:
    """One cohort in one file.

    DuckDB lets one process write or several read, so every method opens a connection of its own, waits for
    its turn, and closes it again: a dashboard reads while a job writes. A `with` block checks the file once
    and keeps nothing open.

    Args:
        path: the `.duckdb` file.
        read_only: False creates the file where it is missing and allows the writing methods.
        patience_s: how long a method waits for another process before it raises `StoreBusy`.
    """

    def __init__(self, path: Path | str, read_only: bool = True, patience_s: float = 20.0) -> None:
        self.path = Path(path)
        self._file = SharedFile(self.path, read_only, patience_s)

    def __enter__(self) -> Store:
        with self._file.reading():
            return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    # Reading

    def info(self) -> CohortInfo:
        """What the store holds. Raises `StoreError` where no cohort was registered yet."""
        with self._file.reading() as con:
            row = first_row(
                con,
                """SELECT created, name, cohort_csv, cohort_sha256, data_root, stage_order, simulated
                FROM meta""",
            )
            counts = first_row(con, "SELECT count(*), count(DISTINCT patient_id) FROM cases")
            version = first_row(con, "SELECT version FROM schema_version")
        if row is None or counts is None or version is None:
            raise StoreError(f"{self.path} holds no cohort yet; embed one into it first")
        created, name, csv, sha256, root, stages, simulated = row
        return CohortInfo(
            name=name,
            simulated=simulated,
            n_cases=counts[0],
            n_patients=counts[1],
            schema_version=version[0],
            created=created,
            data_root=Path(root),
            cohort_csv=csv,
            cohort_sha256=sha256,
            stage_order=tuple(json.loads(stages)),
        )

    def revision(self) -> str:
        """Changes whenever a run stores anything or another CSV is registered; saved projections leave it alone."""
        with self._file.reading() as con:
            cohort = first_row(con, "SELECT cohort_sha256 FROM meta")
            runs = first_row(con, "SELECT count(*), max(heartbeat) FROM runs")
        return _canonical({"cohort": cohort, "runs": runs})

    def cases(self) -> pd.DataFrame:
        """One row a case in the order of the CSV, with its covariates; image and mask paths are absolute.

        A case with only a vector has no image path.
        """
        return item_table.absolute(self._frame("SELECT * FROM cases ORDER BY row, case_id"), self.info().data_root)

    def covariates(self) -> dict[str, str]:
        """CSV header -> column of `cases()` that holds it, for the columns the CSV contract does not know."""
        frame = self._frame("SELECT header, column_name FROM covariates")
        return dict(zip(frame["header"], frame["column_name"], strict=True))

    def lesions(self) -> pd.DataFrame:
        """One row for each case and source (`mask` or `seed`); ml, mm, centroid in LPS mm."""
        return self._frame("SELECT * FROM lesions ORDER BY case_id, source")

    def acquisitions(self) -> pd.DataFrame:
        """How the scans were acquired, one row a case; mm and kV. Cases read by older versions are missing."""
        with self._file.reading() as con:
            if not item_table.has_acquisition(con):
                return pd.DataFrame(columns=["case_id", *ACQUISITION_COLUMNS])
            return con.execute("SELECT * FROM acquisition ORDER BY case_id").df()

    def sets(self) -> pd.DataFrame:
        """One row an embedding set, oldest first, with `n_items` and `n_cases`."""
        with self._file.reading() as con:
            frame = con.execute("SELECT * FROM embedding_sets ORDER BY created, set_id").df()
            if "number_type" not in frame:  # a file of before schema version 3
                frame["number_type"] = FLOAT32
            counts = [
                first_row(
                    con,
                    f"SELECT count(*), count(DISTINCT i.case_id) FROM {vectors_table(set_id)} v "
                    "JOIN items i ON i.item_id = v.item_id",
                )
                or (0, 0)
                for set_id in frame["set_id"]
            ]
        frame["n_items"] = [n_items for n_items, _ in counts]
        frame["n_cases"] = [n_cases for _, n_cases in counts]
        return frame

    def items(self, set_id: str) -> pd.DataFrame:
        """The set's items sorted by `item_id`: case, view, slice index and height (LPS mm)."""
        with self._reading_set(set_id) as (con, vectors):
            return con.execute(
                f"SELECT i.* FROM {vectors} v JOIN items i ON i.item_id = v.item_id ORDER BY i.item_id"
            ).df()

    def vectors(self, set_id: str) -> tuple[list[str], NDArray[np.float32]]:
        """Item ids, sorted, and their vectors `[n, width]` float32, C-contiguous and read-only."""
        with self._reading_set(set_id) as (con, vectors):
            ids, matrix = sorted_vectors(con, vectors)
        return ids.to_pylist(), matrix

    def joined(self, set_id: str) -> pa.Table:
        """Items joined with their cases, lesions and acquisitions, and `vector`, sorted by `item_id`, in Arrow.

        Where a case has both a mask and a seed, the lesion columns are those of the mask. Columns of the
        acquisition are left out where the CSV has one of the same name. Paths inside the data root are relative to it.
        """
        with self._reading_set(set_id) as (con, _):
            return item_table.with_vectors(*item_table.joined(con, set_id))

    def item_columns(self, set_id: str) -> pa.Table:
        """The columns of `joined` but `vector`, without a row."""
        with self._reading_set(set_id) as (con, _):
            return item_table.columns_of(con, set_id)

    def table(self, set_id: str) -> tuple[pd.DataFrame, NDArray[np.float32]]:
        """The items of `joined` with absolute paths, and their vectors `[n, width]`, both sorted by `item_id`.

        Columns of the acquisition that are empty for all of these items are left out.
        """
        with self._reading_set(set_id) as (con, _):
            found, matrix = item_table.joined(con, set_id)
        return item_table.described(found, self.info().data_root), matrix

    def described_items(self, set_id: str) -> pd.DataFrame:
        """The items of `table` without their vectors."""
        with self._reading_set(set_id) as (con, _):
            found = item_table.without_vectors(con, set_id)
        return item_table.described(found, self.info().data_root)

    def completed(self, set_id: str) -> pd.DataFrame:
        """Cases of which the set holds every item, with the slice step it was asked for."""
        return self._frame("SELECT case_id, slice_step FROM completed WHERE set_id = ?", [set_id])

    def failures(self, set_id: str | None = None) -> pd.DataFrame:
        """What has no vector and why, of one set or of all; times are UTC."""
        frame = self._frame(
            "SELECT * FROM failures WHERE ?::VARCHAR IS NULL OR set_id = ? ORDER BY set_id, case_id, item_id",
            [set_id, set_id],
        )
        if "stamp" not in frame:  # a file of before schema version 3
            frame["stamp"] = None
        return frame

    def sources(self, set_id: str) -> dict[str, Source]:
        """What each case's vectors in the set are made from, by case."""
        with self._file.reading() as con:
            rows = con.execute(
                "SELECT case_id, content, stamp, doubt FROM sources WHERE set_id = ?", [set_id]
            ).fetchall()
        return {row[0]: Source(*row) for row in rows}

    def doubts(self) -> pd.DataFrame:
        """Cases that were embedded although their voxels may not be HU, and why (`case_id`, `doubt`)."""
        return self._frame("SELECT DISTINCT case_id, doubt FROM sources WHERE doubt IS NOT NULL ORDER BY ALL")

    def runs(self) -> pd.DataFrame:
        """Every run of the embedding job, newest first; times are UTC, counts are cases except `n_items`."""
        return self._frame("SELECT * FROM runs ORDER BY started DESC, run_id")

    def thumbnail(self, item_id: str) -> Thumbnail | None:
        """The item's picture, or None where none was stored."""
        return self.thumbnails([item_id]).get(item_id)

    def thumbnails(self, item_ids: Sequence[str]) -> dict[str, Thumbnail]:
        """Pictures of those of the items that have one."""
        with self._file.reading() as con:
            rows = con.execute(
                """SELECT item_id, png, "window", pixel_mm, z_lps_mm FROM thumbnails
                WHERE item_id IN (SELECT unnest(?::VARCHAR[]))""",
                [list(item_ids)],
            ).fetchall()
        return {item_id: Thumbnail(bytes(png), *rest) for item_id, png, *rest in rows}

    def projection(self, set_id: str, key: Mapping[str, object]) -> pd.DataFrame | None:
        """Coordinates (`item_id`, `x`, `y`, sorted by item) stored under these settings, or None.

        Items embedded after it was computed are not in it: compare its ids with `items()`.
        """
        frame = self._frame(
            "SELECT item_id, x, y FROM projections WHERE set_id = ? AND key = ? ORDER BY item_id",
            [set_id, _canonical(key)],
        )
        return None if frame.empty else frame

    def projections(self, set_id: str) -> list[tuple[dict[str, object], pd.DataFrame]]:
        """Every stored projection of a set: its settings, and its coordinates as `projection` gives them."""
        frame = self._frame("SELECT key, item_id, x, y FROM projections WHERE set_id = ? ORDER BY ALL", [set_id])
        return [(json.loads(str(key)), placed.drop(columns="key")) for key, placed in frame.groupby("key")]

    # Writing

    def register_cohort(
        self,
        report: CohortReport,
        *,
        simulated: bool = False,
        name: str | None = None,
    ) -> None:
        """Add or update the report's cases. No case, column or vector that is already stored is removed.

        Args:
            simulated: marks the store for good; a later False does not undo it.
            name: of the cohort; the CSV's name (its folder's for `cohort.csv`) unless given.
        """
        with self._file.writing() as con:
            case_table.register_cohort(con, report, simulated, name)

    def register_labels(self, labels: Labels) -> None:
        """Add cases of which vectors were made elsewhere, or update those there are by the labels' columns.

        Raises:
            StoreError: the labels' stages and those of the cohort cannot be put in one order.
        """
        with self._file.writing() as con:
            case_table.register_labels(con, labels, self.path.stem)

    def register_exported(
        self, part: Path, info: CohortInfo, cases: pd.DataFrame, covariates: Mapping[str, str]
    ) -> None:
        """Add cases of an export or of another store (as `cases` gives them) that this store lacks.

        Raises:
            StoreError: a case is of another patient or image here, or the stages do not compare.
        """
        with self._file.writing() as con:
            case_table.add_cases(con, part, info, cases, covariates)

    def open_set(self, identity: SetIdentity, number_type: str | None = None) -> str:
        """The id of the embedding set of this identity, created where the store has none yet.

        `number_type` is `float32` or `float16`; by default slices are kept in half precision.
        """
        set_id = identity.set_id
        number_type = number_type or number_type_of(identity.view)
        with self._file.writing() as con:
            con.execute(
                """INSERT INTO embedding_sets (set_id, encoder, weights_sha256, weights_source, is_published, view,
                preset, pooling, width, code_version, created, number_type)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING""",
                [
                    set_id,
                    identity.encoder,
                    identity.weights_sha256,
                    identity.weights_source,
                    identity.is_published,
                    identity.view,
                    identity.preset,
                    identity.pooling,
                    identity.width,
                    identity.code_version,
                    utc_now(),
                    number_type,
                ],
            )
            create_table(con, vectors_table(set_id), identity.width, number_type)
        return set_id

    def commit(
        self,
        set_id: str,
        items: Sequence[EmbeddedItem] = (),
        *,
        sources: Sequence[Source] = (),
        failures: Sequence[Failure] = (),
        outcomes: Sequence[CaseOutcome] = (),
        lesions: Sequence[LesionRecord] = (),
        acquisitions: Sequence[AcquisitionRecord] = (),
        run_id: str | None = None,
        progress: RunProgress | None = None,
    ) -> None:
        """Store results in one transaction. Items that the set has already keep the vector they have.

        A case in `sources` whose content is no longer that of its stored vectors loses these first.
        A case in `outcomes` loses the failures of earlier runs; those of this run (given here) stay.
        """
        with self._file.writing() as con:
            width = width_of(con, set_id, self.path)
            for source in sources:
                transactions.record_source(con, set_id, source)
            if items:
                transactions.insert_items(con, set_id, width, items)
            for lesion in lesions:
                transactions.record_lesion(con, lesion)
            for acquisition in acquisitions:
                transactions.record_acquisition(con, acquisition)
            now = utc_now()
            for failure in failures:
                transactions.record_failure(con, set_id, failure, now)
            if outcomes:
                transactions.settle_cases(con, set_id, outcomes, run_id, now)
            if run_id is not None and progress is not None:
                transactions.record_progress(con, run_id, progress, now)

    def record_refused_rows(self, set_id: str, failures: Sequence[Failure]) -> None:
        """Store which rows of the CSV could not be used, in place of those of an earlier run."""
        with self._file.writing() as con:
            con.execute("DELETE FROM failures WHERE set_id = ? AND stage_of_work = 'validate'", [set_id])
            now = utc_now()
            for failure in failures:
                transactions.record_failure(con, set_id, failure, now)

    def start_run(self, set_id: str, settings: Mapping[str, object], n_planned: int) -> str:
        """The id of a new run by this process; runs of this host whose process is gone become `killed`."""
        started, host = utc_now(), socket.gethostname()
        run_id = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        with self._file.writing() as con:
            for old, pid in con.execute(
                "SELECT run_id, pid FROM runs WHERE state = 'running' AND host = ?", [host]
            ).fetchall():
                if not is_alive(pid):
                    con.execute("UPDATE runs SET state = 'killed', finished = heartbeat WHERE run_id = ?", [old])
            con.execute(
                "INSERT INTO runs VALUES (?, ?, 'running', ?, ?, NULL, ?, ?, ?, 0, 0, 0, ?)",
                [run_id, set_id, started, started, host, os.getpid(), n_planned, _canonical(settings)],
            )
        return run_id

    def finish_run(self, run_id: str, state: str) -> None:
        """Close a run as `finished`, `interrupted` or `failed`."""
        with self._file.writing() as con:
            now = utc_now()
            con.execute(
                "UPDATE runs SET state = ?, finished = ?, heartbeat = ? WHERE run_id = ?",
                [state, now, now, run_id],
            )

    def save_projection(
        self, set_id: str, key: Mapping[str, object], item_ids: Sequence[str], xy: NDArray[np.floating]
    ) -> None:
        """Keep the coordinates `[n, 2]` of a projection under its settings, in place of older ones."""
        points = np.asarray(xy, dtype=np.float64)
        if points.shape != (len(item_ids), 2):
            raise ValueError(f"{len(item_ids)} items need coordinates [{len(item_ids)}, 2], not {list(points.shape)}")
        incoming = pa.table({"item_id": pa.array(item_ids, pa.string()), "x": points[:, 0], "y": points[:, 1]})
        with self._file.writing() as con:
            con.execute("DELETE FROM projections WHERE set_id = ? AND key = ?", [set_id, _canonical(key)])
            con.register("incoming", incoming)
            con.execute("INSERT INTO projections SELECT ?, ?, item_id, x, y FROM incoming", [set_id, _canonical(key)])

    def _frame(self, query: str, values: Sequence[object] = ()) -> pd.DataFrame:
        with self._file.reading() as con:
            return con.execute(query, values).df()

    @contextmanager
    def _reading_set(self, set_id: str) -> Iterator[tuple[Connection, str]]:
        with self._file.reading() as con:
            width_of(con, set_id, self.path)
            yield con, vectors_table(set_id)


def _canonical(settings: Mapping[str, object]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)
