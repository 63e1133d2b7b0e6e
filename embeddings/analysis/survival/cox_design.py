"""The columns of a Cox model: numbers per standard deviation, categories against a named reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flexict.errors import FlexiCTError

MAX_LEVELS = 10


@dataclass(frozen=True)
class Term:
    """One column of the design: what it is called, what its hazard ratio compares, and its values `[n]`.

    `reference` is the reference level of a category, None for a number.
    """

    name: str
    contrast: str
    values: NDArray[np.float64]
    reference: str | None = None


def per_sd(name: str, values: NDArray[np.float64]) -> Term:
    """A number in units of its standard deviation."""
    sd = float(values.std(ddof=1))
    return Term(name, f"per SD of {sd:.3g}", (values - values.mean()) / sd)


def read_covariate(values: object) -> pd.Series:
    """A covariate as text and numbers `[n]`; blank cells and infinities count as missing."""
    column = pd.Series(np.asarray(values, dtype=object).ravel())
    blank = column.map(lambda cell: (isinstance(cell, str) and not cell.strip()) or cell in (np.inf, -np.inf))
    return column.mask(blank.astype(bool), None)


def covariate_terms(covariates: Mapping[str, pd.Series]) -> tuple[list[Term], list[str]]:
    """The design of complete covariates (no cell missing), and sentences on those left out as constant.

    Numbers are per standard deviation; text, flags and numbers with two values are categories against their
    most frequent level.

    Raises:
        FlexiCTError: on a category with more than `MAX_LEVELS` levels.
    """
    terms: list[Term] = []
    left_out = []
    for name, column in covariates.items():
        numeric = column.map(_is_number).all()
        if column.nunique() < 2:
            left_out.append(f"{name} has one value among these patients and is left out of Cox's model.")
        elif numeric and column.nunique() > 2:
            terms.append(per_sd(name, column.to_numpy(dtype=np.float64)))
        else:
            terms += _against_reference(name, column.map(lambda cell: f"{cell:g}") if numeric else column.map(str))
    return terms, left_out


def flaw(terms: list[Term], event: NDArray[np.float64]) -> str | None:
    """Why these terms can have no estimate, and what to do; None where nothing is wrong with them."""
    for term in terms:
        if term.reference is None:
            continue
        column = term.name.partition(": ")[0]
        together = np.max([other.values for other in terms if other.name.startswith(f"{column}: ")], axis=0)
        for name, members in ((term.name, term.values == 1), (f"{column}: {term.reference}", together == 0)):
            if not event[members].any():
                return (
                    f"none of the {int(members.sum())} patients with {name} had the event, so there is no hazard to "
                    "compare; merge that level with another or leave the column out"
                )
    design = np.column_stack([term.values for term in terms])
    centred = (design - design.mean(axis=0)) / np.sqrt(len(design))
    for k in range(1, len(terms) + 1):
        if np.linalg.matrix_rank(centred[:, :k], tol=1e-6) < k:
            before = ", ".join(term.name for term in terms[: k - 1])
            return f"{terms[k - 1].name} is determined exactly by {before}; leave one of them out"
    return None


def _is_number(cell: object) -> bool:
    """Whether a cell is a number; a flag is none."""
    return isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool)


def _against_reference(name: str, column: pd.Series) -> list[Term]:
    counts = {str(level): int(count) for level, count in column.value_counts().items()}
    if len(counts) > MAX_LEVELS:
        raise FlexiCTError(
            f"The covariate {name} has {len(counts)} levels, too many for Cox's model (at most {MAX_LEVELS}): "
            "merge levels, or leave it out."
        )
    # The most frequent level; of equally frequent ones the first by name.
    reference = min(counts, key=lambda level: (-counts[level], level))
    return [
        Term(
            f"{name}: {level}",
            f"against {reference}",
            np.asarray(column == level, dtype=np.float64),
            reference,
        )
        for level in sorted(counts)
        if level != reference
    ]
