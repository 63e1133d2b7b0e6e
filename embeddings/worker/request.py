"""What an analysis gets: its data as values that a worker process can receive, and the version of its code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import embeddings.analysis
from embeddings import missing_values
from embeddings.analysis import StageLabel
from embeddings.worker import result_codec


def prepared(value: Any) -> Any:
    """An argument with every column in it, at any depth of mappings and lists, in the form of `cells`."""
    if isinstance(value, Mapping):
        return {name: prepared(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [prepared(one) for one in value]
    return cells(value) if isinstance(value, np.ndarray | pd.Series) else value


def cells(values: NDArray | pd.Series) -> NDArray:
    """A column `[n]` of a table as what a request can contain: None where missing, dates and the like as text."""
    column = np.asarray(values)
    if column.dtype.kind in "biufU":
        return column
    found = np.empty(len(column), dtype=object)
    found[:] = [_cell(one) for one in np.asarray(values, dtype=object)]
    return found


def _cell(value: Any) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, str | int | float | np.number | np.bool_ | StageLabel):
        return value.item() if isinstance(value, np.generic) else value
    return None if value is None or pd.isna(value) else str(value)


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
