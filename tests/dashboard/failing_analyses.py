"""Analyses that fail, in a process as those of the program run in: `python -m tests.dashboard.failing_analyses`."""

from __future__ import annotations

from embeddings.worker.process import serve
from flexict.errors import FlexiCTError

MODULE = "tests.dashboard.failing_analyses"


def refuse() -> None:
    """Says of the data what people can mend."""
    raise FlexiCTError("there are 3 cases, and 5 are needed")


def break_down() -> None:
    """A fault of the program, of the class that a refusal has too."""
    raise ValueError("zip() argument 2 is shorter than argument 1")


if __name__ == "__main__":
    serve([refuse, break_down])
