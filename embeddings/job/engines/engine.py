"""The interface of an engine, which turns tasks into encoded items on one machine or on many."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from embeddings.job.messages import Message
from embeddings.job.planning.plan import Task


@dataclass(frozen=True)
class Pace:
    """How busy readers and encoders were in a run, in seconds summed over the workers of each.

    Attributes:
        seconds: from the first task to the last message.
        reading_s: reading and preprocessing, without waiting for room in the queue.
        encoding_s: in the encoder, without waiting for items.
    """

    seconds: float
    n_readers: int
    n_encoders: int
    reading_s: float
    encoding_s: float

    @property
    def reader_share(self) -> float:
        """Share of the run in which a reader was busy, 0 to 1."""
        return self.reading_s / (self.seconds * self.n_readers) if self.seconds > 0 else 0.0

    @property
    def encoder_share(self) -> float:
        """Share of the run in which an encoder was busy, 0 to 1; otherwise it waited."""
        return self.encoding_s / (self.seconds * self.n_encoders) if self.seconds > 0 else 0.0

    @property
    def limit(self) -> str:
        """What limits the speed: `reading` or `encoding`."""
        return "reading" if self.reader_share > self.encoder_share else "encoding"

    def sentence(self) -> str:
        """The pace as a sentence."""
        return (
            f"Readers busy {self.reader_share:.0%} of the time, encoders {self.encoder_share:.0%}: "
            f"{self.limit} limited the speed"
        )


class Engine(Protocol):
    """Works on tasks; the collector takes what it yields."""

    def messages(self, tasks: Sequence[Task], stop: threading.Event) -> Generator[Message | None, None, None]:
        """All items and ends of all tasks in any order, perhaps repeated; None after a wait without a result.

        Setting `stop`, or closing the generator, ends the work after the current batches.
        """

    @property
    def pace(self) -> Pace | None:
        """How busy readers and encoders were, once `messages` has ended; None if the engine does not know."""
