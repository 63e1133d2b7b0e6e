"""The analyses that run in a process beside the app: `python -m embeddings.worker.analyses`."""

from __future__ import annotations

import hashlib
import importlib
from functools import cache
from pathlib import Path
from typing import Any

import embeddings.analysis
from embeddings import missing_values
from embeddings.analysis import (
    LearningPoint,
    along_each,
    by_score,
    compare_sets,
    evaluate,
    linear_probe,
    project,
    pseudotime,
    shortcuts,
    stage_gradient,
)
from embeddings.worker import result_codec
from embeddings.worker.process import Function, serve


def probe_chance(**given: Any) -> float:
    """p of the linear probe against chance (NaN without permutations), and nothing else of it."""
    return linear_probe(**given, n_repeats=1, n_bootstrap=1).p_chance


def learning_curve(**given: Any) -> tuple[LearningPoint, ...]:
    """The learning curve of the linear probe, and nothing else of it."""
    return linear_probe(**given).learning_curve


# The two slow parts of the probe are separate, so that each is saved when the repeats or the other part change.
ANALYSES: tuple[Function, ...] = (
    *(project, stage_gradient, pseudotime, along_each, evaluate, linear_probe, probe_chance, learning_curve),
    *(shortcuts, by_score, compare_sets),
)


@cache
def code_version() -> str:
    """SHA-256 of the source of the analyses and of the form of their results."""
    folder = Path(embeddings.analysis.__file__).parent
    found = hashlib.sha256(f"result {result_codec.VERSION}".encode())
    for path in sorted(folder.rglob("*.py"), key=lambda one: one.relative_to(folder).as_posix()):
        found.update(f"\n{path.relative_to(folder).as_posix()}\n".encode())
        found.update(path.read_bytes())
    found.update(Path(missing_values.__file__).read_bytes())  # decides which outcomes are missing
    return found.hexdigest()


if __name__ == "__main__":
    # UMAP takes seconds to import, and no other analysis should wait for that.
    serve(ANALYSES, when_idle=lambda: importlib.import_module("umap"))
