"""Stages of a column as ordered codes, and why cases have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from embeddings.cohort.stage_spellings import is_unstaged
from embeddings.cohort.stages import apply_groups, column_notes, read_column, stage_codes
from embeddings.formatting import first_few
from flexict.errors import FlexiCTError

MOST_NAMED = 6
# Codes [n], names of the stages, and why a value is none of them.
_Read = tuple[NDArray[np.int64], tuple[str, ...], dict[str, str]]


@dataclass(frozen=True)
class Staging:
    """Codes `[n]` (-1 without a stage), names of the codes, and why cases have none (reason, cases)."""

    codes: NDArray[np.int64]
    names: tuple[str, ...]
    losses: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]


def stage_cases(
    values: pd.Series,
    order: Sequence[str],
    groups: Sequence[tuple[str, tuple[str, ...]]],
    counted: NDArray[np.bool_] | None = None,
) -> Staging:
    """Read a column of stages: sorted by meaning, in the order given, or in groups.

    A value that is no known stage, does not fit the others, or is in no group or order, leaves its case
    unstaged and is counted; counted: the cases `[n]` that can be lost, all if None.

    Raises FlexiCTError on an order or groups that contradict themselves, and where neither is given and the order of
    the stages is not known.
    """
    texts = [None if pd.isna(value) else str(value) for value in values]
    if groups:
        codes, names, outside = _grouped(texts, order, groups)
    elif order:
        codes, names, outside = _ordered(texts, order)
    else:
        column = read_column([text or "" for text in texts], header=str(values.name))
        if column.odd and not column.order:
            raise FlexiCTError(_order_not_known(column.odd, str(values.name)))
        codes, names = column.codes, tuple(column.order)
        outside = {text: "not understood as a stage like the others" for text in column.odd}
    if groups or order:
        warnings = _empty_levels(codes, names)
    else:
        warnings = tuple(f"{note[:1].upper()}{note[1:]}." for note in column_notes(column))
    those = texts if counted is None else [text for text, one in zip(texts, counted, strict=True) if one]
    return Staging(codes, names, _losses(those, outside), warnings)


def _order_not_known(stages: Collection[str], column: str) -> str:
    named = ", ".join(map(repr, sorted(stages)[:MOST_NAMED]))
    more = f" and {len(stages) - MOST_NAMED} more" if len(stages) > MOST_NAMED else ""
    return (
        f"--stage: the order of the stages {named}{more} of column {column!r} is not known: list them, lowest first, "
        "with --order"
    )


def _grouped(texts: Sequence[str | None], order: Sequence[str], groups: Sequence[tuple[str, tuple[str, ...]]]) -> _Read:
    names = [name for name, _ in groups]
    if len(set(names)) < len(names):
        raise FlexiCTError(f"--group: a group is given twice among {', '.join(names)}; list all its stages in one")
    if order and sorted(order) != sorted(names):
        raise FlexiCTError(
            f"--order lists {', '.join(order)}, but the groups are {', '.join(names)}: list each group once"
        )
    ranked = list(order) or names
    labels = apply_groups(texts, dict(groups))
    codes = np.array([-1 if label is None else ranked.index(label) for label in labels], dtype=np.int64)
    outside = {
        text: "in no group"
        for text, label in zip(texts, labels, strict=True)
        if text is not None and label is None and not is_unstaged(text)
    }
    return codes, tuple(ranked), outside


def _ordered(texts: Sequence[str | None], order: Sequence[str]) -> _Read:
    stage_codes([], order)  # refuses an order that lists a stage twice
    code_of: dict[str, int] = {}
    outside: dict[str, str] = {}
    for text in {text for text in texts if text is not None}:
        try:
            code_of[text] = int(stage_codes([text], order)[0][0])
        except FlexiCTError:
            outside[text] = "not in the order given"
    codes = np.array([-1 if text is None else code_of.get(text, -1) for text in texts], dtype=np.int64)
    return codes, tuple(order), outside


def _losses(texts: Sequence[str | None], strange: dict[str, str]) -> tuple[tuple[str, int], ...]:
    counts = Counter(text or "" for text in texts)
    found = []
    unstaged = sum(n for text, n in counts.items() if text not in strange and is_unstaged(text))
    if unstaged:
        found.append(("unstaged", unstaged))
    for reason in dict.fromkeys(strange.values()):
        spellings = sorted(text for text, why in strange.items() if why == reason and text in counts)
        if spellings:
            named = first_few((f"{text!r} ({counts[text]})" for text in spellings), MOST_NAMED)
            found.append((f"{reason}: {named}", sum(counts[text] for text in spellings)))
    return tuple(found)


def _empty_levels(codes: NDArray[np.int64], names: Sequence[str]) -> tuple[str, ...]:
    empty = [name for code, name in enumerate(names) if not (codes == code).any()]
    return (f"No embedded case is of {', '.join(empty)}.",) if empty else ()


def names_in(text: str | None) -> tuple[str, ...]:
    """The names between commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def group_of(text: str) -> tuple[str, tuple[str, ...]]:
    """`Early=Tis,T1a` as name and stages. Raises ValueError on anything else."""
    name, sign, members = text.partition("=")
    stages = names_in(members)
    if not sign or not name.strip() or not stages:
        raise FlexiCTError(f"--group takes NAME=STAGE,STAGE such as Early=Tis,T1a,T1b, not {text!r}")
    return name.strip(), stages
