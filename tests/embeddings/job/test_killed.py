"""kill -9 at random moments: whatever was lost comes back, bit for bit, and nothing comes twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embeddings.store.store import Store

MakeCohort = Callable[..., Path]
KILLS = 20
SEED = 20260521
JOB = """
    import sys
    from pathlib import Path
    from embeddings import job
    csv, db = Path(sys.argv[1]), Path(sys.argv[2])
    settings = job.JobSettings(encoder="flexict-nano", views=("volume", "slices"), slice_step=8, workers=2)
    print("loaded", flush=True)
    for summary in job.run_views(csv, db, settings, commit_s=0):
        print(summary.state, summary.n_embedded, summary.n_done_before, flush=True)
"""


def start(csv: Path, db: Path) -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parents[3])
    words = [sys.executable, "-c", textwrap.dedent(JOB), str(csv), str(db)]
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)


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
@pytest.mark.timeout(900)
def test_a_job_killed_at_20_random_moments_ends_in_the_same_vectors(make_cohort: MakeCohort) -> None:
    csv = make_cohort(12)
    (csv.parent / "c5_ct.nii.gz").write_bytes((csv.parent / "c5_ct.nii.gz").read_bytes()[:3000])
    whole = start(csv, csv.parent / "whole.duckdb")
    assert whole.stdout is not None
    whole.stdout.readline()
    whole.communicate()
    expected = contents(csv.parent / "whole.duckdb")
    assert sorted(len(found[0]) for key, found in expected.items() if "." in key) == [11, 33]

    chance = random.Random(SEED)
    kills, stores, db = 0, 0, csv.parent / "killed0.duckdb"
    held: list[int] = []
    while kills < KILLS:
        process = start(csv, db)
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        # Where it is killed is counted in vectors: seconds would be others on a busy machine.
        target = (_n_vectors(db) if db.exists() else 0) + chance.randint(0, 8)
        while process.poll() is None and not (db.exists() and _n_vectors(db) >= target):
            time.sleep(0.1)
        try:
            process.wait(chance.uniform(0, 0.2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            if db.exists():
                held.append(_n_vectors(db))
        else:
            assert process.returncode == 0
            assert contents(db) == expected
            stores += 1
            db = csv.parent / f"killed{stores}.duckdb"
    last = start(csv, db)
    last.communicate()
    assert last.returncode == 0
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
