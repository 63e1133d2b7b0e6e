"""An imported set of slices tells a later job which slices there are, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import job
from embeddings.exchange.export import export
from embeddings.exchange.import_export import import_export
from embeddings.job.one_scan import usual_slice_step
from embeddings.records import AcquisitionRecord, EmbeddedItem
from embeddings.store.store import Store

N_SLICES = 24  # of every scan that `make_cohort` writes


def test_a_job_embeds_the_slices_that_an_imported_set_lacks(
    make_cohort: Callable[..., Path], make_encoder: Any, tmp_path: Path
) -> None:
    csv, db, table = make_cohort(2), tmp_path / "x.duckdb", tmp_path / "x.parquet"
    coarse = job.run(csv, db, encoder=make_encoder(), view="slices", slice_step=4)
    assert coarse.n_items == 2 * N_SLICES // 4
    export(Store(db), table, "parquet")
    import_export(db, table)
    import_export(tmp_path / "new.duckdb", table)
    for store in (Store(db), Store(tmp_path / "new.duckdb")):
        assert sorted(store.completed(coarse.set_id).values.tolist()) == [["c0", 4], ["c1", 4]]
        assert usual_slice_step(store, coarse.set_id) == 4
    again = job.run(csv, db, encoder=make_encoder(), view="slices", slice_step=4)
    assert (again.n_planned, again.n_done_before) == (0, 2)
    for path in (db, tmp_path / "new.duckdb"):
        fine = job.run(csv, path, encoder=make_encoder(), view="slices", slice_step=1)
        assert (fine.n_planned, fine.n_items) == (2, 2 * N_SLICES * 3 // 4)
        assert len(Store(path).items(coarse.set_id)) == 2 * N_SLICES


@pytest.mark.parametrize(
    ("indices", "n_slices", "step"),
    [
        (range(N_SLICES), N_SLICES, 1),
        (range(9, N_SLICES, 20), N_SLICES, None),  # one slice is that of many steps
        ([0], 1, 1),
        (range(1, N_SLICES, 4), N_SLICES, 4),
        (range(5, N_SLICES, 4), N_SLICES, None),
        (range(0, N_SLICES // 2), N_SLICES, None),
        ([0, 1, 2, 4], 5, None),
        (range(1, N_SLICES, 4), None, None),
    ],
)
def test_a_case_is_complete_where_its_slices_are_all_of_a_step(
    tmp_path: Path, cohort: Any, identity: Any, indices: list[int], n_slices: int | None, step: int | None
) -> None:
    store = Store(tmp_path / "some.duckdb", read_only=False)
    store.register_cohort(cohort)
    set_id = store.open_set(identity(view="slices"))
    items = [EmbeddedItem(f"c1/slice/{i:04d}", "c1", np.full(6, i + 1, np.float32), i, -2.5 * i) for i in indices]
    known = [] if n_slices is None else [AcquisitionRecord("c1", 0.7, 2.5, n_slices)]
    store.commit(set_id, items, acquisitions=known)
    export(store, tmp_path / "some.parquet", "parquet")
    import_export(tmp_path / "back.duckdb", tmp_path / "some.parquet")
    back = Store(tmp_path / "back.duckdb")
    assert back.completed(set_id).values.tolist() == ([] if step is None else [["c1", step]])
    if len(items) > 1:
        assert usual_slice_step(back, set_id) == indices[1] - indices[0]
