"""A result of an analysis as bytes and back, without pickle: JSON for what is said, raw arrays for the numbers.

A content is the mark `FXRESULT`, a version, the SHA-256 of the rest, the length of the JSON, the JSON and the arrays.
Only the dataclasses named here are made, only with their own fields, and only of values of the declared kinds: a cohort
file may come from anywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from embeddings.analysis import (
    Alignment,
    AtRisk,
    AucDifference,
    AxisEvidence,
    AxisTest,
    Courses,
    CoxTerm,
    EncoderComparison,
    Estimate,
    LearningPoint,
    LeftOut,
    Neighbours,
    OrdinalProbe,
    PairOverlap,
    Probe,
    ProbeModel,
    Projection,
    Pseudotime,
    Retrieval,
    RetrievalAtK,
    SetComparison,
    SetDifference,
    SetScore,
    SetSimilarity,
    ShortcutAudit,
    ShortcutColumn,
    Smooth,
    Stability,
    StageGradient,
    StageGroup,
    StageLabel,
    SurvivalByScore,
    SurvivalGroup,
)
from embeddings.analysis.probe.discrimination import ReliabilityBin
from embeddings.analysis.trend import TrendTest

CLASSES: Mapping[str, type] = {
    one.__name__: one
    for one in (
        *(AtRisk, AucDifference, AxisEvidence, AxisTest, Courses, CoxTerm, Estimate, LearningPoint, LeftOut),
        *(Neighbours, OrdinalProbe, Probe, ProbeModel, Projection, Pseudotime, ReliabilityBin, Retrieval),
        *(RetrievalAtK, ShortcutAudit, ShortcutColumn, Smooth, Stability, StageGradient, StageGroup, StageLabel),
        *(SurvivalByScore, SurvivalGroup, TrendTest),
        *(Alignment, EncoderComparison, PairOverlap, SetComparison, SetDifference, SetScore, SetSimilarity),
    )
}
VERSION = 1
_MARK = b"FXRESULT" + VERSION.to_bytes(2, "big")
_DIGEST_AT = len(_MARK)
_LENGTH_AT = _DIGEST_AT + 32
_JSON_AT = _LENGTH_AT + 8
# Kinds of numpy numbers that are written as their raw bytes: flags, whole numbers, floating point.
_RAW_KINDS = "biuf"
_MOST_TEXT_BYTES = 256_000_000
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class CodecError(ValueError):
    """The content is damaged, of another program or of another version; or a value cannot be written."""


def encode(value: object) -> bytes:
    """The value as bytes: a dataclass of `CLASSES`, an array, text, a number, None, or lists, tuples, dicts of these.

    Raises:
        CodecError: on anything else.
    """
    body = b"".join(_parts(value))
    return _MARK + hashlib.sha256(body).digest() + body


def decode(content: bytes) -> Any:
    """The value that `encode` was given; its arrays cannot be written to.

    Raises:
        CodecError: on a content that is damaged, foreign, of another version, or holds what a result cannot hold.
    """
    if content[: len(_MARK) - 2] != _MARK[:-2]:
        raise CodecError("this is no result of an analysis: it was written by another program")
    if content[: len(_MARK)] != _MARK:
        raise CodecError("this result was written by another version of the program")
    body = memoryview(content)[_LENGTH_AT:]
    if hashlib.sha256(body).digest() != content[_DIGEST_AT:_LENGTH_AT]:
        raise CodecError("this result is damaged: its content does not match its checksum")
    # From here on the content is as it was written, but by whom is not known.
    length = int.from_bytes(content[_LENGTH_AT:_JSON_AT], "big")
    if length > len(content) - _JSON_AT:
        raise CodecError("this result is damaged: it ends before its description does")
    try:
        return _Reader(content, _JSON_AT + length).value(json.loads(content[_JSON_AT : _JSON_AT + length]))
    except CodecError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise CodecError(f"this result cannot be read: {error}") from error


def digest(value: object) -> str:
    """SHA-256 of a value as `encode` writes it, without copying its arrays.

    Raises:
        CodecError: as `encode`.
    """
    found = hashlib.sha256(_MARK)
    for part in _parts(value):
        found.update(part)
    return found.hexdigest()


def _parts(value: object) -> Iterable[bytes | memoryview]:
    """The body of a content: length of the JSON, the JSON, the arrays."""
    writer = _Writer()
    written = json.dumps(writer.plain(value), allow_nan=False, separators=(",", ":")).encode("ascii")
    return [len(written).to_bytes(8, "big"), written, *writer.arrays]


class _Writer:
    """Values as what JSON holds; a number, a text, True, False and None stand for themselves."""

    def __init__(self) -> None:
        self.arrays: list[memoryview] = []
        self._at = 0

    def plain(self, value: object) -> Any:
        if value is None or (isinstance(value, bool | str) and type(value) in (bool, str)):
            return value
        if type(value) is int:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            return {type(value).__name__: [self.plain(one) for one in value]}
        if isinstance(value, Mapping):
            return {"dict": [[self.plain(key), self.plain(one)] for key, one in value.items()]}
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value))}
        if isinstance(value, bytes):
            return {"bytes": self._array(np.frombuffer(value, np.uint8))}
        if isinstance(value, Decimal):
            return {"decimal": str(value)}
        name = type(value).__name__
        if is_dataclass(value) and CLASSES.get(name) is type(value):
            return {"class": name, "fields": {f.name: self.plain(getattr(value, f.name)) for f in fields(value)}}
        raise CodecError(f"a {type(value).__module__}.{name} cannot be kept as part of a result")

    def _array(self, array: np.ndarray) -> dict[str, Any]:
        shape = list(array.shape)
        if array.dtype.kind == "U":
            return {"texts": array.ravel().tolist(), "shape": shape}
        if array.dtype.kind == "O":
            return {"cells": [self.plain(one) for one in array.ravel()], "shape": shape}
        if array.dtype.kind not in _RAW_KINDS or array.dtype.itemsize > 8:
            raise CodecError(f"an array of {array.dtype} cannot be kept as part of a result")
        raw = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        at, self._at = self._at, self._at + raw.nbytes
        self.arrays.append(raw.reshape(-1).view(np.uint8).data)
        return {"array": raw.dtype.str, "shape": shape, "at": at}


class _Reader:
    """The way back; `first` is where the arrays begin."""

    def __init__(self, content: bytes, first: int) -> None:
        self._content, self._first = content, first

    def value(self, written: Any) -> Any:
        if written is None or isinstance(written, bool | int | float | str):
            return written
        if not isinstance(written, dict):
            raise CodecError("this result cannot be read: a list stands where none can")
        match written:
            case {"float": str(name)}:
                return _NOT_FINITE[name]
            case {"list": list(items)}:
                return [self.value(one) for one in items]
            case {"tuple": list(items)}:
                return tuple(self.value(one) for one in items)
            case {"dict": list(pairs)}:
                return {self.value(key): self.value(one) for key, one in pairs}
            case {"scalar": dict(inner)}:
                return self._array(inner)[()]
            case {"bytes": dict(inner)}:
                return self._array(inner).tobytes()
            case {"decimal": str(text)}:
                return _decimal(text)
            case {"class": str(name), "fields": dict(given)}:
                return _made(name, {field: self.value(one) for field, one in given.items()})
        return self._array(written)

    def _array(self, written: Mapping[str, Any]) -> np.ndarray:
        shape = tuple(written["shape"])
        if not all(type(one) is int and one >= 0 for one in shape):
            raise CodecError("this result cannot be read: an array has no shape")
        size = math.prod(shape)
        found: np.ndarray
        match written:
            case {"texts": list(texts)}:
                # Every text takes the room of the longest.
                if 4 * max(map(len, texts), default=0) * len(texts) > _MOST_TEXT_BYTES:
                    raise CodecError("this result cannot be read: it holds an array of too long texts")
                found = np.array(texts, dtype=np.str_).reshape(shape)
            case {"cells": list(cells)}:
                found = np.empty(len(cells), dtype=object)
                found[:] = [self.value(one) for one in cells]
                found = found.reshape(shape)
            case {"array": str(name), "at": int(at)}:
                dtype = np.dtype(name)
                if dtype.kind not in _RAW_KINDS or dtype.itemsize > 8 or at < 0:
                    raise CodecError(f"this result cannot be read: it holds an array of {name}")
                found = np.frombuffer(self._content, dtype, size, self._first + at).reshape(shape)
                found = found.astype(dtype.newbyteorder("="))
            case _:
                raise CodecError("this result cannot be read: it holds something of an unknown kind")
        found.flags.writeable = False
        return found


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise CodecError(f"this result cannot be read: {text[:40]!r} is no number") from error


def _made(name: str, given: Mapping[str, Any]) -> Any:
    """A dataclass of `CLASSES` of values of the declared kinds."""
    if name not in CLASSES:
        raise CodecError(f"this result cannot be read: it holds a {name[:80]!r}, which no analysis gives")
    hints = _hints(CLASSES[name])
    if set(given) != set(hints):
        raise CodecError(f"this result cannot be read: its {name} has not the fields of this version of the program")
    for field, value in given.items():
        if not fits(value, hints[field]):
            raise CodecError(f"this result cannot be read: {field} of its {name} is a {type(value).__name__}")
    return CLASSES[name](**given)


@cache
def _hints(made: type) -> dict[str, Any]:
    hints = get_type_hints(made)
    return {field.name: hints[field.name] for field in fields(made)}


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of a declared type, of those that results are declared with (arrays, numbers, tuples ...)."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if kind is Literal:
        return value in inner
    if kind is tuple:
        if not isinstance(value, tuple):
            return False
        if len(inner) == 2 and inner[1] is Ellipsis:
            return all(fits(one, inner[0]) for one in value)
        return len(value) == len(inner) and all(fits(one, of) for one, of in zip(value, inner, strict=True))
    if kind is dict:
        return isinstance(value, dict) and all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in value.items())
    if kind is np.ndarray:
        return isinstance(value, np.ndarray)
    if hint is float:
        return isinstance(value, float | int | np.floating | np.integer) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)
    return isinstance(value, type(None) if hint is None else hint)
