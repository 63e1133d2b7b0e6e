"""Numbers for a browser as one block of bytes: a length, a JSON header, then the arrays that it names.

A component takes bytes only as a whole (a dictionary that holds bytes arrives as text), so everything goes into one
block: little-endian uint32 length, the header as UTF-8 JSON, the arrays one after the other.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("uint8", "uint16", "int16")
# The first level of effort: what is saved by more costs longer than it takes to send.
EFFORT = 1


@dataclass(frozen=True)
class Part:
    """One array as it travels: made once where it is sent often."""

    kind: str
    content: bytes
    deflated: bool


def part(values: NDArray | list | dict, deflate: bool = True) -> Part:
    """An array, or anything else as JSON, ready to travel.

    Raises ValueError on an array of another kind of number than the browser reads.
    """
    if isinstance(values, np.ndarray):
        kind = str(values.dtype)
        if kind not in DTYPES:
            raise ValueError(f"the browser does not read {kind}: use one of {DTYPES}")
        raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
    else:
        kind, raw = "json", json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
    return Part(kind, zlib.compress(raw, EFFORT) if deflate else raw, deflate)


def encoded(
    header: Mapping[str, Any], arrays: Mapping[str, NDArray | list | dict | Part], deflate: bool = True
) -> bytes:
    """The block of a header and its arrays. Raises ValueError as `part` does."""
    parts, blocks, offset = [], [], 0
    for name, values in arrays.items():
        one = values if isinstance(values, Part) else part(values, deflate)
        place = {"offset": offset, "length": len(one.content), "deflated": one.deflated}
        parts.append({"name": name, "type": one.kind, **place})
        blocks.append(one.content)
        offset += len(one.content)
    return framed({**header, "arrays": parts}, blocks)


def framed(header: Mapping[str, Any], blocks: Sequence[bytes]) -> bytes:
    """One block of bytes for a component: the length of the header, the header as JSON, and what it speaks of."""
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    return b"".join([struct.pack("<I", len(head)), head, *blocks])
