"""A disk that fills up while a job runs: the exit code says try again, and the next run ends in the same vectors."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from embeddings.__main__ import main
from embeddings.exit_codes import DONE, TEMPORARY
from embeddings.store.store import Store
from tests.embeddings.processes import start

MakeCohort = Callable[..., Path]


def embed(csv: Path, db: Path, most_bytes: int | None) -> tuple[int | None, str]:
    """Exit code and standard error of the command whose files have at most so many bytes, as on a disk that is full."""
    said = db.with_suffix(".stderr")
    process = start(limited, csv, db, most_bytes, stderr=said)
    process.join()
    return process.exitcode, said.read_text(encoding="utf-8")


def limited(csv: Path, db: Path, most_bytes: int | None) -> None:
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    words = ["embed", str(csv), "--db", str(db), "--view", "volume", "slices", "--slice-step", "12"]
    sys.exit(main(words))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on the size of files here")
def test_a_full_disk_ends_the_job_for_now_and_loses_nothing(make_cohort: MakeCohort) -> None:
    csv = make_cohort(3)
    whole = csv.parent / "whole.duckdb"
    assert embed(csv, whole, None)[0] == DONE
    expected = Store(whole)
    codes = []
    for most_bytes in (20_000, 50_000, 300_000):
        db = csv.parent / f"full{most_bytes}.duckdb"
        code, said = embed(csv, db, most_bytes)
        codes.append(code)
        assert "Traceback" not in said
        if code == TEMPORARY:
            assert "free space and run the same command again" in said
        code, said = embed(csv, db, None)
        assert code == DONE, said
        found = Store(db)
        for set_id in expected.sets()["set_id"]:
            ids, vectors = found.vectors(set_id)
            assert ids == expected.vectors(set_id)[0]
            assert vectors.tobytes() == expected.vectors(set_id)[1].tobytes()
        assert found.failures().empty
    # With more room the log takes everything, and the file is brought up to date when it is opened next.
    assert codes[:2] == [TEMPORARY, TEMPORARY]
    assert set(codes) <= {DONE, TEMPORARY}
