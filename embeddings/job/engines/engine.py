"""What an engine is: whatever turns tasks into encoded items, on this machine or on many."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from embeddings.job.messages import Message
from embeddings.job.planning.plan import Task


@dataclass(frozen=True)
class Pace:
    """How busy the two sides of a run were, in seconds summed over the workers of each.

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
        """Part of the run that a reader was at work, 0 to 1."""
        return self.reading_s / (self.seconds * self.n_readers) if self.seconds > 0 else 0.0

    @property
    def encoder_share(self) -> float:
        """Part of the run that an encoder was at work, 0 to 1; the rest it waited."""
        return self.encoding_s / (self.seconds * self.n_encoders) if self.seconds > 0 else 0.0

    @property
    def limit(self) -> str:
        """The side that sets the pace: `reading` or `encoding`."""
        return "reading" if self.reader_share > self.encoder_share else "encoding"

    def sentence(self) -> str:
        """The pace in plain words."""
        return (
            f"Readers busy {self.reader_share:.0%} of the time, encoders {self.encoder_share:.0%}: "
            f"{self.limit} set the pace"
        )


class Engine(Protocol):
    """Works through tasks; the collector takes what it yields."""

    def messages(self, tasks: Sequence[Task], stop: threading.Event) -> Generator[Message | None, None, None]:
        """Every item and every end of all tasks in any order, repeats allowed; None after a wait for nothing.

        Setting `stop`, or closing the generator, ends the work after the batches at hand.
        """

    @property
    def pace(self) -> Pace | None:
        """How busy the sides were, once `messages` has ended; None where the engine cannot tell."""
