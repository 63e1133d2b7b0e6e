"""Processes that start with the program imported: a server imports it once in a test session and is forked."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

# Imported for the processes.
import embeddings.__main__  # noqa: F401
import embeddings.job.embed  # noqa: F401

if importlib.util.find_spec("openvino"):
    import flexict.model.openvino_backend  # noqa: F401

STDERR = 2
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([__name__])


def start(function: Callable[..., object], *arguments: object, stderr: Path | None = None) -> ForkServerProcess:
    """A process that calls a function of a module. It exits with 0, with 1 after an exception, or as `sys.exit` says.

    stderr: the file that takes what the process writes to standard error.
    """
    process = _SERVER.Process(target=_call, args=(function, arguments, stderr), daemon=True)
    process.start()
    return process


def _call(function: Callable[..., object], arguments: tuple[object, ...], stderr: Path | None) -> None:
    if stderr is not None:
        os.dup2(os.open(stderr, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), STDERR)
    function(*arguments)
