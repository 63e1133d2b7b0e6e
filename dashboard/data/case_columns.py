"""Columns of a cohort by name, and as numbers that a regression can use."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flexict.errors import FlexiCTError

MAX_LEVELS = 20


def find_column(frame: pd.DataFrame, name: str, headers: dict[str, str], option: str) -> str:
    """The column that a user means: by its name, by its header in the CSV, or by either in another case.

    headers: CSV header -> column. Raises FlexiCTError that names columns with a similar name.
    """
    names = {**{header: column for header, column in headers.items()}, **{str(one): str(one) for one in frame.columns}}
    if name in names:
        return names[name]
    folded = {key.casefold(): column for key, column in names.items()}
    if name.casefold() in folded:
        return folded[name.casefold()]
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    known = [folded[one] for one in close] or sorted(map(str, frame.columns))[:12]
    words = "did you mean" if close else "there are, among others,"
    raise FlexiCTError(
        f"{option}: the cohort has no column {name!r}; {words} {', '.join(dict.fromkeys(known))}{'?' if close else ''}"
    )


def numbers(frame: pd.DataFrame, column: str, option: str) -> NDArray[np.float64]:
    """A column as float64 `[n]`, NaN where it is missing. Raises FlexiCTError if it contains text."""
    values = frame[column]
    read = pd.to_numeric(values, errors="coerce")
    text = values[values.notna() & read.isna()]
    if len(text):
        raise FlexiCTError(
            f"{option}: column {column!r} contains text such as {str(text.iloc[0])!r}, but numbers are needed"
        )
    return read.to_numpy(dtype=np.float64, na_value=np.nan)


def is_numeric(values: pd.Series) -> bool:
    """Whether a column contains numbers or flags."""
    return bool(pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values))


@dataclass(frozen=True)
class Design:
    """Columns as numbers: `matrix` [n, k], the name of each of the k columns, and those left out as constant."""

    matrix: NDArray[np.float64]
    terms: tuple[str, ...]
    constant: tuple[str, ...]


def design(frame: pd.DataFrame, columns: Sequence[str], option: str) -> Design:
    """Numeric columns unchanged; all levels of others except the first as 0/1 columns. No value may be missing.

    Raises FlexiCTError on a category of more than 20 levels.
    """
    parts: list[NDArray[np.float64]] = []
    terms: list[str] = []
    constant: list[str] = []
    for column in columns:
        values = frame[column]
        if values.nunique() < 2:
            constant.append(column)
        elif is_numeric(values):
            parts.append(values.to_numpy(dtype=np.float64))
            terms.append(column)
        else:
            levels = sorted(values.astype(str).unique())
            if len(levels) > MAX_LEVELS:
                raise FlexiCTError(
                    f"{option}: column {column!r} has {len(levels)} different texts, too many for a category "
                    f"(at most {MAX_LEVELS}): is it an identifier?"
                )
            for level in levels[1:]:
                parts.append((values.astype(str) == level).to_numpy(dtype=np.float64))
                terms.append(f"{column} = {level}")
    matrix = np.stack(parts, axis=1) if parts else np.empty((len(frame), 0))
    return Design(matrix, tuple(terms), tuple(constant))
