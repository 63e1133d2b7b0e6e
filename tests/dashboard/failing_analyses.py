"""Analyses that fail or never end, in a process like those of the program."""

from __future__ import annotations

import threading

from embeddings.analysis import progress
from embeddings.worker.process import serve
from flexict.errors import FlexiCTError

MODULE = "tests.dashboard.failing_analyses"


def refuse() -> None:
    """Says of the data what people can mend."""
    raise FlexiCTError("there are 3 cases, and 5 are needed")


def break_down() -> None:
    """A fault of the program, of the class that a refusal has too."""
    raise ValueError("zip() argument 2 is shorter than argument 1")


def never_end() -> None:
    """Reports progress, and then takes no processor's time."""
    progress.report(1, 2)
    threading.Event().wait()


if __name__ == "__main__":
    serve([refuse, break_down, never_end])
