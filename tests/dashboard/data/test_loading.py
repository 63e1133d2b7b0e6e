"""What the app keeps of a cohort file, and when it reads the file again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dashboard.data import loading
from embeddings.records import EmbeddedItem, RunProgress, Source
from embeddings.store.store import Store

PROGRESS = RunProgress(n_planned=1, n_done=1, n_failed=0, n_items=1)


def embed_anew(store: Store, set_id: str, content: str, value: float) -> None:
    """What a run does with a scan whose file has changed: other content, one vector in place of the old."""
    vector = np.full(16, value, np.float32)
    run_id = store.start_run(set_id, {}, 1)
    item = EmbeddedItem("case00/lesion", "case00", vector)
    store.commit(set_id, [item], sources=[Source("case00", content, content)], run_id=run_id, progress=PROGRESS)


def test_a_scan_embedded_anew_is_read_anew(make_store: Callable[[Path, bool], Path], tmp_path: Path) -> None:
    path = make_store(tmp_path / "cohort.duckdb", False)
    store = Store(path, read_only=False)
    set_id = next(s for s in store.sets()["set_id"] if ".lesion." in s)
    embed_anew(store, set_id, "first", 1.0)
    first = loading.embedding_table(path, set_id)
    embed_anew(store, set_id, "second", 2.0)
    second = loading.embedding_table(path, set_id)
    row = second.frame.index[second.frame["case_id"] == "case00"][0]
    assert len(first.frame) == len(second.frame)
    assert (second.vectors[row] == 2.0).all()


def test_keeping_a_map_in_the_file_makes_nothing_stale(
    make_store: Callable[[Path, bool], Path], tmp_path: Path
) -> None:
    path = make_store(tmp_path / "cohort.duckdb", False)
    store = Store(path, read_only=False)
    set_id = store.sets()["set_id"][0]
    before = loading.revision(path)
    store.save_projection(set_id, {"method": "pca"}, ["case00/lesion"], np.zeros((1, 2)))
    assert loading.revision(path) == before
