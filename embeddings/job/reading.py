"""Cases read and prepared in threads, ahead of the encoder and no further than a bounded queue allows."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress

from embeddings.job.plan import Task
from embeddings.job.prepare import CaseEnd, Prepared, prepare_case
from embeddings.job.views import Recipe
from embeddings.records import Source

TICK_S = 0.5
Message = Source | Prepared | CaseEnd


def read_ahead(
    tasks: Sequence[Task], recipe: Recipe, *, workers: int, depth: int, thumbnails: bool
) -> Generator[Message | None, None, None]:
    """Items and ends of all cases, each case's own in order, cases interleaved; None after a wait for nothing.

    Threads suffice: reading and resampling happen in libraries that release the interpreter's lock. Closing
    the iterator stops the threads after the item they are at.
    """
    waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
    for task in tasks:
        waiting.put(task)
    ready: queue.Queue[Message] = queue.Queue(maxsize=max(1, depth))
    closed = threading.Event()

    def hand_over(message: Message) -> None:
        while not closed.is_set():
            with suppress(queue.Full):
                ready.put(message, timeout=TICK_S)
                return

    def work() -> None:
        while not closed.is_set():
            try:
                task = waiting.get_nowait()
            except queue.Empty:
                return
            for message in prepare_case(task, recipe, thumbnails):
                hand_over(message)
                if closed.is_set():
                    return

    threads = [threading.Thread(target=work, name=f"reader-{n}", daemon=True) for n in range(max(1, workers))]
    for thread in threads:
        thread.start()
    n_ended = 0
    try:
        while n_ended < len(tasks):
            try:
                message = ready.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            n_ended += isinstance(message, CaseEnd)
            yield message
    finally:
        closed.set()
        for thread in threads:
            thread.join()
