"""Hands the messages of an engine's threads to the thread that asked for them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from embeddings.job.messages import Message

TICK_S = 0.5
MOST_RESULTS = 4096


class Results:
    """A bounded queue of messages; its producers end when it is closed or `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop, self._closed = stop, threading.Event()
        self._queue: queue.Queue[Message | BaseException | None] = queue.Queue(maxsize=MOST_RESULTS)
        self._n_producers = 0

    @property
    def over(self) -> bool:
        """Whether producers have to end."""
        return self._closed.is_set() or self._stop.is_set()

    def producer(self, name: str, produce: Callable[[], None]) -> threading.Thread:
        """A thread, not started yet, that calls `produce`; what that raises is raised again by `messages`."""

        def run() -> None:
            try:
                produce()
                self.put(None)
            except BaseException as error:
                self.put(error)

        self._n_producers += 1
        return threading.Thread(target=run, name=name, daemon=True)

    def put(self, result: Message | BaseException | None) -> None:
        """Hand over a message, an error, or None from a producer that has ended; dropped once the queue is closed."""
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._queue.put(result, timeout=TICK_S)
                return

    def messages(self) -> Iterator[Message | None]:
        """The messages until every producer has ended; None after a wait without a result."""
        n_ended = 0
        while n_ended < self._n_producers:
            try:
                result = self._queue.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            if isinstance(result, BaseException):
                raise result
            if result is None:
                n_ended += 1
            else:
                yield result

    def close(self) -> None:
        """End the producers and drop what they still hand over."""
        self._closed.set()
