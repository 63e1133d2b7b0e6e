"""The embedding job as a background process, started and watched by the Cohort page.

Two jobs never write one file: a second request for it gets the job that is running.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from embeddings.store.status import process_of
from embeddings.store.store import Store

try:
    import fcntl
except ImportError:  # Windows: only the runs in the file and the jobs of this process are checked
    fcntl = None  # type: ignore[assignment]

LOG_TAIL = 2000
# A run on another machine without a sign of life for so long counts as dead; an item takes minutes at most.
SILENT = timedelta(minutes=15)
PATIENCE_S = 3.0

_STARTED: dict[Path, Job] = {}
_STARTING = threading.Lock()


@dataclass(frozen=True)
class JobRequest:
    """The arguments of `python -m embeddings embed`."""

    csv: Path
    db: Path
    encoder: str
    view: str
    data_root: Path | None
    mapping: dict[str, str]
    weights: str | None = None
    slice_step: int = 1
    preset: str | None = None
    mask_label: str | None = None

    def words(self) -> list[str]:
        """The command line after `python`."""
        options = [
            ("--db", self.db),
            ("--encoder", self.encoder),
            ("--view", self.view),
            ("--data-root", self.data_root),
            *(("--map", f"{role}={column}") for role, column in sorted(self.mapping.items())),
            ("--weights", self.weights),
            ("--preset", self.preset),
            ("--slice-step", self.slice_step if self.view == "slices" and self.slice_step > 1 else None),
        ]
        words = ["-m", "embeddings", "embed", str(self.csv)]
        for name, value in options:
            words += [name, str(value)] if value else []
        # A label may begin with a dash.
        return [*words, f"--mask-label={self.mask_label}"] if self.mask_label else words

    def command_line(self) -> str:
        """The command as typed in a shell at the root of the project."""
        return shlex.join(["python", *self.words()])


@dataclass(frozen=True)
class Job:
    """A job that this process started, with its cohort file and log."""

    request: JobRequest
    process: subprocess.Popen[bytes]
    log: Path
    started: datetime

    @property
    def db(self) -> Path:
        """The cohort file that it writes."""
        return self.request.db

    @property
    def running(self) -> bool:
        """Whether the process is still running."""
        return self.process.poll() is None

    def run(self) -> pd.Series | None:
        """Its row in the runs of its file, once it has one."""
        return _newest(self.db, lambda runs: runs["pid"] == self.process.pid)

    def output(self) -> str:
        """The last lines of what the job printed; progress bars are reduced to their last state."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        lines = [line.rsplit("\r", 1)[-1] for line in text.split("\n")]
        return "\n".join(line for line in lines if line.strip())[-LOG_TAIL:]


@dataclass(frozen=True)
class RunElsewhere:
    """A run of a cohort file by a process that this one did not start: a terminal, another app, another machine."""

    db: Path
    run_id: str
    host: str
    pid: int

    @property
    def running(self) -> bool:
        """Whether its file says so, and its process or heartbeat does not contradict it."""
        row = self.run()
        return row is not None and _lives(row)

    def run(self) -> pd.Series | None:
        """Its row in the runs of its file."""
        return _newest(self.db, lambda runs: runs["run_id"] == self.run_id)


class FileInUseError(OSError):
    """Another program is about to write the cohort file and has no run in it yet."""


def start(request: JobRequest, project_root: Path) -> Job:
    """Start the job; it continues when the browser is closed. The log is beside the cohort file.

    Raises:
        FileInUseError: another process of this machine was started to write the file.
        OSError: the log or the process cannot be created.
    """
    request.db.parent.mkdir(parents=True, exist_ok=True)
    started = datetime.now()
    log = request.db.with_name(f"{request.db.stem}.{started:%Y%m%d-%H%M%S}.log")
    lock = _lock(request.db)
    try:
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *request.words()],
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=project_root,
                start_new_session=True,
                # The job inherits the lock, which ends with it, however it ends.
                pass_fds=() if lock is None else (lock,),
            )
    finally:
        if lock is not None:
            os.close(lock)
    return Job(request, process, log, started)


def start_or_join(request: JobRequest, project_root: Path) -> tuple[Job | RunElsewhere, bool]:
    """The started job and False; or, if a job is already writing this cohort file, that job and True.

    Raises:
        StoreError: the file is there and cannot be read.
        OSError: what `start` raises.
    """
    key = request.db.resolve()
    with _STARTING:
        known = _STARTED.get(key)
        if known is not None and known.running:
            return known, True
        elsewhere = running_elsewhere(request.db)
        if elsewhere is not None:
            return elsewhere, True
        _STARTED[key] = job = start(request, project_root)
        return job, False


def running_below(folder: Path) -> Job | None:
    """The last started job of this process that still writes a cohort file in a folder, for a page to find it again."""
    found = [job for path, job in list(_STARTED.items()) if path.parent == folder.resolve() and job.running]
    return max(found, key=lambda job: job.started, default=None)


def running_elsewhere(db: Path) -> RunElsewhere | None:
    """The newest run of a cohort file that is still running, if any.

    Raises:
        StoreError: the file is there and cannot be read.
    """
    row = _newest(db, lambda runs: runs.apply(_lives, axis=1).astype(bool))
    return None if row is None else RunElsewhere(db, str(row["run_id"]), str(row["host"]), int(row["pid"]))


def _newest(db: Path, which: Callable[[pd.DataFrame], pd.Series]) -> pd.Series | None:
    if not db.exists():
        return None
    runs = Store(db, patience_s=PATIENCE_S).runs()
    if runs.empty:
        return None
    found = runs[which(runs)]
    return None if found.empty else found.iloc[0]


def _lives(row: pd.Series) -> bool:
    process = process_of({str(name): value for name, value in row.items()})
    if process != "unknown":
        return process == "alive"
    return bool(datetime.now(UTC).replace(tzinfo=None) - row["heartbeat"].to_pydatetime() < SILENT)


def _lock(db: Path) -> int | None:
    """A lock on a cohort file that one process of this machine can hold at a time; None where there are no such locks.

    A job loads its encoder for some seconds before it writes its first row into the file.
    """
    if fcntl is None:
        return None
    handle = os.open(db.with_name(f".{db.name}.job"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise FileInUseError(
            f"a job for {db.name} was started a moment ago by another window or program: wait until it has loaded its "
            "encoder, then press the button again to watch it"
        ) from error
    return handle
