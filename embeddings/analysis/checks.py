"""Checks of an analysis's input; each refusal is one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embeddings.formatting import counted
from flexict.errors import FlexiCTError


def checked_vectors(X: ArrayLike, analysis: str, *, at_least: int) -> NDArray[np.float64]:
    """The embedding vectors as float64 `[n, d]`.

    Raises FlexiCTError when they are not a table, hold NaN or infinity, or are fewer than `at_least`.
    """
    vectors = np.asarray(X, dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise FlexiCTError(
            f"The {analysis} needs one vector a case, as an array [cases, width], but got shape {vectors.shape}."
        )
    n = len(vectors)
    if n < at_least:
        raise FlexiCTError(f"The {analysis} needs at least {at_least} cases, but there are {n}.")
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if broken.size:
        raise FlexiCTError(
            f"The {analysis} cannot use {_of_cases(broken.size, n)}: the vector holds NaN or infinity "
            f"(first at row {broken[0]}); leave them out or embed them again."
        )
    return vectors


def checked_codes(codes: ArrayLike, analysis: str, *, n: int, name: str = "stage") -> NDArray[np.float64]:
    """Ordered codes (a stage) as float64 `[n]`.

    Raises FlexiCTError on a wrong length, a missing code, or when all cases share one code.
    """
    try:
        values = np.asarray(codes, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FlexiCTError(f"The {analysis} needs the {name} as ordered numbers, one a case.") from error
    _check_length(values, analysis, n=n, name=name)
    missing = int((~np.isfinite(values)).sum())
    if missing:
        raise FlexiCTError(f"The {analysis} needs a {name} for every case, but {_of_cases(missing, n)} has none.")
    if np.unique(values).size < 2:
        raise FlexiCTError(f"The {analysis} needs at least two different values of {name}, but all cases share one.")
    return values


def checked_columns(values: ArrayLike, analysis: str, *, n: int, name: str) -> NDArray[np.float64]:
    """Numeric columns beside the vectors (covariates, a baseline) as float64 `[n, k]`.

    Raises FlexiCTError on a wrong length, text, or a missing value.
    """
    try:
        columns = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FlexiCTError(
            f"The {analysis} needs the {name} as numbers; give a categorical column as 0/1 columns."
        ) from error
    columns = columns.reshape(-1, 1) if columns.ndim == 1 else columns
    _check_length(columns, analysis, n=n, name=name)
    if columns.ndim != 2 or columns.shape[1] == 0:
        raise FlexiCTError(
            f"The {analysis} needs the {name} as columns [cases, numbers], not of shape {columns.shape}."
        )
    missing = int((~np.isfinite(columns)).any(axis=1).sum())
    if missing:
        raise FlexiCTError(
            f"The {analysis} needs the {name} of every case, but {_of_cases(missing, n)} has none; "
            f"leave them out or run it without the {name}."
        )
    return columns


def checked_column(values: ArrayLike, analysis: str, *, n: int, name: str) -> NDArray[np.float64]:
    """One numeric column `[n]`; raises FlexiCTError as `checked_columns`, and on several."""
    columns = checked_columns(values, analysis, n=n, name=name)
    if columns.shape[1] != 1:
        raise FlexiCTError(f"The {analysis} needs one number of {name} a case, not {columns.shape[1]}.")
    return columns[:, 0]


def checked_draws(analysis: str, *, seed: int, at_least: int = 0, **numbers: int) -> None:
    """Raises FlexiCTError on a negative seed or fewer than `at_least` of what is drawn (permutations, resamples)."""
    if seed < 0:
        raise FlexiCTError(f"The {analysis} needs a seed of 0 or above, not {seed}.")
    for name, number in numbers.items():
        if number < at_least:
            raise FlexiCTError(
                f"The {analysis} needs at least {counted(at_least, name.removesuffix('s'))}, not {number}."
            )


def patient_numbers(patient: ArrayLike | Sequence[str] | None, analysis: str, *, n: int) -> NDArray[np.intp]:
    """Patients as numbers 0..P-1 `[n]`; without patient ids every case is its own patient."""
    if patient is None:
        return np.arange(n)
    ids = np.asarray(patient, dtype=object)
    _check_length(ids, analysis, n=n, name="patient")
    missing = sum(one is None or one != one or one == "" for one in ids)
    if missing:
        raise FlexiCTError(
            f"The {analysis} needs a patient for every case, but {_of_cases(missing, n)} has none; "
            "without it two scans of a patient could lie on both sides of a split."
        )
    return np.unique(ids.astype(str), return_inverse=True)[1]


def _check_length(values: NDArray, analysis: str, *, n: int, name: str) -> None:
    if values.ndim == 0 or len(values) != n:
        length = "a single value" if values.ndim == 0 else f"{len(values)} values"
        raise FlexiCTError(f"The {analysis} needs one {name} a case: there are {n} vectors and {length} of {name}.")


def _of_cases(count: int, n: int) -> str:
    return f"{count} of {n} cases"
