"""Merge the saved work of one store (selections, scores, results) into another.

The caller begins and ends the transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from embeddings.store.connections import Connection, first_row, has_table
from embeddings.store.saved_work import LONGEST_NAME

_LONGEST_SUFFIX = LONGEST_NAME // 2


@dataclass(frozen=True)
class MergedWork:
    """Selections, columns of scores and results that are new in the merged file, and notes on them."""

    n_selections: int
    n_scores: int
    n_results: int
    notes: tuple[str, ...]


def merge_kept_work(con: Connection, source: Connection, part: Path) -> MergedWork:
    """Merge the saved work of `source`, the file `part`, into `con`; what is there already stays.

    A selection or a column of scores whose name is taken by other content gets the part's name added. Columns of
    scores made with the same settings are joined by item.
    """
    notes: list[str] = []
    n_selections = _selections(con, source, part, notes) if has_table(source, "selections") else 0
    n_scores = _scores(con, source, part, notes) if has_table(source, "scores") else 0
    n_results = _results(con, source, part, notes) if has_table(source, "results") else 0
    return MergedWork(n_selections, n_scores, n_results, tuple(notes))


def _selections(con: Connection, source: Connection, part: Path, notes: list[str]) -> int:
    n_new = 0
    for name, *rest in source.execute(
        "SELECT name, made, set_id, origin, item_ids, case_ids FROM selections ORDER BY name"
    ).fetchall():
        _, set_id, _, item_ids, case_ids = rest
        for chosen in _names(name, part):
            held = first_row(con, "SELECT set_id, item_ids, case_ids FROM selections WHERE name = ?", [chosen])
            if held is None:
                con.execute("INSERT INTO selections VALUES (?, ?, ?, ?, ?::VARCHAR[], ?::VARCHAR[])", [chosen, *rest])
                n_new += 1
            if held in (None, (set_id, item_ids, case_ids)):
                break
        if chosen != name:
            notes.append(
                f"the selection {name!r} of {part.name} differs from the selection of that name: saved as {chosen!r}"
            )
    return n_new


def _scores(con: Connection, source: Connection, part: Path, notes: list[str]) -> int:
    n_new = 0
    for set_id, name, settings, made in source.execute(
        "SELECT set_id, name, settings, max(made) FROM scores GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        rows = source.sql(
            "SELECT item_id, value FROM scores WHERE set_id = ? AND name = ? AND settings = ?",
            params=[set_id, name, settings],
        ).to_arrow_table()
        con.register("incoming", rows)
        chosen = next(one for one in _names(name, part) if _joins(con, set_id, one, settings))
        added = first_row(
            con,
            """INSERT INTO scores SELECT ?, ?, ?, ?, item_id, value FROM incoming
            WHERE item_id NOT IN (SELECT item_id FROM scores WHERE set_id = ? AND name = ?)""",
            [set_id, chosen, made, settings, set_id, chosen],
        )
        con.unregister("incoming")
        # A column of scores has one time.
        con.execute(
            """UPDATE scores SET made = (SELECT max(made) FROM scores WHERE set_id = ? AND name = ?)
            WHERE set_id = ? AND name = ?""",
            [set_id, chosen] * 2,
        )
        n_new += bool(added and added[0])
        if chosen != name:
            notes.append(
                f"the scores {name!r} of {part.name} (set {set_id}) differ from those saved under that name: saved as "
                f"{chosen!r}"
            )
    return n_new


def _joins(con: Connection, set_id: str, name: str, settings: str) -> bool:
    """Whether the scores can join the column: same settings, and no item with another score."""
    column = "FROM scores s LEFT JOIN incoming USING (item_id) WHERE s.set_id = ? AND s.name = ?"
    differs = "s.settings <> ? OR (incoming.value IS NOT NULL AND incoming.value IS DISTINCT FROM s.value)"
    return first_row(con, f"SELECT 1 {column} AND ({differs}) LIMIT 1", [set_id, name, settings]) is None


def _results(con: Connection, source: Connection, part: Path, notes: list[str]) -> int:
    con.register("incoming", source.sql("SELECT * FROM results").to_arrow_table())
    differing = first_row(
        con, "SELECT count(*) FROM incoming i JOIN results r USING (key) WHERE i.content <> r.content"
    )
    added = first_row(
        con, "INSERT INTO results BY NAME SELECT * FROM incoming WHERE key NOT IN (SELECT key FROM results)"
    )
    con.unregister("incoming")
    if differing and differing[0]:
        notes.append(
            f"{differing[0]} results of {part.name} differ from the saved results of the same data and settings, "
            "which stay"
        )
    return int(added[0]) if added else 0


def _names(name: str, part: Path) -> Iterator[str]:
    """The name, then with the part's added, then with a number too, none longer than a name may be."""
    yield name
    for number in count(1):
        suffix = f" ({part.stem[:_LONGEST_SUFFIX]})" if number == 1 else f" ({part.stem[:_LONGEST_SUFFIX]} {number})"
        yield name[: LONGEST_NAME - len(suffix)] + suffix
