"""The progress of a long analysis, reported to a listener; without one it costs almost nothing.

The loops of the analyses call `report`; a part of an analysis that has loops of its own is a `part`. A listener may
raise to end the analysis: anything but a ValueError, which analyses take for a sentence about their input.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

Item = TypeVar("Item")
Callback = Callable[[float, str], None]
# Nobody reads faster, and a loop may turn thousands of times in this time.
EVERY_S = 0.1


@dataclass
class _Listener:
    callback: Callback
    share: float = 0.0
    words: str = ""
    told_at: float = field(default=float("-inf"))

    def tell(self, share: float, words: str) -> None:
        # A function that is called twice reports from its start twice; the share never falls.
        self.share = max(self.share, share)
        words = words or self.words
        now = time.monotonic()
        if words == self.words and now - self.told_at < EVERY_S:
            return
        self.words, self.told_at = words, now
        self.callback(self.share, words)


@dataclass(frozen=True)
class _Part:
    """From where to where the running part goes, as shares of the whole, and what it is called."""

    listener: _Listener
    begin: float = 0.0
    end: float = 1.0
    words: str = ""


_RUNNING: ContextVar[_Part | None] = ContextVar("running part of an analysis", default=None)


@contextmanager
def listening(callback: Callback) -> Iterator[None]:
    """Within the block `callback(share, words)` hears of the progress: a share from 0 to 1, and what is being done.

    It hears at once of new words, else at most ten times a second; the share never falls. What it raises ends the
    analysis.
    """
    before = _RUNNING.set(_Part(_Listener(callback)))
    try:
        yield
    finally:
        _RUNNING.reset(before)


@contextmanager
def part(begin: float, end: float, words: str = "") -> Iterator[None]:
    """Within the block a share reported goes from `begin` to `end` of the part around it, under these words.

    A part within a part that has words keeps those: who listens is told of the larger thing.
    """
    around = _RUNNING.get()
    if around is None:
        yield
        return
    width = around.end - around.begin
    inner = _Part(around.listener, around.begin + begin * width, around.begin + end * width, around.words or words)
    before = _RUNNING.set(inner)
    try:
        inner.listener.tell(inner.begin, inner.words)
        yield
    finally:
        _RUNNING.reset(before)


def report(done: float, total: float, words: str = "") -> None:
    """`done` of `total` of the running part are finished; `words` count where no part around has any."""
    running = _RUNNING.get()
    if running is not None:
        share = min(1.0, max(0.0, done / total)) if total > 0 else 1.0
        running.listener.tell(running.begin + share * (running.end - running.begin), running.words or words)


def counted(items: Iterable[Item], total: int, words: str = "") -> Iterator[Item]:
    """The items, each reported before it is worked on."""
    for done, item in enumerate(items):
        report(done, total, words)
        yield item


def shares(work: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """From where to where each piece of work goes when they follow each other: `{name: (begin, end)}` of 0..1."""
    total = sum(work.values()) or 1.0
    ends = list(accumulate(amount / total for amount in work.values()))
    return {name: (begin, end) for name, begin, end in zip(work, [0.0, *ends], ends, strict=False)}
