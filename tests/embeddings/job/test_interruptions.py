"""A run that is not alone or does not end: read meanwhile, killed, interrupted, broken, and nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from embeddings import job
from embeddings.store.store import Store

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


JOB = """
    import sys, time
    from pathlib import Path
    import numpy as np
    from embeddings import job

    class Slow:
        name, width, weights_sha256, weights_source = "tiny", 12, "00" * 32, "none: closed form"
        pooling, is_published, needs_mask, device = "pooled", False, False, "cpu"
        views = {"volume": "default", "slices": "slice", "lesion": "lesion_mask"}
        n_batches = 0
        def encode(self, batch):
            print("encoding", flush=True)
            Slow.n_batches += 1
            if Slow.n_batches == last:
                time.sleep(1e6)
            time.sleep(0.3)
            parts = np.array_split(batch.reshape(len(batch), -1), 12, axis=1)
            return np.stack([part.mean(axis=1) for part in parts], axis=1)

    csv, last = Path(sys.argv[1]), int(sys.argv[2])
    summary = job.run(csv, csv.parent / "out.duckdb", encoder=Slow(), view="volume", workers=1, commit_s=0)
    print(summary.state, summary.n_embedded, flush=True)
"""


def start_job(csv: Path, last: int = 0) -> subprocess.Popen[str]:
    """A job in a process of its own, which never ends the batch of the number `last`."""
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(JOB), str(csv), str(last)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )


def wait_for_third_batch(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline() == "encoding\n"


def test_killing_the_job_loses_nothing_committed_and_the_next_run_does_the_rest(
    make_cohort: MakeCohort, make_encoder: Any
) -> None:
    csv = make_cohort(6)
    process = start_job(csv, last=3)
    wait_for_third_batch(process)
    while len(stored(csv).vectors(stored(csv).sets().loc[0, "set_id"])[0]) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
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
    other = start_job(csv)
    assert other.stdout is not None
    other.stdout.readline()
    summary = go(csv, make_encoder(before=lambda batch: time.sleep(0.1)), commit_s=0)
    out, _ = other.communicate()
    assert other.returncode == 0
    assert out.split()[-2:] == ["finished", "4"]
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
