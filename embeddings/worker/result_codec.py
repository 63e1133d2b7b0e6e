"""Arguments and results of analyses as bytes and back, without pickle: MessagePack, with the memory of the arrays.

A content is the mark `FXRESULT`, a version, the SHA-256 of the rest, the length of the MessagePack, the MessagePack and
the arrays. Whoever decodes declares the type of the value. A cohort file may come from anywhere, so a content is
refused unless it is, byte for byte, what `encode` writes for a value of that type.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import numpy as np
import pandas as pd

from embeddings.analysis import StageLabel

VERSION = 2
_MARK = b"FXRESULT" + VERSION.to_bytes(2, "big")
_DIGEST_AT = len(_MARK)
_LENGTH_AT = _DIGEST_AT + 32
_PACKED_AT = _LENGTH_AT + 8
_ARRAY, _CELLS = 1, 2
# Kinds of numpy arrays written as raw memory: flags, integers, floating point, text.
_RAW_KINDS = "biufU"
_Shape = tuple[int, ...]
# msgspec looks at a dataclass when it first meets it, and crashes where two threads do so at the same time (0.22).
_MSGSPEC = threading.RLock()
# A StageLabel is the only object that a column may contain besides plain values.
_Cell = bool | int | float | str | StageLabel | None


class CodecError(ValueError):
    """The content is damaged, or of another program, version or type; or a value cannot be written."""


def encode(value: object, declared: Any = Any) -> bytes:
    """The value as bytes.

    Numpy scalars become Python's, and columns of tables arrays; in those of objects, dates and the like become text and
    missing values None. Without a declared type, tuples become lists, and dataclasses dicts.

    Args:
        declared: type of the value, built of dataclasses, arrays, tuples, dicts, text, bytes, numbers and None.

    Raises:
        CodecError: the value cannot be written, or is not of its declared type.
    """
    body = b"".join(_body(value, declared))
    return _MARK + hashlib.sha256(body).digest() + body


def decode(content: bytes, declared: Any = Any) -> Any:
    """The value that `encode` was given with the same declared type; its arrays are read-only.

    Raises:
        CodecError: the content is damaged, from another program or version, or not of the declared type.
    """
    if content[: len(_MARK) - 2] != _MARK[:-2]:
        raise CodecError("another program wrote this result")
    if content[: len(_MARK)] != _MARK:
        raise CodecError("another version of the program wrote this result")
    body = memoryview(content)[_LENGTH_AT:]
    if hashlib.sha256(body).digest() != content[_DIGEST_AT:_LENGTH_AT]:
        raise CodecError("this result is damaged: its content does not match its checksum")
    # The content is now known to be as it was written, but not who wrote it.
    arrays_at = _PACKED_AT + int.from_bytes(content[_LENGTH_AT:_PACKED_AT], "big")
    packed, arrays = content[_PACKED_AT:arrays_at], memoryview(content)[arrays_at:]
    value = _unpacked(packed, arrays, declared)
    # The decoder ignores fields that the type does not have.
    if _packed(value)[0] != packed:
        raise CodecError("this result does not have the form that this program writes")
    return value


def arguments_of(function: Callable[..., object], content: bytes) -> dict[str, Any]:
    """The arguments of a function from their encoded dict; those that it declares as dataclasses are made such.

    Raises:
        CodecError: as `decode`.
    """
    found: dict[str, Any] = decode(content, dict[str, Any])
    for name, declared in get_type_hints(function).items():
        if name in found and is_dataclass(declared):
            found[name] = msgspec.convert(found[name], declared, dec_hook=lambda kind, value: kind(value))
    return found


def digest(value: object) -> str:
    """SHA-256 of a value as `encode` writes it without a declared type; its arrays are not copied.

    Raises:
        CodecError: the value cannot be written.
    """
    found = hashlib.sha256(_MARK)
    for part in _body(value, Any):
        found.update(part)
    return found.hexdigest()


def _body(value: object, declared: Any) -> list[bytes | memoryview]:
    """Length of the MessagePack, the MessagePack, the arrays."""
    packed, arrays = _packed(value)
    # Read back and written again: an integer in a field of type float becomes a float, and other types are refused.
    if declared is not Any:
        packed, arrays = _packed(_unpacked(packed, b"".join(arrays), declared))
    return [len(packed).to_bytes(8, "big"), packed, *arrays]


def _packed(value: object) -> tuple[bytes, list[memoryview]]:
    arrays: list[memoryview] = []

    def extended(one: Any) -> Any:
        if isinstance(one, np.generic):
            return one.item()
        if isinstance(one, Path):
            return str(one)
        if isinstance(one, pd.Series):
            one = one.to_numpy() if one.dtype.kind in _RAW_KINDS else one.to_numpy(dtype=object)
        if not isinstance(one, np.ndarray):
            raise CodecError(f"a {type(one).__module__}.{type(one).__name__} cannot be saved as part of a result")
        if one.dtype.kind == "O":
            return msgspec.msgpack.Ext(_CELLS, pack((one.shape, [_cell(value) for value in one.ravel()])))
        if one.dtype.kind not in _RAW_KINDS or (one.dtype.kind == "f" and one.dtype.itemsize > 8):
            raise CodecError(f"an array of {one.dtype} cannot be saved as part of a result")
        raw = np.ascontiguousarray(one, dtype=one.dtype.newbyteorder("<"))
        at = sum(array.nbytes for array in arrays)
        arrays.append(raw.reshape(-1).view(np.uint8).data)
        return msgspec.msgpack.Ext(_ARRAY, pack((raw.dtype.str, one.shape, at)))

    pack = msgspec.msgpack.Encoder(enc_hook=extended).encode
    try:
        with _MSGSPEC:
            return pack(value), arrays
    except (OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise CodecError(f"this value cannot be saved as part of a result: {error}") from error


def _cell(value: Any) -> object:
    if isinstance(value, np.generic | Decimal):
        return float(value) if isinstance(value, Decimal) else value.item()
    if isinstance(value, str | int | float | StageLabel):
        return value
    return None if value is None or pd.isna(value) else str(value)


def _unpacked(packed: bytes, arrays: bytes | memoryview, declared: Any) -> Any:
    def extension(code: int, data: memoryview) -> np.ndarray:
        if code == _CELLS:
            shape, cells = msgspec.msgpack.decode(data, type=tuple[_Shape, list[_Cell]])
            array = np.empty(len(cells), dtype=object)
            array[:] = cells
            array = array.reshape(shape)
        elif code == _ARRAY:
            name, shape, at = msgspec.msgpack.decode(data, type=tuple[str, _Shape, int])
            dtype = np.dtype(name)
            if dtype.kind not in _RAW_KINDS or at < 0:
                raise ValueError(f"it contains an array of {name}")
            array = np.ndarray(shape, dtype, arrays, at).astype(dtype.newbyteorder("="))
        else:
            raise ValueError("it contains an object of an unknown type")
        array.flags.writeable = False
        return array

    def of_type(wanted: Any, value: Any) -> Any:
        """An array of the declared kind of numbers; anything but an array is refused by the decoder."""
        expected = [get_args(part)[0] for part in get_args(wanted)[1:]]
        if isinstance(value, np.ndarray) and expected and value.dtype != expected[0]:
            raise ValueError(f"it contains an array of {value.dtype}")
        return value

    try:
        with _MSGSPEC:
            return msgspec.msgpack.decode(packed, type=declared, dec_hook=of_type, ext_hook=extension)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError, OverflowError, MemoryError) as error:
        raise CodecError(f"this result cannot be read: {error}") from error
