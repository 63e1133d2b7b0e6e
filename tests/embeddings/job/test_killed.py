"""kill -9 at random moments: whatever was lost comes back, bit for bit, and nothing comes twice."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embeddings import job
from embeddings.records import RunProgress
from embeddings.store.store import Store
from tests.embeddings.job.conftest import TinyEncoder
from tests.embeddings.processes import start

MakeCohort = Callable[..., Path]
KILLS = 20
SEED = 20260521


def embed(csv: Path, db: Path, n_items: int | None = None, delay_s: float = 0.0) -> None:
    """The job, which kills itself so long after it has that many vectors: reading the store would hold it up."""

    def killed(progress: RunProgress) -> None:
        if progress.n_items == n_items:
            threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGKILL)).start()

    settings = job.JobSettings(encoder=TinyEncoder(), views=("volume", "slices"), slice_step=12, workers=2)
    job.run_views(csv, db, settings, commit_s=0, progress=killed)


def contents(db: Path) -> dict[str, Any]:
    """Everything that a run leaves for the reader, but for its times."""
    store = Store(db)
    found: dict[str, Any] = {"lesions": store.lesions().to_json(), "acquisitions": store.acquisitions().to_json()}
    for set_id in store.sets()["set_id"]:
        ids, vectors = store.vectors(set_id)
        assert len(ids) == len(set(ids))
        pictures = store.thumbnails(ids)
        found[set_id] = (
            ids,
            vectors.tobytes(),
            store.items(set_id).to_json(),
            sorted(store.completed(set_id)["case_id"]),
            {item: pictures[item].png for item in ids},
            {case: source.content for case, source in store.sources(set_id).items()},
            store.failures(set_id)[["case_id", "stage_of_work", "reason"]].to_json(),
        )
    return found


@pytest.mark.slow
def test_a_job_killed_at_20_random_moments_ends_in_the_same_vectors(make_cohort: MakeCohort) -> None:
    csv = make_cohort(6)
    (csv.parent / "c3_ct.nii.gz").write_bytes((csv.parent / "c3_ct.nii.gz").read_bytes()[:3000])
    whole = start(embed, csv, csv.parent / "whole.duckdb")
    whole.join()
    assert whole.exitcode == 0
    expected = contents(csv.parent / "whole.duckdb")
    assert sorted(len(found[0]) for key, found in expected.items() if "." in key) == [5, 10]

    chance = random.Random(SEED)
    kills, stores, db = 0, 0, csv.parent / "killed0.duckdb"
    held: list[int] = []
    while kills < KILLS:
        # When it is killed is counted in vectors first: seconds would be others on a busy machine.
        process = start(embed, csv, db, chance.randint(0, 5), chance.uniform(0, 0.2))
        process.join()
        if process.exitcode == -signal.SIGKILL:
            kills += 1
            held.append(_n_vectors(db) if db.exists() else 0)
        else:
            assert process.exitcode == 0
            assert contents(db) == expected
            stores += 1
            db = csv.parent / f"killed{stores}.duckdb"
    last = start(embed, csv, db)
    last.join()
    assert last.exitcode == 0
    assert contents(db) == expected
    # The kills have to have met the job at work for this to mean anything.
    assert len({n for n in held if n}) >= 5
    print(f"{kills} kills, {stores + 1} stores ended whole; vectors held when killed: {held}")


def _n_vectors(db: Path) -> int:
    """Vectors that a killed job had committed; the file may hold no cohort yet."""
    try:
        return int(Store(db).sets()["n_items"].sum())
    except ValueError:
        return 0
