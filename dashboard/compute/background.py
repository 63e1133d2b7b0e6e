"""Long analyses beside the pages: one registry a server, in which sessions ask for results and share their computing.

A result is looked up in memory, then in the cohort file, and else computed in a process of its own.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dashboard.compute.analysis_workers import ANALYSES, Worker, WorkerDiedError, Workers
from dashboard.session import state
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import StoreError
from embeddings.worker import result_codec
from embeddings.worker.result_codec import CodecError

# A tab in the background may be let to say something once a minute only.
ABANDONED_AFTER_S = 75.0
MOST_BYTES = 256_000_000
READ_PATIENCE_S, WRITE_PATIENCE_S = 1.0, 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What is to be computed.

    Attributes:
        kind: name of the analysis.
        key: SHA-256 of everything that decides the result.
        encoded: gives the arguments as bytes.
        words: what is being done, for the time before the analysis says it itself.
        module: the module whose process runs it.
        kept_in: cohort file in which the result is looked up and kept, or None.
        returns: type of the result, which one found in the file must be of.
    """

    kind: str
    key: str
    encoded: Callable[[], bytes]
    words: str
    module: str = ANALYSES
    kept_in: Path | None = None
    returns: Any = object


@dataclass(frozen=True)
class Done:
    """The result; `note` says where it could not be kept in the cohort file."""

    result: Any
    note: str = ""


@dataclass(frozen=True)
class Running:
    """How far it is: a share from 0 to 1, what is being done, and the seconds since it began."""

    share: float
    words: str
    elapsed_s: float


@dataclass(frozen=True)
class Failed:
    """Why there is no result; `refused` where the analysis itself says so of its data."""

    sentence: str
    refused: bool


@dataclass(frozen=True)
class Cancelled:
    """This session does not want it any more."""


Answer = Done | Running | Failed | Cancelled
# Of a work that nobody waits for any more; shown nowhere.
_STOPPED = Failed("", False), 0
Place = tuple[str, str]
"""A session and the slot on its pages that a result is for."""


@dataclass
class _Work:
    task: Task
    waiting: dict[Place, float]
    started: float = field(default_factory=time.monotonic)
    share: float = 0.0
    words: str = ""
    worker: Worker | None = None
    stopped: bool = False

    def answer(self) -> Running:
        return Running(self.share, self.words or self.task.words, time.monotonic() - self.started)


