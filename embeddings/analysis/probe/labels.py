"""A class that knows its place in an order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class StageLabel:
    """A stage as a class of the probe: sorted by its code, called by its name."""

    code: int
    name: str

    def __str__(self) -> str:
        return self.name
