"""A file lock that gives a waiting writer its turn between readers.

DuckDB lets several processes read a file at once, but a writer only while nobody reads: with a few dashboards open, a
writer could wait for ever. So every process takes this lock before it opens the file. Readers share it; a waiting
writer blocks new readers until it is done. The lock is one of the operating system, on a file in the temporary
folder: it works between the processes of one user on one machine, and ends with the process that holds it.
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
except ImportError:  # Windows has no such lock; every process just tries
    fcntl = None  # type: ignore[assignment]

_PAUSE_S = 0.005


@contextmanager
def file_lock(path: Path, writing: bool, deadline: float) -> Iterator[None]:
    """Hold the lock of `path` until the end of the block: shared for readers, exclusive for a writer.

    After `deadline` (of `time.monotonic`) the block runs without it: DuckDB itself keeps the file safe.
    """
    if fcntl is None:
        yield
        return
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:24]
    lock = Path(tempfile.gettempdir()) / f"flexict-lock-{os.getuid()}-{name}"
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        # No temporary folder to write to: go on without the lock.
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
