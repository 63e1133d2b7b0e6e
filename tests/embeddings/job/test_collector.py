"""What an engine yields is gathered by id: its order and its repeats change nothing."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embeddings.job.collector import Collector
from embeddings.job.messages import CaseEnd, Encoded, Message
from embeddings.job.summary import RunSummary
from embeddings.records import Failure, RunProgress, Source
from embeddings.store.store import Store

WIDTH = 6


def messages_of(set_id: str, n_cases: int) -> list[Message]:
    """Cases of three items each; the last item of case 1 has no vector, and case 2 could not be read at all."""
    found: list[Message] = []
    for number in range(n_cases):
        case_id = f"c{number}"
        source = Source(case_id, f"content {number}", "stamp")
        end = CaseEnd(case_id, set_id, "stamp", source)
        if number == 2:
            found.append(replace(end, source=None, broken=True, failures=[Failure(case_id, "read", "is cut off")]))
            continue
        for place in range(3):
            item_id = f"{case_id}/slice/{place:04d}"
            lost = number == 1 and place == 2
            vector = np.full(WIDTH, 10 * number + place, np.float32)
            found.append(
                Encoded(set_id, item_id, case_id, source, place, float(place), outcome="no memory" if lost else vector)
            )
            end.item_ids.append(item_id)
        found.append(end)
    return found


@given(seed=st.integers(0, 2**32), repeats=st.integers(0, 8))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_and_repeats_change_nothing(
    tmp_path: Path, make_report: Any, make_case: Any, identity: Any, seed: int, repeats: int
) -> None:
    db = tmp_path / f"{seed}-{repeats}.duckdb"
    store = Store(db, read_only=False)
    cases = [make_case(f"c{n}", n, tmp_path / f"c{n}.nii.gz", stage="T1") for n in range(4)]
    csv = tmp_path / "cohort.csv"
    csv.write_text("case,patient,image\n")
    store.register_cohort(make_report(csv, cases))
    set_id = store.open_set(identity(view="lesion"))
    messages = messages_of(set_id, 4)
    chance = random.Random(seed)
    messages += chance.choices(messages, k=repeats)
    chance.shuffle(messages)
    seen: list[RunProgress] = []
    run = RunSummary(set_id, store.start_run(set_id, {}, 4), n_planned=4)
    collector = Collector(store, {set_id: run}, {f"c{n}": 1 for n in range(4)}, commit_s=0, report=seen.append)
    for message in messages:
        collector.take(message)
    collector.commit()
    ids, vectors = store.vectors(set_id)
    assert ids == sorted(f"c{n}/slice/{z:04d}" for n in (0, 1, 3) for z in range(3) if (n, z) != (1, 2))
    assert vectors[:, 0].tolist() == [0, 1, 2, 10, 11, 30, 31, 32]
    assert sorted(store.completed(set_id)["case_id"]) == ["c0", "c3"]
    failures = store.failures(set_id)
    assert failures[["case_id", "stage_of_work", "attempts"]].to_numpy().tolist() == [
        ["c1", "encode", 1],
        ["c2", "read", 1],
    ]
    assert (run.n_embedded, run.n_failed, run.n_items) == (2, 2, 8)
    ended = [progress.n_done + progress.n_failed for progress in seen]
    assert ended == sorted(ended)


def test_a_case_counts_once_in_the_progress_of_several_sets(store: Store, identity: Any) -> None:
    """c0 fails in the first of two sets, c1 is complete in both, c2 is wanted in one of them alone."""
    sets = [store.open_set(identity(view=view)) for view in ("lesion", "slices")]
    runs = {set_id: RunSummary(set_id, store.start_run(set_id, {}, 3), n_planned=3) for set_id in sets}
    seen: list[RunProgress] = []
    collector = Collector(store, runs, {"c0": 2, "c1": 2, "c2": 1}, commit_s=0, report=seen.append)
    source = Source("c0", "content", "stamp")
    for case_id, set_id, broken in (
        *(("c0", sets[0], True), ("c1", sets[0], False), ("c0", sets[1], True), ("c2", sets[1], False)),
        ("c1", sets[1], False),
    ):
        collector.take(CaseEnd(case_id, set_id, "stamp", replace(source, case_id=case_id), broken=broken))
    counts = [(one.n_planned, one.n_done, one.n_failed) for one in seen]
    assert list(dict.fromkeys(counts)) == [(3, 0, 0), (3, 0, 1), (3, 1, 1), (3, 2, 1)]
    assert [(run.n_embedded, run.n_failed) for run in runs.values()] == [(1, 1), (2, 1)]


def test_a_vanished_folder_is_no_failure_of_the_case(store: Store, identity: Any) -> None:
    set_id = store.open_set(identity())
    run = RunSummary(set_id, store.start_run(set_id, {}, 1), n_planned=1)
    collector = Collector(store, {set_id: run}, {"c0": 1}, commit_s=0, report=lambda _: None)
    failure = Failure("c0", "read", "does not exist")
    collector.take(CaseEnd("c0", set_id, "stamp", broken=True, vanished="/mnt/ct", failures=[failure]))
    collector.commit()
    assert collector.vanished == "/mnt/ct"
    assert store.failures(set_id).empty
    assert run.n_failed == 0
