"""Writes files that are whole whenever they are there: beside their place first, then under their name in one move."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def partial_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A path beside `path` to write to; at the end of the block that file replaces `path`.

    If the block raises, the partial file is removed and `path` stays as it was.

    Args:
        durable: wait until the content is on the disk, so that a power failure leaves the old file or the new one.

    Raises:
        OSError: the file cannot be written or moved.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        if durable:
            with partial.open("r+b") as file:  # Windows refuses it for a file opened to read
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file as a whole, or leave the old one; raises OSError."""
    with partial_file(path) as partial:
        partial.write_bytes(content)
