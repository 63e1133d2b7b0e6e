"""Messages between two processes over a pipe: a line of JSON, and behind it as many bytes as the line says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

LONGEST_LINE = 1_000_000


class MessageError(ValueError):
    """What came through the pipe is no message."""


def write_message(stream: IO[bytes], header: Mapping[str, Any], body: bytes = b"") -> None:
    """Write a message and flush it.

    Raises:
        OSError: the reader is gone.
    """
    stream.write(json.dumps({**header, "bytes": len(body)}).encode("ascii") + b"\n")
    stream.write(body)
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The next message, or None where the writer has ended, also in the middle of one.

    Raises:
        MessageError: on a line that is no message.
    """
    line = stream.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        if len(line) == LONGEST_LINE:
            raise MessageError("a line without end is no message")
        return None
    try:
        header = json.loads(line)
        length = int(header.pop("bytes"))
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise MessageError(f"this line is no message: {line[:80]!r}") from error
    body = stream.read(length)
    return (header, body) if len(body) == length else None
