"""One machine, several threads and devices: all give what one gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import job
from embeddings.cohort.read import read_cohort
from embeddings.job.engines.encoding import DeviceLost
from embeddings.job.engines.local_engine import LocalEngine
from embeddings.job.messages import CaseEnd, Encoded
from embeddings.job.planning.plan import Task, Wanted
from embeddings.job.planning.sources import stamp_of
from embeddings.job.planning.views import Recipe
from embeddings.job.preparation import prepare
from embeddings.job.preparation.prepare import Preparation
from embeddings.store.store import Store

MakeCohort = Callable[..., Path]
RECIPES = {
    "set of volumes": Recipe("volume", "default", 1.5, 64.0, 1),
    "set of slices": Recipe("slices", "slice", 1.5, 64.0, 7),
}


def tasks_of(csv: Path) -> list[Task]:
    wanted = tuple(Wanted(set_id, recipe) for set_id, recipe in RECIPES.items())
    return [Task(case, stamp_of(case), wanted) for case in read_cohort(csv).cases]


def vectors_of(messages: Iterator[Any]) -> dict[tuple[str, str], bytes]:
    found: dict[tuple[str, str], bytes] = {}
    for message in messages:
        if isinstance(message, Encoded):
            assert isinstance(message.outcome, np.ndarray), message.outcome
            assert (message.set_id, message.item_id) not in found
            found[message.set_id, message.item_id] = message.outcome.tobytes()
    return found


@pytest.mark.parametrize(
    ("n_cases", "n_encoders", "readers", "batch_size"), [(5, 2, 3, 1), (7, 3, 2, 4), (1, 4, 4, 8), (3, 1, 5, 2)]
)
def test_many_threads_and_devices_give_what_one_gives(
    make_cohort: MakeCohort, make_encoder: Any, n_cases: int, n_encoders: int, readers: int, batch_size: int
) -> None:
    tasks = tasks_of(make_cohort(n_cases))
    one = LocalEngine([make_encoder()], Preparation(), 1, 1)
    many = LocalEngine([make_encoder() for _ in range(n_encoders)], Preparation(), batch_size, readers)
    expected = vectors_of(one.messages(tasks, threading.Event()))
    assert len(expected) == n_cases * (1 + 3)
    assert vectors_of(many.messages(tasks, threading.Event())) == expected
    assert many.pace is not None
    assert 0 < many.pace.encoder_share <= 1
    assert 0 < many.pace.reader_share <= 1


def test_a_batch_is_of_one_set_and_no_larger_than_asked(make_cohort: MakeCohort, make_encoder: Any) -> None:
    shapes: list[tuple[int, ...]] = []
    encoder = make_encoder(before=lambda batch: shapes.append(batch.shape))
    engine = LocalEngine([encoder], Preparation(), 4, 2)
    n_items = len(vectors_of(engine.messages(tasks_of(make_cohort(4)), threading.Event())))
    assert sum(shape[0] for shape in shapes) == n_items == 16
    assert max(shape[0] for shape in shapes) <= 4
    assert {shape[1:] for shape in shapes} == {(1, 160, 160, 160), (1, 512, 512)}


def test_reading_and_encoding_overlap(
    make_cohort: MakeCohort, make_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, next_is_read = prepare.read_scan, threading.Semaphore(0)

    def told(path: Path) -> Any:
        found = read(path)
        next_is_read.release()
        return found

    monkeypatch.setattr(prepare, "read_scan", told)
    waited_for = []

    def until_the_next_scan_is_read(batch: object) -> None:
        # An engine that read the second scan only after the items of the first would wait here for ever.
        if len(waited_for) < 2:
            next_is_read.acquire()
            waited_for.append(batch)

    engine = LocalEngine([make_encoder(before=until_the_next_scan_is_read)], Preparation(thumbnails=False), 1, 1)
    assert len(vectors_of(engine.messages(tasks_of(make_cohort(6)), threading.Event()))) == 24
    assert len(waited_for) == 2


def test_asked_to_stop_it_hands_over_the_batch_at_hand_and_ends(make_cohort: MakeCohort, make_encoder: Any) -> None:
    stop = threading.Event()
    encoder = make_encoder(before=lambda batch: stop.set())
    engine = LocalEngine([encoder], Preparation(), 1, 1)
    found = [message for message in engine.messages(tasks_of(make_cohort(4)), stop) if isinstance(message, Encoded)]
    assert len(found) == 1
    assert sum(thread.name.startswith(("reader-", "encoder-")) for thread in threading.enumerate()) == 0


def test_closing_it_ends_its_threads(make_cohort: MakeCohort, make_encoder: Any) -> None:
    engine = LocalEngine([make_encoder()], Preparation(), 1, 2)
    messages = engine.messages(tasks_of(make_cohort(4)), threading.Event())
    next(messages)
    messages.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("reader-", "encoder-"))]


def test_a_fault_of_the_program_in_a_thread_ends_the_run(make_cohort: MakeCohort, make_encoder: Any) -> None:
    def fault(batch: object) -> None:
        raise AssertionError("a fault")

    engine = LocalEngine([make_encoder(before=fault)], Preparation(), 1, 2)
    with pytest.raises(AssertionError, match="a fault"):
        list(engine.messages(tasks_of(make_cohort(3)), threading.Event()))


def test_a_device_that_fails_ends_the_run_and_blames_no_scan(make_cohort: MakeCohort, make_encoder: Any) -> None:
    def lost(batch: object) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    csv = make_cohort(2)
    with pytest.raises(DeviceLost, match="run the same command again") as caught:
        job.run(csv, csv.parent / "out.duckdb", encoder=make_encoder(before=lost), view="volume")
    assert caught.value.temporary
    store = Store(csv.parent / "out.duckdb")
    assert store.failures().empty
    assert store.runs().loc[0, "state"] == "failed"


def test_a_case_that_cannot_be_read_ends_in_every_set(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2)
    tasks = tasks_of(csv)
    (csv.parent / "c0_ct.nii.gz").write_bytes(b"no image")
    engine = LocalEngine([make_encoder()], Preparation(), 1, 1)
    ends = [m for m in engine.messages(tasks, threading.Event()) if isinstance(m, CaseEnd) and m.case_id == "c0"]
    assert sorted(end.set_id for end in ends) == sorted(RECIPES)
    assert all(end.broken and end.failures[0].stage_of_work == "read" for end in ends)
