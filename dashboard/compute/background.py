"""Analyses, reports and look-ups beside the pages: one registry per server, whose sessions share their computing.

A result is looked up in memory, then in the cohort file, and otherwise computed in a process of its own.
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

from dashboard.compute.task import Answer, Cancelled, Done, Failed, Running, Task
from dashboard.compute.workers import Worker, WorkerDiedError, Workers
from dashboard.session import state
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import StoreError
from embeddings.worker import result_codec
from embeddings.worker.messages import Fault, Progress, Refusal
from embeddings.worker.result_codec import CodecError

# A browser may allow a background tab to send something only once a minute.
ABANDONED_AFTER_S = 75.0
MOST_BYTES = 256_000_000
READ_PATIENCE_S, WRITE_PATIENCE_S = 1.0, 2.0
_log = logging.getLogger(__name__)

Place = tuple[str, str]
"""A session and the slot on its pages that a result is for."""


@dataclass
class _Request:
    """What a place needs, and when its page last looked."""

    key: str
    looked: float = field(default_factory=time.monotonic)
    cancelled: bool = False


@dataclass
class _Run:
    task: Task
    started: float = field(default_factory=time.monotonic)
    progress: Progress = field(default_factory=lambda: Progress(0.0, ""))
    worker: Worker | None = None
    stopped: bool = False


class Registry:
    """What is being computed and what was. Methods may be called from any thread.

    Args:
        session_is_open: whether a session still has its tab.
        abandoned_after_s: seconds after which a request of a closed session is given up if no page has looked.
        at_once: how many processes compute at the same time; further runs wait for one of them to end.
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
        self._requests: dict[Place, _Request] = {}
        self._running: dict[str, _Run] = {}
        self._ended: OrderedDict[str, Done | Failed] = OrderedDict()
        self._private: set[str] = set()
        self._workers = Workers()
        self._closed = False
        self._threads: set[threading.Thread] = set()
        self._start(self._give_up_abandoned)

    def warm(self) -> None:
        """Start a process for the next analysis where none is idle."""
        try:
            self._workers.warm()
        except OSError as error:
            # Nothing is lost yet: an analysis that cannot get a process says so on its page.
            _log.warning("no process can be kept ready for analyses: %s", error)

    def ask(self, task: Task, session: str, slot: str) -> Answer:
        """The result, or how far it is; starts the computation unless it runs or has ended.

        An older request of the same session and slot is given up, and its process ended unless another place needs it.
        """
        with self._changed:
            request = self._requests.get((session, slot))
            if request is None or request.key != task.key:
                request = self._requests[session, slot] = _Request(task.key)
                self._drop_unneeded()
            if task.private:
                self._private.add(task.key)
            if not request.cancelled and task.key not in self._running and task.key not in self._ended:
                self._running[task.key] = run = _Run(task)
                self._start(self._run, run)
            self._changed.notify_all()
            return self._answer(task.key, (session, slot))

    def look(self, key: str, session: str, slot: str) -> Answer:
        """The state of a result that was asked for; `Cancelled` where nobody computes it any more."""
        with self._changed:
            return self._answer(key, (session, slot))

    def wait(self, key: str, session: str, slot: str, seconds: float) -> None:
        """Return when the computation has ended, or so many seconds after its start; it is not given up meanwhile."""
        with self._changed:
            run, request = self._running.get(key), self._requests.get((session, slot))
            if run is not None:
                until = run.started + seconds
                if request is not None:
                    request.looked = max(request.looked, until)
                self._changed.wait_for(lambda: self._running.get(key) is not run, max(0.0, until - time.monotonic()))

    def cancel(self, session: str, slot: str) -> None:
        """Cancel what this place waits for; its process ends unless another place needs it."""
        with self._changed:
            request = self._requests.get((session, slot))
            if request is not None and request.key in self._running:
                request.cancelled = True
                self._drop_unneeded()

    def run_again(self, key: str, session: str, slot: str) -> None:
        """Forget that a result was cancelled or failed: the next `ask` computes it."""
        with self._changed:
            request = self._requests.get((session, slot))
            if request is not None and request.key == key:
                request.cancelled = False
            if isinstance(self._ended.get(key), Failed):
                del self._ended[key]

    def release(self, session: str, slot: str) -> None:
        """This place needs its result no longer; a private one is forgotten."""
        with self._changed:
            self._requests.pop((session, slot), None)
            self._drop_unneeded()

    def processes(self) -> dict[str, int]:
        """Number of the process that computes each key."""
        with self._changed:
            return {key: run.worker.pid for key, run in self._running.items() if run.worker is not None}

    def idle(self) -> list[int]:
        """Numbers of the processes that wait for an analysis."""
        return self._workers.idle()

    def close(self) -> None:
        """End every process."""
        with self._changed:
            self._closed = True
            self._requests.clear()
            self._drop_unneeded()
            threads = self._threads
            self._changed.notify_all()
        for thread in threads:
            thread.join()
        self._workers.close()

    # Under the lock

    def _answer(self, key: str, place: Place) -> Answer:
        request = self._requests.get(place)
        if request is not None and request.key != key:
            request = None
        if request is not None:
            request.looked = time.monotonic()
        if key in self._ended:
            self._ended.move_to_end(key)
            return self._ended[key]
        run = self._running.get(key)
        if run is None or request is None or request.cancelled:
            return Cancelled()
        return Running(run.progress.share, run.progress.words or run.task.words, time.monotonic() - run.started)

    def _drop_unneeded(self) -> None:
        """Stop the runs, and forget the private results, that no place needs."""
        needed = {request.key for request in self._requests.values() if not request.cancelled}
        for key in self._running.keys() - needed:
            run = self._running.pop(key)
            run.stopped = True
            if run.worker is not None:
                run.worker.kill()
        for key in self._private - needed:
            self._ended.pop(key, None)
        self._private &= needed
        self._changed.notify_all()

    def _start(self, what: Callable[..., None], *arguments: object) -> None:
        self._threads = {one for one in self._threads if one.is_alive()}
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        thread.start()
        self._threads.add(thread)

    # In threads of their own

    def _give_up_abandoned(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait(self._abandoned_after_s / 4 if self._requests else None)
                oldest = time.monotonic() - self._abandoned_after_s
                for place, request in list(self._requests.items()):
                    if request.looked < oldest and not self._session_is_open(place[0]):
                        del self._requests[place]
                        self._drop_unneeded()

    def _run(self, run: _Run) -> None:
        task = run.task
        try:
            saved, note = self._saved(task)
            ended = saved or self._computed_in_turn(run, note)
        except Exception as error:
            _log.exception("%s could not be run", task.kind)
            ended = Failed(f"This could not be run ({type(error).__name__}: {error}).")
        with self._changed:
            if not run.stopped:
                del self._running[task.key]
                self._ended[task.key] = ended
                while len(self._ended) > 1 and sum(one.size for one in self._ended.values()) > MOST_BYTES:
                    self._ended.popitem(last=False)
            self._changed.notify_all()

    def _saved(self, task: Task) -> tuple[Done | None, str]:
        """The result in the cohort file, and a note on why one that may be there cannot be used."""
        if task.saved_in is None:
            return None, ""
        try:
            content = KeptWork(task.saved_in, READ_PATIENCE_S).result(task.key)
            if content is None:
                return None, ""
            return Done(result_codec.decode(content, task.returns), len(content)), ""
        except (StoreError, OSError) as error:
            return None, f"The cohort file could not be searched for a saved result ({error}): this one was recomputed."
        except CodecError as error:
            return None, f"A result saved in the cohort file could not be used ({error}): this one was recomputed."

    def _computed_in_turn(self, run: _Run, note: str) -> Done | Failed:
        with self._changed:
            run.progress = Progress(0.0, "waiting for another analysis to end")
            self._changed.wait_for(lambda: run.stopped or self._free > 0)
            if run.stopped:  # it takes no turn
                return _STOPPED
            run.progress, run.started = Progress(0.0, ""), time.monotonic()
            self._free -= 1
        try:
            return self._computed(run, note)
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def _computed(self, run: _Run, note: str) -> Done | Failed:
        task = run.task
        worker = self._workers.take(task.module)
        try:
            with self._changed:
                if run.stopped:
                    return _STOPPED
                run.worker = worker
            self.warm()

            def report(progress: Progress) -> None:
                run.progress = progress

            answer = worker.run(task.request(), report)
        except WorkerDiedError as error:
            return Failed(
                f"The process ended before its result was there ({error}). The machine may be short of memory: run it "
                "again, or with less data."
            )
        finally:
            with self._changed:
                run.worker = None
            self._workers.give_back(worker)
        if isinstance(answer, Refusal):
            return Failed(answer.reason, refused=True)
        if isinstance(answer, Fault):
            _log.error("%s failed in its process:\n%s", task.kind, answer.traceback)
            return Failed(f"An error of the program stopped this ({answer.reason}). See the log of the server.")
        result = result_codec.decode(answer.content, task.returns)
        notes = [note, self._save(task, time.monotonic() - run.started, answer.content)]
        return Done(result, len(answer.content), " ".join(one for one in notes if one))

    def _save(self, task: Task, seconds: float, content: bytes) -> str:
        """Save a result in the cohort file; why that failed, or nothing."""
        if task.saved_in is None:
            return ""
        try:
            KeptWork(task.saved_in, WRITE_PATIENCE_S).save_result(task.key, task.kind, seconds, content)
        except (StoreError, OSError) as error:
            return f"This result could not be saved in the cohort file ({error}): it will be recomputed next time."
        return ""


# Of a run that nobody needs any more; shown nowhere.
_STOPPED = Failed("")


@cache
def registry() -> Registry:
    """The registry of this server."""
    made = Registry(session_is_open=state.session_is_open)
    # Not called in a server that is killed: its processes end with their pipes.
    atexit.register(made.close)
    return made
