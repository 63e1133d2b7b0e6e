"""A disk that fills up while a job runs: the exit code says try again, and the next run ends in the same vectors."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from embeddings.exit_codes import DONE, TEMPORARY
from embeddings.store.store import Store

MakeCohort = Callable[..., Path]


def embed(csv: Path, db: Path, most_bytes: int | None) -> subprocess.CompletedProcess[str]:
    """The job as a user starts it, with files of at most so many bytes, as on a disk with no more room."""
    root = str(Path(__file__).resolve().parents[3])
    words = [sys.executable, "-m", "embeddings", "embed", str(csv), "--db", str(db), "--view", "volume", "slices"]

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*words, "--slice-step", "12"], capture_output=True, text=True, env=environment, preexec_fn=limit, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on the size of files here")
def test_a_full_disk_ends_the_job_for_now_and_loses_nothing(make_cohort: MakeCohort) -> None:
    csv = make_cohort(6)
    whole = csv.parent / "whole.duckdb"
    assert embed(csv, whole, None).returncode == DONE
    expected = Store(whole)
    codes = []
    for most_bytes in (20_000, 100_000, 300_000):
        db = csv.parent / f"full{most_bytes}.duckdb"
        full = embed(csv, db, most_bytes)
        codes.append(full.returncode)
        assert "Traceback" not in full.stderr
        if full.returncode == TEMPORARY:
            assert "free space and run the same command again" in full.stderr
        done = embed(csv, db, None)
        assert done.returncode == DONE, done.stderr
        found = Store(db)
        for set_id in expected.sets()["set_id"]:
            ids, vectors = found.vectors(set_id)
            assert ids == expected.vectors(set_id)[0]
            assert vectors.tobytes() == expected.vectors(set_id)[1].tobytes()
        assert found.failures().empty
    # With more room the log takes everything, and the file is brought up to date when it is opened next.
    assert codes[:2] == [TEMPORARY, TEMPORARY]
    assert set(codes) <= {DONE, TEMPORARY}
