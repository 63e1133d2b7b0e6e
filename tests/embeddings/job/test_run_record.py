"""The record of a run beside its database: whole at any moment, true at the end, and silent about patients."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings.job import run_record
from embeddings.job.engines.engine import Pace
from embeddings.job.run_record import EVERY_S, MOST_REASONS, RunRecord, anonymous, folder_of
from embeddings.job.summary import RunSummary
from embeddings.records import Failure


@dataclass
class FakeCase:
    """Of a case the record knows its id and its files."""

    case_id: str
    image_path: Path
    mask_path: Path | None = None


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "lungs.duckdb"


@pytest.fixture
def runs() -> list[RunSummary]:
    """A run into two sets, as the job counts it."""
    return [
        RunSummary("nano.volume.1", "20261124T100000-aa", n_refused=1),
        RunSummary("nano.slices.2", "20261124T100000-bb", n_refused=1),
    ]


def count(runs: list[RunSummary], n_planned: int, n_embedded: int, n_failed: int, n_items: int) -> None:
    """Bring the counts of both sets together to these."""
    first = runs[0]
    first.n_planned, first.n_embedded, first.n_failed, first.n_items = n_planned, n_embedded, n_failed, n_items


@pytest.fixture
def make(db: Path, clock: Clock, runs: list[RunSummary]) -> Callable[..., RunRecord]:
    """`make(cases=(), **changes)`: a record of a run into two sets."""

    def record(cases: tuple[FakeCase, ...] = (), **changes: object) -> RunRecord:
        values: dict[str, object] = {
            "cohort_csv": db.parent / "study of Jane Roe" / "cohort.csv",
            "cohort_sha256": "ab" * 32,
            "settings": {
                "cohort_csv": str(db.parent / "study of Jane Roe" / "cohort.csv"),
                "workers": 2,
                "shard": "1/4",
            },
            "devices": ["cpu"],
            "command": ["embed", str(db), f"--data-root={db.parent}/DOE^JOHN/cts", "--shard", "1/4"],
        }
        return RunRecord(db, runs, cases, clock=clock, **(values | changes))  # type: ignore[arg-type]

    return record


def read(record: RunRecord) -> dict[str, object]:
    found: dict[str, object] = json.loads(record.path.read_text(encoding="utf-8"))
    return found


def test_a_record_grows_from_start_to_end(
    make: Callable[..., RunRecord], runs: list[RunSummary], db: Path, clock: Clock
) -> None:
    record = make()
    assert record.path == db.parent / "lungs.runs" / "20261124T100000-aa.json" == folder_of(db) / record.path.name
    count(runs, 20, 0, 0, 0)
    record.start()
    begun = read(record)
    assert (begun["state"], begun["ended"], begun["exit_code"]) == ("running", None, None)
    assert begun["counts"]["planned"] == 20
    clock.now = EVERY_S - 1
    count(runs, 20, 5, 0, 50)
    record.update()
    assert read(record) == begun
    clock.now = EVERY_S
    count(runs, 20, 6, 0, 60)
    record.update()
    assert read(record)["counts"]["done"] == 6
    clock.now = 60.0
    pace = Pace(seconds=60.0, n_readers=2, n_encoders=1, reading_s=30.0, encoding_s=54.0)
    count(runs, 20, 16, 4, 160)
    record.finish("finished", exit_code=3, pace=pace)
    ended = read(record)
    assert (ended["state"], ended["exit_code"], ended["error"]) == ("finished", 3, None)
    assert str(ended["ended"]).endswith("Z")
    # Each scan is read once for both sets: 20 ends are 10 volumes.
    assert ended["throughput"] == {
        "seconds": 60.0,
        "volumes_per_min": 10.0,
        "items_per_min": 160.0,
        "reader_busy": 0.25,
        "encoder_busy": 0.9,
        "limit": "encoding",
    }
    assert ended["versions"]["torch"]
    assert ended["counts"]["refused_rows"] == 1
    assert [path.name for path in record.path.parent.iterdir()] == [record.path.name]


def test_failures_are_counted_by_reason(make: Callable[..., RunRecord], runs: list[RunSummary], tmp_path: Path) -> None:
    cases = tuple(FakeCase(f"c{n}", tmp_path / "Roe, Jane" / f"scan of {n}.nii.gz") for n in range(3))
    record = make(cases)
    for n, share in enumerate((34, 51, 7)):
        reason = f"Roe, Jane/scan of {n}.nii.gz is cut off: only {share}% of its voxels are there; copy it again"
        record.note(Failure(f"c{n}", "read", reason))
    record.note(Failure("c0", "encode", "the encoder failed", "c0/volume"))
    count(runs, 3, 0, 3, 0)
    record.start()
    assert read(record)["failures"] == [
        {
            "stage_of_work": "read",
            "reason": "FILE is cut off: only #% of its voxels are there; copy it again",
            "count": 3,
        },
        {"stage_of_work": "encode", "reason": "the encoder failed", "count": 1},
    ]


def test_reasons_without_end_do_not_make_a_record_without_end(
    make: Callable[..., RunRecord], runs: list[RunSummary]
) -> None:
    record = make()
    for n in range(3 * MOST_REASONS):
        record.note(Failure("c", "read", "reason " + "x" * n))
    count(runs, 1, 0, 0, 0)
    record.start()
    found = read(record)["failures"]
    assert len(found) == MOST_REASONS + 1
    assert sum(entry["count"] for entry in found) == 3 * MOST_REASONS


def test_a_record_identifies_nobody(make: Callable[..., RunRecord], runs: list[RunSummary], tmp_path: Path) -> None:
    case = FakeCase("c0", tmp_path / "DOE^JOHN" / "1.2.840.113619.2.55", tmp_path / "Doe John mask.nii.gz")
    record = make((case,))
    for reason in (
        "DOE^JOHN/1.2.840.113619.2.55 lacks 3 slices",
        f"{tmp_path}/DOE^JOHN/1.2.840.113619.2.55 changed while it was read",
        "Doe John mask.nii.gz is a mask without voxels",
        "series 'CHEST DOE JOHN 19510203' of 1.2.840.10008 cannot be read",
    ):
        record.note(Failure("c0", "read", reason))
    count(runs, 1, 0, 1, 0)
    record.start()
    count(runs, 1, 0, 1, 0)
    record.finish("failed", exit_code=75, error=f"the folder {tmp_path}/DOE^JOHN has gone")
    text = record.path.read_text(encoding="utf-8")
    for word in ("DOE", "Doe", "1.2.840", "19510203", "Jane", str(tmp_path)):
        assert word not in text, word
    # A word of the command line keeps its last part alone, and what is no path stays.
    assert read(record)["command"] == ["embed", "lungs.duckdb", "--data-root=cts", "--shard", "1/4"]
    assert read(record)["settings"] == {"cohort_csv": "cohort.csv", "workers": 2, "shard": "1/4"}


@given(st.text(), st.text(min_size=1), st.integers(0, 10**20))
def test_no_number_and_no_file_survives_in_a_reason(before: str, name: str, number: int) -> None:
    found = anonymous(f"{before} {name}.nii.gz {number} is cut off", (f"{name}.nii.gz",))
    assert not any("0" <= character <= "9" for character in found)
    assert ".nii.gz" not in found
    assert found.endswith("# is cut off")


def test_whoever_reads_never_meets_half_a_record(
    make: Callable[..., RunRecord], runs: list[RunSummary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_record, "EVERY_S", 0.0)
    record = make()
    count(runs, 1000, 0, 0, 0)
    record.start()
    over, seen = threading.Event(), []

    def look() -> None:
        while not over.is_set():
            seen.append(read(record)["counts"]["done"])

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(400):
        count(runs, 1000, n, 0, n)
        record.update()
    over.set()
    reader.join()
    assert len(seen) > 5
    assert seen == sorted(seen)


def test_a_record_that_cannot_be_written_is_told_once_and_ends_no_run(
    make: Callable[..., RunRecord],
    runs: list[RunSummary],
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = make()
    count(runs, 10, 0, 0, 0)
    record.start()
    before = record.path.read_bytes()

    def full(path: Path, *_: object, **__: object) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(Path, "write_bytes", full)
        for n in range(1, 4):
            clock.now += EVERY_S
            count(runs, 10, n, 0, n)
            record.update()
        count(runs, 10, 10, 0, 10)
        record.finish("finished", exit_code=0)
    err = capsys.readouterr().err
    assert err.count("warning: the run record") == 1
    assert "No space left on device" in err
    # What was there stays whole, and no partial file is left to fill the disk.
    assert record.path.read_bytes() == before
    assert [path.name for path in record.path.parent.iterdir()] == [record.path.name]
    count(runs, 10, 10, 0, 10)
    record.finish("finished", exit_code=0)
    assert read(record)["exit_code"] == 0


def test_a_file_where_the_folder_should_be_ends_no_run(
    make: Callable[..., RunRecord], db: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder_of(db).write_text("mine")
    make().start()
    assert "cannot be written" in capsys.readouterr().err
    assert folder_of(db).read_text(encoding="utf-8") == "mine"
