"""A run that is not alone or does not end: read meanwhile, killed, interrupted, broken, and nothing lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from embeddings import job
from embeddings.store.store import Store
from tests.embeddings.job.conftest import TinyEncoder
from tests.embeddings.processes import start

MakeCohort = Callable[..., Path]


def go(csv: Path, encoder: Any, view: str = "volume", **options: Any) -> job.RunSummary:
    return job.run(csv, csv.parent / "out.duckdb", encoder=encoder, view=view, **{"workers": 2} | options)


def stored(csv: Path) -> Store:
    return Store(csv.parent / "out.duckdb")


def test_a_dashboard_reads_while_the_job_writes(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(6)
    seen: list[int] = []
    over = threading.Event()
    looked = threading.Semaphore(0)

    def watch() -> None:
        while not over.is_set():
            runs = stored(csv).runs()
            seen.extend(runs.loc[runs["state"] == "running", "n_done"].tolist())
            looked.release()

    def until_somebody_has_looked(batch: object) -> None:
        while looked.acquire(blocking=False):
            pass
        for _ in range(2):  # The first look may have begun before.
            looked.acquire()

    watcher = threading.Thread(target=watch)
    slow = make_encoder(before=until_somebody_has_looked)
    go(csv, make_encoder(), "slices", slice_step=30)
    watcher.start()
    try:
        go(csv, slow, commit_s=0)
    finally:
        over.set()
        watcher.join()
    assert seen == sorted(seen)
    assert len({n for n in seen if 0 < n < 6}) >= 3


def slow_job(csv: Path, last: int, says: Connection) -> None:
    """A job that says when it encodes and how it ended; it never ends the batch of the number `last`."""

    def before(batch: object) -> None:
        says.send("encoding")
        time.sleep(1e6 if len(encoder.calls) + 1 == last else 0.3)

    encoder = TinyEncoder(before=before)
    summary = job.run(csv, csv.parent / "out.duckdb", encoder=encoder, view="volume", workers=1, commit_s=0)
    says.send((summary.state, summary.n_embedded))


def start_job(csv: Path, last: int = 0) -> tuple[ForkServerProcess, Connection]:
    """`slow_job` in a process of its own, and what it says."""
    said, says = multiprocessing.Pipe(duplex=False)
    return start(slow_job, csv, last, says), said


def test_killing_the_job_loses_nothing_committed_and_the_next_run_does_the_rest(
    make_cohort: MakeCohort, make_encoder: Any
) -> None:
    csv = make_cohort(6)
    process, said = start_job(csv, last=3)
    assert [said.recv() for _ in range(3)] == ["encoding"] * 3
    while len(stored(csv).vectors(stored(csv).sets().loc[0, "set_id"])[0]) < 2:
        time.sleep(0.05)
    process.kill()
    process.join()
    before = stored(csv).vectors(stored(csv).sets().loc[0, "set_id"])
    n_before = len(before[0])
    assert n_before == 2
    summary = go(csv, make_encoder())
    assert (summary.n_done_before, summary.n_embedded) == (n_before, 6 - n_before)
    ids, X = stored(csv).vectors(summary.set_id)
    assert len(ids) == 6
    np.testing.assert_array_equal(X[: len(before[0])], before[1])
    assert stored(csv).runs()["state"].tolist() == ["finished", "killed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stores_what_it_has_and_is_resumed(
    make_cohort: MakeCohort, make_encoder: Any, number: signal.Signals
) -> None:
    csv = make_cohort(6)
    first, second = make_encoder(), make_encoder()

    def interrupt_at_the_third(batch: object) -> None:
        if len(first.calls) == 2:
            os.kill(os.getpid(), number)

    first.before = interrupt_at_the_third
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    summary = go(csv, first, workers=1)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert summary.state == stored(csv).runs().loc[0, "state"] == "interrupted"
    assert "again to continue" in summary.sentence()
    assert len(stored(csv).vectors(summary.set_id)[0]) == 3
    assert go(csv, second).state == "finished"
    assert sum(second.calls) == 3
    assert len(stored(csv).completed(summary.set_id)) == 6


def test_two_jobs_on_one_file_take_turns(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(4)
    other, said = start_job(csv)
    assert said.recv() == "encoding"
    summary = go(csv, make_encoder(before=lambda batch: time.sleep(0.1)), commit_s=0)
    other.join()
    assert other.exitcode == 0
    assert [said.recv() for _ in range(4)][-1] == ("finished", 4)
    assert summary.n_failed == 0
    ids, X = stored(csv).vectors(summary.set_id)
    assert len(ids) == len(set(ids)) == len(X) == 4


def test_a_run_that_breaks_is_marked_failed_and_keeps_what_was_committed(
    make_cohort: MakeCohort, make_encoder: Any
) -> None:
    csv = make_cohort(3)
    n_seen = 0

    def break_at_the_third(batch: object) -> None:
        nonlocal n_seen
        n_seen += 1
        if n_seen == 3:
            raise AssertionError("a fault of the program")

    with pytest.raises(AssertionError):
        go(csv, make_encoder(before=break_at_the_third), commit_s=0, workers=1)
    assert stored(csv).runs().loc[0, "state"] == "failed"
    with duckdb.connect(csv.parent / "out.duckdb") as con:
        assert con.execute("SELECT count(*) FROM completed").fetchall() == [(2,)]
