"""The engine of one machine: threads read ahead, threads encode on every device, bounded queues between them."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import torch

from embeddings.job.engines.encoding import encode
from embeddings.job.engines.engine import Pace
from embeddings.job.engines.one_thread import one_thread
from embeddings.job.engines.results import TICK_S, Results
from embeddings.job.messages import Message, Prepared
from embeddings.job.planning.plan import Task
from embeddings.job.planning.views import Encoder
from embeddings.job.preparation.prepare import Preparation, prepare_case


@dataclass
class LocalEngine:
    """Reads with `readers` threads and encodes with one thread for each of `encoders`.

    Threads suffice: reading, resampling and the network run in libraries that release the interpreter's lock. Each
    thread uses one core, so that results do not depend on the number of cores. On a CPU `encoders` may contain the same
    encoder several times.

    Args:
        batch_size: items of one set through an encoder at once; fewer where nothing more is ready.
    """

    encoders: Sequence[Encoder]
    preparation: Preparation
    batch_size: int
    readers: int
    _pace: Pace | None = field(default=None, init=False)

    @property
    def pace(self) -> Pace | None:
        """How busy readers and encoders were in the last run."""
        return self._pace

    def messages(self, tasks: Sequence[Task], stop: threading.Event) -> Generator[Message | None, None, None]:
        """See `embeddings.job.engines.engine.Engine`."""
        with one_thread():
            began = time.monotonic()
            work = _Work(self, tasks, stop)
            try:
                yield from work.messages()
            finally:
                work.close()
                self._pace = Pace(
                    seconds=time.monotonic() - began,
                    n_readers=self.readers,
                    n_encoders=len(self.encoders),
                    reading_s=sum(work.reading_s),
                    encoding_s=sum(work.encoding_s),
                )


class _Work:
    """The threads of one call and what they share."""

    def __init__(self, engine: LocalEngine, tasks: Sequence[Task], stop: threading.Event) -> None:
        self._engine, self._results = engine, Results(stop)
        self._waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        for task in tasks:
            self._waiting.put(task)
        # Enough for a next batch for every encoder; inputs of 16 MB add up.
        depth = max(2, 2 * engine.batch_size) * len(engine.encoders)
        self._ready: queue.Queue[Prepared] = queue.Queue(maxsize=depth)
        self.reading_s = [0.0] * engine.readers
        self.encoding_s = [0.0] * len(engine.encoders)
        self._readers = self._threads("reader", engine.readers, self._read)
        self._encoders = self._threads("encoder", len(engine.encoders), self._encode)
        for thread in (*self._readers, *self._encoders):
            thread.start()

    def messages(self) -> Iterator[Message | None]:
        # When the job is stopped, the threads end after the current batch, which is still handed over.
        return self._results.messages()

    def close(self) -> None:
        self._results.close()
        for thread in (*self._readers, *self._encoders):
            thread.join()

    def _threads(self, name: str, count: int, work: Callable[[int], None]) -> list[threading.Thread]:
        def on_one_core(number: int) -> None:
            torch.set_num_threads(1)  # OpenMP keeps this number by thread
            work(number)

        return [self._results.producer(f"{name}-{number}", partial(on_one_core, number)) for number in range(count)]

    def _make_ready(self, item: Prepared) -> None:
        while not self._results.over:
            with suppress(queue.Full):
                self._ready.put(item, timeout=TICK_S)
                return

    def _read(self, number: int) -> None:
        while not self._results.over:
            try:
                task = self._waiting.get_nowait()
            except queue.Empty:
                return
            began = time.monotonic()
            for message in prepare_case(task, self._engine.preparation):
                self.reading_s[number] += time.monotonic() - began
                if isinstance(message, Prepared):
                    self._make_ready(message)
                else:
                    self._results.put(message)
                if self._results.over:
                    return
                began = time.monotonic()
            self.reading_s[number] += time.monotonic() - began

    def _encode(self, number: int) -> None:
        encoder = self._engine.encoders[number]
        batches: defaultdict[str, list[Prepared]] = defaultdict(list)
        while not self._results.over:
            fullest = max(batches.values(), key=len, default=[])
            if len(fullest) < self._engine.batch_size:
                item = self._next(wait=not fullest)
                if item is not None:
                    batches[item.set_id].append(item)
                    continue
            if not fullest:
                if not any(thread.is_alive() for thread in self._readers) and self._ready.empty():
                    return
                continue
            # Nothing more is ready: waiting for a full batch would waste time.
            batch = batches.pop(fullest[0].set_id)
            began = time.monotonic()
            encoded = encode(encoder, batch)
            self.encoding_s[number] += time.monotonic() - began
            for message in encoded:
                self._results.put(message)

    def _next(self, wait: bool) -> Prepared | None:
        with suppress(queue.Empty):
            return self._ready.get(timeout=0.05) if wait else self._ready.get_nowait()
        return None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
