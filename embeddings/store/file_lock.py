"""Lets a writer in between readers that come one after the other.

DuckDB lets several processes read a file at once, and a writer only when nobody does: with a few dashboards open it
would wait for ever. So whoever opens a file passes a turnstile first, which a waiting writer keeps shut; readers that
are in finish, new ones wait behind it. It is a lock of the operating system on a file in the temporary folder, so it
holds between processes of one user on one machine, and ends with the process that has it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: every process tries its luck, as before
    fcntl = None  # type: ignore[assignment]

_PAUSE_S = 0.005


@contextmanager
def turnstile(path: Path, writing: bool, deadline: float) -> Iterator[None]:
    """Pass to open `path`; a writer holds the way for itself until the end of the block.

    After `deadline` (of `time.monotonic`) everyone passes: it is DuckDB that keeps the file safe.
    """
    if fcntl is None:
        yield
        return
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:24]
    lock = Path(tempfile.gettempdir()) / f"flexict-turnstile-{os.getuid()}-{name}"
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        # No temporary folder to write to: then without turns.
        yield
        return
    try:
        while True:
            try:
                fcntl.flock(handle, (fcntl.LOCK_EX if writing else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    break
                time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(handle)
