"""A function to run in a process of its own, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

from dashboard.compute.workers import ANALYSES
from embeddings.worker import result_codec
from embeddings.worker.analyses import code_version
from embeddings.worker.messages import Request


@dataclass(frozen=True)
class Task:
    """A function of a worker process, its arguments, and all else that decides its result.

    Attributes:
        function: one that the process of `module` serves.
        arguments: by name: arrays, columns of tables, plain values, and lists and dicts of these.
        words: what is being done, until the function says so itself.
        data: what else the result depends on, such as the embedding set.
        module: what `python -m` runs.
        saved_in: cohort file in which the result is looked up and saved, or None.
        private: the result is forgotten as soon as no session needs it.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, object]
    words: str
    data: str = ""
    module: str = ANALYSES
    saved_in: Path | None = None
    private: bool = False

    @property
    def kind(self) -> str:
        """Name of the function."""
        return self.function.__name__

    @property
    def returns(self) -> Any:
        """Declared type of the result."""
        return get_type_hints(self.function)["return"]

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that decides the result, so that results of other data or code are never mixed up."""
        return result_codec.digest([self.kind, self.data, code_version(), dict(self.arguments)])

    def request(self) -> Request:
        """The message that asks a process for the result."""
        return Request(self.kind, result_codec.encode(dict(self.arguments)))


@dataclass(frozen=True)
class Done:
    """The result, its size in bytes, and a note where the cohort file could not be read or written."""

    result: Any
    size: int = 0
    note: str = ""


@dataclass(frozen=True)
class Running:
    """The share that is done, from 0 to 1, what is being done, and the seconds since the start."""

    share: float
    words: str
    elapsed_s: float


@dataclass(frozen=True)
class Failed:
    """Why there is no result; `refused` where the function itself says so of its data."""

    size: ClassVar[int] = 0

    sentence: str
    refused: bool = False


@dataclass(frozen=True)
class Cancelled:
    """This session cancelled it, or nobody computes it any more."""


Answer = Done | Running | Failed | Cancelled
