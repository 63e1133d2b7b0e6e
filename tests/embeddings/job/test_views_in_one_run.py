"""Several views in one run: each file is read once, and every set is what it would be alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import job
from embeddings.job.preparation import prepare
from embeddings.store.store import Store

MakeCohort = Callable[..., Path]
VIEWS = ("volume", "slices", "lesion")


def test_a_file_is_read_once_for_all_its_views(
    make_cohort: MakeCohort, make_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = make_cohort(4)
    alone = {view: job.run(csv, csv.parent / "alone.duckdb", encoder=make_encoder(), view=view) for view in VIEWS}
    opened: Counter[str] = Counter()
    for name in ("read_scan", "read_mask"):
        read = getattr(prepare, name)

        def counted(path: Path, *rest: Any, read: Any = read) -> Any:
            opened[path.name] += 1
            return read(path, *rest)

        monkeypatch.setattr(prepare, name, counted)
    settings = job.JobSettings(encoder=make_encoder(), views=VIEWS)
    together = job.run_views(csv, csv.parent / "together.duckdb", settings)
    assert set(opened.values()) == {1}
    assert len(opened) == 8
    for view, summary in zip(VIEWS, together, strict=True):
        assert summary.set_id == alone[view].set_id
        assert summary.n_embedded == 4
        ids, vectors = Store(csv.parent / "together.duckdb").vectors(summary.set_id)
        expected_ids, expected = Store(csv.parent / "alone.duckdb").vectors(summary.set_id)
        assert ids == expected_ids
        np.testing.assert_array_equal(vectors, expected)


def test_the_progress_of_several_views_counts_a_case_once(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(3)
    (csv.parent / "c1_ct.nii.gz").write_bytes(b"bad")
    seen: list[tuple[int, int, int]] = []
    settings = job.JobSettings(encoder=make_encoder(), views=VIEWS)
    db = csv.parent / "o.duckdb"
    job.run_views(csv, db, settings, progress=lambda p: seen.append((p.n_planned, p.n_done, p.n_failed)))
    assert (seen[0], seen[-1]) == ((3, 0, 0), (3, 2, 1))
    [record] = (
        json.loads(path.read_text(encoding="utf-8"))["counts"] for path in (csv.parent / "o.runs").glob("*.json")
    )
    assert (record["planned"], record["done"], record["failed"]) == (9, 6, 3), "once for each set, as is documented"


def test_a_set_that_is_complete_adds_no_work(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(3)
    db = csv.parent / "out.duckdb"
    job.run(csv, db, encoder=make_encoder(), view="volume")
    encoder = make_encoder()
    volume, lesion = job.run_views(csv, db, job.JobSettings(encoder=encoder, views=("volume", "lesion")))
    assert (volume.n_planned, volume.n_done_before, lesion.n_embedded) == (0, 3, 3)
    assert sum(encoder.calls) == 3


def test_a_case_that_fails_in_one_view_is_embedded_in_the_others(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2)
    (csv.parent / "c1_mask.nii.gz").write_bytes(b"no mask")
    settings = job.JobSettings(encoder=make_encoder(), views=("lesion", "volume"))
    lesion, volume = job.run_views(csv, csv.parent / "out.duckdb", settings)
    assert (lesion.n_embedded, lesion.n_failed) == (1, 1)
    assert (volume.n_embedded, volume.n_failed, volume.n_unmeasured) == (2, 0, 1)


@pytest.mark.parametrize("views", [(), ("volume", "volume")], ids=["none", "twice"])
def test_views_are_one_or_more_each_once(make_cohort: MakeCohort, tiny: Any, views: tuple[str, ...]) -> None:
    csv = make_cohort(1)
    with pytest.raises(job.JobError, match="each once"):
        job.run_views(csv, csv.parent / "out.duckdb", job.JobSettings(encoder=tiny, views=views))
