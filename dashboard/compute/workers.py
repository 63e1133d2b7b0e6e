"""The processes in which analyses, reports and look-ups run: started, used, kept warm for the next analysis, ended."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from embeddings.worker.messages import (
    Fault,
    MessageError,
    Progress,
    Refusal,
    Request,
    Result,
    read_message,
    write_message,
)

ANALYSES = "embeddings.worker.analyses"
_ROOT = Path(__file__).resolve().parents[2]
# One to use at once, and one that has been used and so has imported what a map needs.
MOST_IDLE = 2


class WorkerDiedError(Exception):
    """The process ended before its result was there; the message says how."""


class Worker:
    """A process that runs functions, one at a time.

    Args:
        module: what `python -m` runs; it calls `embeddings.worker.process.serve`.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self._killed = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            # A Ctrl-C at the terminal of the server is not for it: it ends with the server's end of the pipe.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process exists and has not been told to end."""
        return not self._killed and self._process.poll() is None

    def run(self, request: Request, report: Callable[[Progress], None]) -> Result | Refusal | Fault:
        """How a function ended; `report` is called with its progress.

        Raises:
            WorkerDiedError: the process ended before its result was there.
        """
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        try:
            write_message(to, request)
            while (message := read_message(back)) is not None:
                if not isinstance(message, Progress):
                    return message
                report(message)
        except (OSError, MessageError) as error:
            self.kill()
            raise WorkerDiedError(f"{error}") from error
        status = self._process.wait()
        raise WorkerDiedError(f"signal {-status}" if status < 0 else f"exit code {status}")

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        self._killed = True
        self._process.kill()

    def close(self) -> None:
        """End the process and wait until it is gone."""
        self.kill()
        # Closes the pipes and waits; nobody misses what could not be written to a process that is gone.
        with suppress(OSError), self._process:
            pass


class Workers:
    """Idle processes for analyses. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Worker] = []

    def warm(self) -> None:
        """Start a process where no idle one has its imports done, so that the next analysis need not wait for one.

        Raises:
            OSError: a process cannot be started.
        """
        with self._lock:
            self._idle = [worker for worker in self._idle if worker.alive]
            if not self._idle:
                self._idle.append(Worker(ANALYSES))

    def take(self, module: str) -> Worker:
        """A process that runs this module, an idle one where there is one.

        Raises:
            OSError: a process cannot be started.
        """
        with self._lock:
            while module == ANALYSES and self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.close()
        return Worker(module)

    def give_back(self, worker: Worker) -> None:
        """Keep a process whose analysis has ended for the next one, or end it where enough are idle."""
        with self._lock:
            if worker.module == ANALYSES and worker.alive and len(self._idle) < MOST_IDLE:
                self._idle.append(worker)
                return
        worker.close()

    def idle(self) -> list[int]:
        """Numbers of the idle processes."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    def close(self) -> None:
        """End every idle process."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()
