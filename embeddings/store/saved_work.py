"""Saved work in a cohort file: named selections, results of long analyses, columns of scores.

Files before schema version 4 contain none; the first write updates them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike

from embeddings.store.connections import SharedFile, StoreError, first_row, has_table, utc_now
from flexict.errors import FlexiCTError

# Selections with this prefix belong to links that would otherwise be too long.
LINK_PREFIX = "@"
LONGEST_NAME = 80
# Old results make room for new ones, so that the file stays small enough to mail.
MOST_RESULT_BYTES = 64_000_000


@dataclass(frozen=True)
class NamedSelection:
    """A named selection of items.

    Attributes:
        made: UTC, without a time zone.
        set_id: the embedding set that was shown.
        origin: how they were selected, such as `lasso on the map`.
        item_ids, case_ids: sorted.
    """

    name: str
    made: datetime
    set_id: str
    origin: str
    item_ids: tuple[str, ...]
    case_ids: tuple[str, ...]


class KeptWork:
    """The saved work of one cohort file. Every method opens a short connection of its own, as `Store` does.

    Args:
        path: the `.duckdb` file.
        patience_s: how long a method waits for another process before it raises `StoreBusy`.
    """

    def __init__(self, path: Path | str, patience_s: float = 5.0) -> None:
        self._reader = SharedFile(Path(path), read_only=True, patience_s=patience_s)
        self._writer = SharedFile(Path(path), read_only=False, patience_s=patience_s)

    # Selections

    def selections(self) -> pd.DataFrame:
        """Named selections by name: `name`, `made` (UTC), `set_id`, `origin`, `n_items`, `n_cases`."""
        with self._reader.reading() as con:
            if not has_table(con, "selections"):
                return pd.DataFrame(columns=["name", "made", "set_id", "origin", "n_items", "n_cases"])
            return con.execute(
                """SELECT name, made, set_id, origin, len(item_ids) AS n_items, len(case_ids) AS n_cases
                FROM selections WHERE NOT starts_with(name, ?) ORDER BY name""",
                [LINK_PREFIX],
            ).df()

    def selection(self, name: str) -> NamedSelection | None:
        """One selection by its name (or that of a link), or None."""
        with self._reader.reading() as con:
            if not has_table(con, "selections"):
                return None
            row = first_row(
                con, "SELECT name, made, set_id, origin, item_ids, case_ids FROM selections WHERE name = ?", [name]
            )
        if row is None:
            return None
        name, made, set_id, origin, items, cases = row
        return NamedSelection(name, made, set_id, origin, tuple(items), tuple(cases))

    def save_selection(
        self, name: str, set_id: str, origin: str, item_ids: Sequence[str], case_ids: Sequence[str]
    ) -> None:
        """Save a selection under a name; it replaces an older one of this name.

        Raises:
            FlexiCTError: the name is empty, longer than 80 characters or holds control characters.
        """
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise FlexiCTError(f"a selection needs a name of 1 to {LONGEST_NAME} printable characters")
        with self._writer.writing() as con:
            con.execute(
                "INSERT OR REPLACE INTO selections VALUES (?, ?, ?, ?, ?::VARCHAR[], ?::VARCHAR[])",
                [name, utc_now(), set_id, origin, sorted(set(item_ids)), sorted(set(case_ids))],
            )

    def delete_selection(self, name: str) -> None:
        """Delete a named selection, if there is one."""
        with self._writer.writing() as con:
            con.execute("DELETE FROM selections WHERE name = ?", [name])

    # Results

    def result(self, key: str) -> bytes | None:
        """The content saved under a key, or None."""
        with self._reader.reading() as con:
            row = (
                first_row(con, "SELECT content FROM results WHERE key = ?", [key])
                if has_table(con, "results")
                else None
            )
        return None if row is None else bytes(row[0])

    def save_result(self, key: str, kind: str, seconds: float, content: bytes) -> None:
        """Save a result; the oldest are deleted where the total would exceed 64 MB. A larger result is not saved."""
        if len(content) > MOST_RESULT_BYTES:
            return
        with self._writer.writing() as con:
            con.execute(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)", [key, kind, utc_now(), seconds, content]
            )
            con.execute(
                """DELETE FROM results WHERE key IN (SELECT key FROM (
                    SELECT key, sum(octet_length(content)) OVER (ORDER BY made DESC, key) AS total FROM results)
                WHERE total > ?)""",
                [MOST_RESULT_BYTES],
            )

    # Scores

    def scores(self, set_id: str) -> pd.DataFrame:
        """Columns of scores of a set: index `item_id`, one column a name; empty where there are none."""
        with self._reader.reading() as con:
            if not has_table(con, "scores"):
                return pd.DataFrame(index=pd.Index([], name="item_id"))
            found = con.execute("SELECT item_id, name, value FROM scores WHERE set_id = ?", [set_id]).df()
        return found.pivot(index="item_id", columns="name", values="value").rename_axis(columns=None)

    def score_settings(self, set_id: str) -> pd.DataFrame:
        """How each column of scores was made: `name`, `made` (UTC), `settings` as JSON."""
        with self._reader.reading() as con:
            if not has_table(con, "scores"):
                return pd.DataFrame(columns=["name", "made", "settings"])
            return con.execute(
                "SELECT DISTINCT name, made, settings FROM scores WHERE set_id = ? ORDER BY name", [set_id]
            ).df()

    def save_scores(
        self, set_id: str, name: str, settings: Mapping[str, object], item_ids: Sequence[str], values: ArrayLike
    ) -> None:
        """Save one number an item under a name; it replaces an older column of this name."""
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.shape != (len(item_ids),):
            raise FlexiCTError(f"{len(item_ids)} items need one score each, not {list(numbers.shape)}")
        incoming = pa.table({"item_id": pa.array(list(item_ids), pa.string()), "value": numbers})
        with self._writer.writing() as con:
            con.execute("DELETE FROM scores WHERE set_id = ? AND name = ?", [set_id, name])
            con.register("incoming", incoming)
            con.execute(
                "INSERT INTO scores SELECT ?, ?, ?, ?, item_id, value FROM incoming",
                [set_id, name, utc_now(), json.dumps(settings, sort_keys=True, default=str)],
            )

    def delete_scores(self, set_id: str, name: str) -> None:
        """Delete a column of scores, if there is one."""
        with self._writer.writing() as con:
            con.execute("DELETE FROM scores WHERE set_id = ? AND name = ?", [set_id, name])

    def revision(self) -> str:
        """Changes with every column of scores that is saved or deleted."""
        with self._reader.reading() as con:
            row = first_row(con, "SELECT count(*), max(made) FROM scores") if has_table(con, "scores") else None
        return str(row)


__all__ = ["KeptWork", "NamedSelection", "StoreError"]
