"""Which cases a run takes: shards, limits, failures of before, and files that are not there just now."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings import job
from embeddings.job.planning.plan import shard_of
from embeddings.job.preparation import prepare
from embeddings.store.store import Store
from tests.embeddings.conftest import FakeCase

MakeCohort = Callable[..., Path]


def go(csv: Path, encoder: Any, view: str = "volume", **options: Any) -> job.RunSummary:
    return job.run(csv, csv.parent / "out.duckdb", encoder=encoder, view=view, **{"workers": 1} | options)


@given(ids=st.lists(st.text(min_size=1), unique=True, max_size=40), count=st.integers(1, 7))
def test_shards_are_disjoint_and_together_the_cohort(ids: list[str], count: int) -> None:
    cases: Any = [FakeCase(name, row, Path("x")) for row, name in enumerate(ids)]
    shards = [shard_of(cases, (number, count)) for number in range(1, count + 1)]
    assert sorted(case.row for shard in shards for case in shard) == list(range(len(ids)))
    # A row that is added moves no other case to another shard.
    assert [case for case in shard_of(cases[1:], (1, count))] == [case for case in shards[0] if case.row != 0]


@pytest.mark.parametrize("shard", [(0, 3), (4, 3)])
def test_a_shard_that_does_not_exist_is_refused(make_cohort: MakeCohort, tiny: Any, shard: tuple[int, int]) -> None:
    with pytest.raises(job.JobError, match="there is no shard"):
        go(make_cohort(1), tiny, shard=shard)


def test_shards_of_one_cohort_fill_one_store(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(7)
    done = [go(csv, make_encoder(), shard=(number, 3)).n_embedded for number in (1, 2, 3)]
    assert sum(done) == 7
    assert go(csv, make_encoder()).n_planned == 0


def test_a_limit_leaves_the_rest_for_the_next_run(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(5)
    first = go(csv, make_encoder(), limit=2)
    assert (first.n_planned, first.n_embedded, first.n_left_out) == (2, 2, 3)
    assert "3 left for another run" in first.sentence()
    second = go(csv, make_encoder(), limit=2)
    assert (second.n_done_before, second.n_embedded, second.n_left_out) == (2, 2, 1)


def test_a_scan_that_failed_is_tried_again_when_its_file_changes(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2)
    path = csv.parent / "c0_ct.nii.gz"
    good = path.read_bytes()
    path.write_bytes(good[:-20])
    assert go(csv, make_encoder()).n_failed == 1
    again = go(csv, make_encoder())
    assert (again.n_planned, again.n_failed_before) == (0, 1)
    path.write_bytes(good)
    mended = go(csv, make_encoder())
    assert (mended.n_embedded, mended.n_failed_before) == (1, 0)


def test_another_encoder_has_failures_of_its_own(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2)
    (csv.parent / "c0_ct.nii.gz").write_bytes(b"no image")
    go(csv, make_encoder())
    other = go(csv, make_encoder(name="other", weights_sha256="11" * 32))
    assert (other.n_embedded, other.n_failed, other.n_failed_before) == (1, 1, 0)


def test_a_file_that_is_written_while_it_is_read_is_not_embedded(
    make_cohort: MakeCohort, make_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = make_cohort(2)
    path = csv.parent / "c0_ct.nii.gz"
    read = prepare.read_scan

    def growing(image: Path) -> Any:
        found = read(image)
        if image == path:
            os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
        return found

    monkeypatch.setattr(prepare, "read_scan", growing)
    summary = go(csv, make_encoder())
    assert (summary.n_embedded, summary.n_failed) == (1, 1)
    store = Store(csv.parent / "out.duckdb")
    assert "changed while it was read" in store.failures().loc[0, "reason"]
    assert store.vectors(summary.set_id)[0] == ["c1/volume"]
    monkeypatch.undo()
    assert go(csv, make_encoder()).n_embedded == 1


@pytest.mark.parametrize("left_behind", [False, True], ids=["no folder", "an empty mount point"])
def test_a_folder_that_goes_away_ends_the_run_and_blames_no_scan(
    make_cohort: MakeCohort, make_encoder: Any, tmp_path: Path, left_behind: bool
) -> None:
    written = make_cohort(5)
    csv = tmp_path / "cohort.csv"
    csv.write_text(written.read_text(encoding="utf-8"))
    root, away = written.parent, tmp_path / "away"

    def lose(batch: object) -> None:
        if root.exists() and any(root.iterdir()):
            root.rename(away)
            if left_behind:
                root.mkdir()

    summary = go(csv, make_encoder(before=lose), data_root=root)
    store = Store(tmp_path / "out.duckdb")
    assert summary.state == "interrupted"
    assert summary.vanished == str(root)
    assert "is no longer there: restore or mount it" in summary.sentence()
    assert store.failures().empty
    assert 1 <= summary.n_embedded < 5
    shutil.rmtree(root, ignore_errors=True)
    away.rename(root)
    assert go(csv, make_encoder(), data_root=root).state == "finished"
    assert len(store.completed(summary.set_id)) == 5


def test_a_file_that_alone_goes_away_is_a_failure(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(6)
    gone = csv.parent / "c5_ct.nii.gz"
    summary = go(csv, make_encoder(before=lambda batch: gone.unlink(missing_ok=True)))
    assert (summary.state, summary.n_embedded, summary.n_failed) == ("finished", 5, 1)
    assert "does not exist" in Store(csv.parent / "out.duckdb").failures().loc[0, "reason"]