class Registry:
    """What is computed and what was. Methods may be called from any thread.

    Args:
        session_is_open: whether a session still has its tab.
        abandoned_after_s: seconds after which a request of a closed session that nobody has looked at is cancelled.
        at_once: how many analyses run at the same time; the others wait for their turn.
    """

    def __init__(
        self,
        session_is_open: Callable[[str], bool] = lambda session: False,
        abandoned_after_s: float = ABANDONED_AFTER_S,
        at_once: int | None = None,
    ) -> None:
        self._session_is_open, self._abandoned_after_s = session_is_open, abandoned_after_s
        self._free = at_once or max(2, os.cpu_count() or 1)
        # Held for moments only, never while something is read, written or computed.
        self._changed = threading.Condition()
        self._works: dict[str, _Work] = {}
        self._ended: OrderedDict[str, tuple[Done | Failed, int]] = OrderedDict()
        self._cancelled: dict[Place, tuple[str, float]] = {}
        self._workers = Workers()
        self._threads: set[threading.Thread] = set()
        self._watched = False
        self._closed = False

    def warm(self) -> None:
        """Start a process that waits for the first analysis, where none waits."""
        try:
            self._workers.warm()
        except OSError as error:
            # Nothing is lost yet: an analysis that finds no process either says so on its page.
            _log.warning("no process can be kept ready for analyses: %s", error)

    def ask(self, task: Task, session: str, slot: str) -> Answer:
        """The result, or how far it is; starts the computing where nobody has.

        An older request of the same session and slot is given up, and its process killed unless another place waits
        for it too.
        """
        place = (session, slot)
        with self._changed:
            for work in list(self._works.values()):
                if work.task.key != task.key:
                    self._give_up(work, place)
            if self._is_cancelled(task.key, place):
                return self._answer(task.key, place)
            self._cancelled.pop(place, None)
            if task.key not in self._works and task.key not in self._ended:
                self._works[task.key] = work = _Work(task, {place: time.monotonic()})
                self._start(self._run, work)
                self._watch()
            return self._answer(task.key, place)

    def look(self, key: str, session: str, slot: str) -> Answer:
        """How it stands with a result that was asked for; `Cancelled` where nobody computes it any more."""
        with self._changed:
            return self._answer(key, (session, slot))

    def wait(self, key: str, seconds: float) -> None:
        """Return when the computing has ended, or after so many seconds from its start."""
        with self._changed:
            work = self._works.get(key)
            if work is not None:
                left = work.started + seconds - time.monotonic()
                self._changed.wait_for(lambda: self._works.get(key) is not work, max(0.0, left))

    def cancel(self, session: str, slot: str) -> None:
        """Give up what this place waits for; its process ends unless another place waits for it too."""
        place = (session, slot)
        with self._changed:
            for work in list(self._works.values()):
                if place in work.waiting:
                    self._cancelled[place] = work.task.key, time.monotonic()
                    self._give_up(work, place)

    def run_again(self, key: str, session: str, slot: str) -> None:
        """Forget that a result was cancelled or failed: the next `ask` computes it."""
        with self._changed:
            self._cancelled.pop((session, slot), None)
            if isinstance(self._ended.get(key, (None, 0))[0], Failed):
                del self._ended[key]

    def processes(self) -> dict[str, int]:
        """Number of the process that computes each key."""
        with self._changed:
            return {key: work.worker.pid for key, work in self._works.items() if work.worker is not None}

    def idle(self) -> list[int]:
        """Numbers of the processes that wait for an analysis."""
        return self._workers.idle()

    def close(self) -> None:
        """End every process."""
        with self._changed:
            self._closed = True
            for work in list(self._works.values()):
                self._stop(work)
            threads = self._threads
            self._changed.notify_all()
        for thread in threads:
            thread.join()
        self._workers.close()

    # Under the lock

    def _answer(self, key: str, place: Place) -> Answer:
        if key in self._ended:
            self._ended.move_to_end(key)
            return self._ended[key][0]
        work = self._works.get(key)
        if work is None or self._is_cancelled(key, place):
            return Cancelled()
        work.waiting[place] = time.monotonic()
        return work.answer()

    def _is_cancelled(self, key: str, place: Place) -> bool:
        return self._cancelled.get(place, ("", 0.0))[0] == key

    def _give_up(self, work: _Work, place: Place) -> None:
        if work.waiting.pop(place, None) is not None and not work.waiting:
            self._stop(work)

    def _stop(self, work: _Work) -> None:
        work.stopped = True
        del self._works[work.task.key]
        if work.worker is not None:
            work.worker.kill()
        self._changed.notify_all()

    def _keep(self, key: str, ended: Done | Failed, size: int) -> None:
        self._ended[key] = ended, size
        while len(self._ended) > 1 and sum(one for _, one in self._ended.values()) > MOST_BYTES:
            self._ended.popitem(last=False)

    def _watch(self) -> None:
        if not self._watched:
            self._watched = True
            self._start(self._cancel_abandoned)
        self._changed.notify_all()

    def _start(self, what: Callable[..., None], *arguments: object) -> None:
        self._threads = {one for one in self._threads if one.is_alive()}
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        thread.start()
        self._threads.add(thread)

    # In threads of their own

    def _cancel_abandoned(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait(self._abandoned_after_s / 4 if self._works else None)
                for work in list(self._works.values()):
                    for place, last in list(work.waiting.items()):
                        if self._is_abandoned(place, last):
                            self._give_up(work, place)
                for place, (_, last) in list(self._cancelled.items()):
                    if self._is_abandoned(place, last):
                        del self._cancelled[place]

    def _is_abandoned(self, place: Place, last: float) -> bool:
        return time.monotonic() - last > self._abandoned_after_s and not self._session_is_open(place[0])

    def _run(self, work: _Work) -> None:
        task = work.task
        try:
            found = self._found(task)
            ended, size = found if isinstance(found, tuple) else self._computed(work, found)
        except Exception as error:
            _log.exception("the analysis %s failed", task.kind)
            ended, size = Failed(f"The analysis could not be run ({type(error).__name__}: {error}).", False), 0
        with self._changed:
            if not work.stopped:
                del self._works[task.key]
                self._keep(task.key, ended, size)
            self._changed.notify_all()

    def _found(self, task: Task) -> tuple[Done, int] | str:
        """The result in the cohort file, or a note on why it could not be looked up."""
        if task.kept_in is None:
            return ""
        try:
            content = KeptWork(task.kept_in, READ_PATIENCE_S).result(task.key)
        except (StoreError, OSError) as error:
            return f"The cohort file could not be asked for a kept result ({error}): this one was computed anew."
        if content is None:
            return ""
        try:
            result = result_codec.decode(content)
        except CodecError as error:
            return f"A result kept in the cohort file could not be used ({error}), and was computed anew."
        if not result_codec.fits(result, task.returns):
            return "A result kept in the cohort file is of another analysis, and was computed anew."
        return Done(result), len(content)

    def _computed(self, work: _Work, note: str) -> tuple[Done | Failed, int]:
        with self._changed:
            work.words = "waiting for another analysis to end"
            self._changed.wait_for(lambda: work.stopped or self._free > 0)
            if work.stopped:  # Given up while it waited: it has no turn to take.
                return _STOPPED
            work.words, work.started = "", time.monotonic()
            self._free -= 1
        try:
            return self._computed_now(work, note)
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _computed_now(self, work: _Work, note: str) -> tuple[Done | Failed, int]:
        task, began = work.task, time.monotonic()
        worker = self._workers.take(task.module)
        try:
            with self._changed:
                if work.stopped:
                    return _STOPPED
                work.worker = worker
            self.warm()

            def told(share: float, words: str) -> None:
                work.share, work.words = share, words

            header, content = worker.run(task.kind, task.encoded(), told)
        except WorkerDiedError as error:
            how = f"The process of this analysis ended before its result was there ({error})."
            return Failed(f"{how} The machine may be short of memory: run it again, or with less.", False), 0
        finally:
            with self._changed:
                work.worker = None
            self._workers.give_back(worker)
        if header["ended"] == "refused":
            return Failed(str(header["why"]), True), 0
        if header["ended"] != "done":
            _log.error("the analysis %s failed in its process:\n%s", task.kind, header.get("traceback", header["why"]))
            why = f"An error of the program ended this analysis ({header['why']})."
            return Failed(f"{why} The log of the server has more.", False), 0
        result = result_codec.decode(content)
        notes = [note, self._save(task, time.monotonic() - began, content)]
        return Done(result, " ".join(one for one in notes if one)), len(content)

    def _save(self, task: Task, seconds: float, content: bytes) -> str:
        """Keep a result in the cohort file; why it could not be, or nothing."""
        if task.kept_in is None:
            return ""
        try:
            KeptWork(task.kept_in, WRITE_PATIENCE_S).save_result(task.key, task.kind, seconds, content)
        except (StoreError, OSError) as error:
            return f"This result could not be kept in the cohort file ({error}): it will be computed again another day."
        return ""


@cache
def registry() -> Registry:
    """The registry of this server."""
    made = Registry(session_is_open=state.session_is_open)
    # A server that is killed cannot call it: its processes see the end of their pipes.
    atexit.register(made.close)
    return made
