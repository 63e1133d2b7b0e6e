"""Messages between an app and its worker processes over a pipe: eight bytes of length, then MessagePack."""

from __future__ import annotations

from typing import IO, Any

import msgspec


class Request(msgspec.Struct, tag=True):
    """Run the function of this name; `arguments` is what `result_codec.encode` made of them."""

    function: str
    arguments: bytes


class Progress(msgspec.Struct, tag=True):
    """The share that is done, from 0 to 1, and what is being done."""

    share: float
    words: str


class Result(msgspec.Struct, tag=True):
    """The encoded result."""

    content: bytes


class Refusal(msgspec.Struct, tag=True):
    """Why the function cannot do it, as a sentence for people."""

    reason: str


class Fault(msgspec.Struct, tag=True):
    """An error of the program, in short and as a traceback for the log."""

    reason: str
    traceback: str


Message = Request | Progress | Result | Refusal | Fault


class MessageError(ValueError):
    """What came through the pipe is not a message."""


def write_message(stream: IO[bytes], message: Message) -> None:
    """Write a message and flush it.

    Raises:
        OSError: the reader is gone.
    """
    content = msgspec.msgpack.encode(message)
    stream.write(len(content).to_bytes(8, "big"))
    stream.write(content)
    stream.flush()


def read_message(stream: IO[bytes]) -> Any:
    """The next `Message`, or None where the writer has ended, also in the middle of one.

    Raises:
        MessageError: on bytes that are not a message.
    """
    length = stream.read(8)
    content = stream.read(int.from_bytes(length, "big")) if len(length) == 8 else b""
    if not content or len(content) < int.from_bytes(length, "big"):
        return None
    try:
        return msgspec.msgpack.decode(content, type=Message)
    except msgspec.DecodeError as error:
        raise MessageError(f"these bytes are not a message: {content[:80]!r}") from error
