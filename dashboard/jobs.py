"""The embedding job as a background process of its own, started and watched by the Cohort page."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

LOG_TAIL = 2000


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

    def words(self) -> list[str]:
        """The command line after `python`."""
        words = ["-m", "embeddings", "embed", str(self.csv), "--db", str(self.db)]
        words += ["--encoder", self.encoder, "--view", self.view]
        if self.data_root is not None:
            words += ["--data-root", str(self.data_root)]
        for role, column in sorted(self.mapping.items()):
            words += ["--map", f"{role}={column}"]
        if self.weights:
            words += ["--weights", self.weights]
        if self.view == "slices" and self.slice_step > 1:
            words += ["--slice-step", str(self.slice_step)]
        return words

    def command_line(self) -> str:
        """The command as typed in a shell at the root of the project."""
        return shlex.join(["python", *self.words()])


@dataclass(frozen=True)
class Job:
    """A started job and where it writes."""

    request: JobRequest
    process: subprocess.Popen[bytes]
    log: Path
    started: datetime

    @property
    def running(self) -> bool:
        """Whether the process still lives."""
        return self.process.poll() is None

    def output(self) -> str:
        """The last lines of what the job printed; progress bars are reduced to their last state."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        lines = [line.rsplit("\r", 1)[-1] for line in text.split("\n")]
        return "\n".join(line for line in lines if line.strip())[-LOG_TAIL:]


def start(request: JobRequest, project_root: Path) -> Job:
    """Start the job; it goes on when the browser is closed.

    Raises:
        OSError: if the log or the process cannot be made.
    """
    request.db.parent.mkdir(parents=True, exist_ok=True)
    started = datetime.now()
    log = request.db.with_name(f"{request.db.stem}.{started:%Y%m%d-%H%M%S}.log")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, *request.words()],
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=project_root,
            start_new_session=True,
        )
    return Job(request, process, log, started)
