"""Numbers for a browser as one block of bytes: a length, a JSON header, then the arrays that it names.

A component takes bytes only as a whole (a dictionary that holds bytes arrives as text), so everything goes into one
block: little-endian uint32 length, the header as UTF-8 JSON, the arrays one after the other.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("uint8", "uint16", "int16")
# The first level of effort: what is saved by more costs longer than it takes to send.
EFFORT = 1


def encoded(header: Mapping[str, Any], arrays: Mapping[str, NDArray | list | dict], deflate: bool = True) -> bytes:
    """The block of a header and its arrays; anything that is no array travels as JSON.

    Raises ValueError on an array of another kind of number than the browser reads.
    """
    parts, blocks, offset = [], [], 0
    for name, values in arrays.items():
        if isinstance(values, np.ndarray):
            kind = str(values.dtype)
            if kind not in DTYPES:
                raise ValueError(f"{name} holds {kind}, which the browser does not read: use one of {DTYPES}")
            raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
        else:
            kind, raw = "json", json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
        block = zlib.compress(raw, EFFORT) if deflate else raw
        parts.append({"name": name, "type": kind, "offset": offset, "length": len(block), "deflated": deflate})
        blocks.append(block)
        offset += len(block)
    head = json.dumps({**header, "arrays": parts}, separators=(",", ":"), ensure_ascii=False).encode()
    return b"".join([struct.pack("<I", len(head)), head, *blocks])


def decoded(block: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the arrays of a block, as the browser reads them."""
    (length,) = struct.unpack_from("<I", block)
    header = json.loads(block[4 : 4 + length])
    arrays: dict[str, Any] = {}
    for part in header.pop("arrays"):
        start = 4 + length + part["offset"]
        raw = block[start : start + part["length"]]
        raw = zlib.decompress(raw) if part["deflated"] else raw
        arrays[part["name"]] = json.loads(raw) if part["type"] == "json" else np.frombuffer(raw, part["type"])
    return header, arrays
