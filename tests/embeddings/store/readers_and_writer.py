"""What the app and the job do with one cohort file at the same time; each process tells the others how far it is."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from embeddings.records import CaseOutcome, CohortInfo, EmbeddedItem, SetIdentity
from embeddings.store.schema import SCHEMA_VERSION
from embeddings.store.status import status, status_text
from embeddings.store.store import Store

READERS = 4
N_CASES, ITEMS_A_COMMIT, WIDTH = 4, 50, 6


def new_store(folder: Path) -> tuple[Path, str]:
    """A cohort file of a few cases and an empty set of slices; its path and the set's id."""
    path = folder / "shared.duckdb"
    ids = [f"c{number}" for number in range(N_CASES)]
    cases = pd.DataFrame({"case_id": ids, "patient_id": ids, "row": range(N_CASES), "stage": "T1"})
    for name in ("image_path", "mask_path", "seed_x", "seed_y", "seed_z"):
        cases[name] = None
    store = Store(path, read_only=False)
    info = CohortInfo("shared", False, 0, 0, SCHEMA_VERSION, datetime(2026, 1, 1), folder, "", "", ("T1",))
    store.register_exported(path, info, cases, {})
    identity = SetIdentity("tiny", "0" * 64, "slices", "slice", "pooled", WIDTH, "1", "none", False)
    return path, store.open_set(identity)


def write_once(store: Store, set_id: str, turn: int) -> None:
    """A commit of some slices, the `turn`-th."""
    case_id, first = f"c{turn % N_CASES}", ITEMS_A_COMMIT * turn
    chance = np.random.default_rng(turn)
    items = [
        EmbeddedItem(f"{case_id}/slice/{n:06d}", case_id, chance.normal(size=WIDTH).astype("f4"), n, 0.0)
        for n in range(first, first + ITEMS_A_COMMIT)
    ]
    store.commit(set_id, items, outcomes=[CaseOutcome(case_id, True)])


def read_once(store: Store, set_id: str) -> int:
    """What a page reads; how many items there are."""
    store.revision()
    table, vectors = store.table(set_id)
    assert len(table) == len(vectors)
    assert table["item_id"].is_monotonic_increasing
    store.thumbnails(table["item_id"][:20].tolist())
    return len(table)


def write_until_all_are_through(db: Path, set_id: str, board: Path, turns: int) -> None:
    """Commit until every reader has seen the set grow so many times, and at least so often itself."""
    store = Store(db, read_only=False, patience_s=600.0)
    run_id = store.start_run(set_id, {}, 1)
    done = 0
    while done < turns or _least(board) < turns:
        write_once(store, set_id, done)
        done += 1
        _tell(board, "writer", done)
        time.sleep(0.05)  # an encoder at work
    store.finish_run(run_id, "finished")


def read_until_all_are_through(db: Path, set_id: str, board: Path, turns: int, name: str) -> None:
    """Read until everybody has had so many turns: a turn counts when the set has grown since."""
    sizes: list[int] = []
    while len(set(sizes)) < turns or _least(board) < turns:
        # Opened anew each time, as a page does.
        store = Store(db, patience_s=600.0)
        status_text(status(store))
        sizes.append(read_once(store, set_id))
        _tell(board, name, len(set(sizes)))
        time.sleep(0.2)  # somebody looks at the page
    assert sizes == sorted(sizes)


def _tell(board: Path, name: str, turns: int) -> None:
    draft = board / f".{name}"
    draft.write_text(str(turns))
    os.replace(draft, board / name)


def _least(board: Path) -> int:
    """The turns of whoever had fewest."""
    told = [int(one.read_text(encoding="utf-8")) for one in board.iterdir() if not one.name.startswith(".")]
    return min(told) if len(told) == READERS + 1 else 0


if __name__ == "__main__":
    role, db, set_id, board, turns = sys.argv[1:]
    if role == "writer":
        write_until_all_are_through(Path(db), set_id, Path(board), int(turns))
    else:
        read_until_all_are_through(Path(db), set_id, Path(board), int(turns), role)
