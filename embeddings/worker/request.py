"""What an analysis is asked for: which one, of what data, with which settings; and the key of its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

import embeddings.analysis
from embeddings import missing_values
from embeddings.analysis import StageLabel
from embeddings.worker import result_codec

Setting = str | int | float | bool | None


@dataclass(frozen=True)
class AnalysisRequest:
    """An analysis to run.

    Attributes:
        kind: its name in `analysis_process.ANALYSES`.
        set_id: the embedding set that the data are of.
        inputs: its data by the name of the argument: arrays, lists of arrays, columns by name, None.
        settings: its other arguments.
    """

    kind: str
    set_id: str
    inputs: Mapping[str, object]
    settings: Mapping[str, Setting]

    @cached_property
    def key(self) -> str:
        """SHA-256 of everything that decides the result, so that it is never taken for that of other data or code."""
        said = {
            "kind": self.kind,
            "set": self.set_id,
            "settings": dict(self.settings),
            "inputs": result_codec.digest(dict(self.inputs)),
            "code": code_version(),
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode("utf-8")).hexdigest()

    def encoded(self) -> bytes:
        """Inputs and settings as bytes, which `arguments` reads."""
        return result_codec.encode({**self.inputs, **self.settings})


def arguments(content: bytes) -> dict[str, object]:
    """The arguments of an analysis from `AnalysisRequest.encoded`.

    Raises:
        CodecError: on anything else.
    """
    found = result_codec.decode(content)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise result_codec.CodecError("this is no request for an analysis")
    return found


def cells(values: ArrayLike) -> NDArray:
    """A column `[n]` of a table as what a request can hold: None where missing, dates and the like as text."""
    column = np.asarray(values)
    if column.dtype.kind in "biufU":
        return column
    found = np.empty(len(column), dtype=object)
    found[:] = [_cell(one) for one in np.asarray(values, dtype=object)]
    return found


def _cell(value: object) -> object:
    if isinstance(value, str | int | float | Decimal | np.number | np.bool_ | StageLabel):
        return value
    return None if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]


@cache
def code_version() -> str:
    """SHA-256 of the source of the analyses and of the form of their results."""
    folder = Path(embeddings.analysis.__file__).parent
    found = hashlib.sha256(f"result {result_codec.VERSION}".encode())
    for path in sorted(folder.rglob("*.py"), key=lambda one: one.relative_to(folder).as_posix()):
        found.update(f"\n{path.relative_to(folder).as_posix()}\n".encode())
        found.update(path.read_bytes())
    found.update(Path(missing_values.__file__).read_bytes())  # decides which outcomes are missing
    return found.hexdigest()
