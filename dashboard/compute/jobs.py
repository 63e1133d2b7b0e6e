"""The embedding job as a background process of its own, started and watched by the Cohort page.

No two jobs write one file: the second request for it is answered with the job that runs.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from embeddings.process import is_alive
from embeddings.store.store import Store

try:
    import fcntl
except ImportError:  # Windows: the runs in the file and the jobs of this process are still looked at
    fcntl = None  # type: ignore[assignment]

LOG_TAIL = 2000
# A run on another machine that has said nothing for so long is taken for dead; an item takes minutes at most.
SILENT = timedelta(minutes=15)
PATIENCE_S = 3.0

_STARTED: dict[Path, Job] = {}
_STARTING = threading.Lock()


@dataclass(frozen=True)
class JobRequest:
    """What `python -m embeddings embed` is to do."""

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
        words = ["-m", "embeddings", "embed", str(self.csv), "--db", str(self.db)]
        words += ["--encoder", self.encoder, "--view", self.view]
        if self.data_root is not None:
            words += ["--data-root", str(self.data_root)]
        for role, column in sorted(self.mapping.items()):
            words += ["--map", f"{role}={column}"]
        if self.mask_label:
            words.append(f"--mask-label={self.mask_label}")  # which may begin with a dash
        if self.weights:
            words += ["--weights", self.weights]
        if self.preset:
            words += ["--preset", self.preset]
        if self.view == "slices" and self.slice_step > 1:
            words += ["--slice-step", str(self.slice_step)]
        return words

    def command_line(self) -> str:
        """The command as typed in a shell at the root of the project."""
        return shlex.join(["python", *self.words()])


@dataclass(frozen=True)
class Job:
    """A job that this process started, and where it writes."""

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
        """Whether the process still lives."""
        return self.process.poll() is None

    def run(self) -> pd.Series | None:
        """Its own row among the runs of its file, once it has one."""
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
        """Whether its file says so, and nothing speaks against it."""
        row = self.run()
        return row is not None and _lives(row)

    def run(self) -> pd.Series | None:
        """Its row among the runs of its file."""
        return _newest(self.db, lambda runs: runs["run_id"] == self.run_id)


class FileInUseError(OSError):
    """Another program is about to write the cohort file, and has not said yet who it is."""


def start(request: JobRequest, project_root: Path) -> Job:
    """Start the job; it goes on when the browser is closed. The log lies beside the cohort file.

    Raises:
        FileInUseError: another process of this machine was started to write the file.
        OSError: if the log or the process cannot be made.
    """
    request.db.parent.mkdir(parents=True, exist_ok=True)
    started = datetime.now()
    log = request.db.with_name(f"{request.db.stem}.{started:%Y%m%d-%H%M%S}.log")
    claim = _claim(request.db)
    try:
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *request.words()],
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=project_root,
                start_new_session=True,
                # The job inherits the claim, which ends with it, however it ends.
                pass_fds=() if claim is None else (claim,),
            )
    finally:
        if claim is not None:
            os.close(claim)
    return Job(request, process, log, started)


def start_or_join(request: JobRequest, project_root: Path) -> tuple[Job | RunElsewhere, bool]:
    """The started job and False; or, where something writes this cohort file already, that and True.

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
    """The job of this process, started last, that still writes a cohort file of a folder: a page finds it again."""
    found = [job for path, job in list(_STARTED.items()) if path.parent == folder.resolve() and job.running]
    return max(found, key=lambda job: job.started, default=None)


def running_elsewhere(db: Path) -> RunElsewhere | None:
    """The newest run of a cohort file that still lives, if any.

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
    if row["state"] != "running":
        return False
    if row["host"] == socket.gethostname():
        return is_alive(int(row["pid"]))
    return bool(datetime.now(UTC).replace(tzinfo=None) - row["heartbeat"].to_pydatetime() < SILENT)


def _claim(db: Path) -> int | None:
    """A handle that only one process of this machine can hold for a cohort file; None where there are no such locks.

    Between the start of a job and its first row in the file lie seconds in which the encoder is loaded.
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
            "encoder, then press again to watch it"
        ) from error
    return handle
