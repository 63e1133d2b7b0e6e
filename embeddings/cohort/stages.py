"""Orders the stages of a column, by their clinical order or a given one, and groups them.

Spellings of one stage become one label: `pT1a`, `T1A` and, among other T stages, `1a` are all `T1a`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from embeddings.cohort.stage_spellings import (
    SCALES,
    WHAT,
    StageKey,
    is_bare,
    is_formula,
    is_unstaged,
    kind_of_header,
    parse_stage,
    plain_text,
)
from embeddings.formatting import first_few
from flexict.errors import FlexiCTError


@dataclass(frozen=True)
class StageColumn:
    """A column of stages, read together.

    Attributes:
        values: as spelled.
        labels: each value's label, None where it is unstaged or has a problem.
        order: the distinct labels, lowest stage first.
        unknown: spellings that are not a known stage.
        mixed: spelling -> why it cannot be ordered with the rest of the column.
        prefixes: the prefixes found (`p`, `c`, `yp` ...), `` where there was none.
        formulas: spellings such as `T1aN0M0`, of which only one part is the stage.
    """

    values: Sequence[str]
    labels: list[str | None]
    order: list[str]
    unknown: list[str]
    mixed: dict[str, str]
    prefixes: frozenset[str]
    formulas: tuple[str, ...]

    @cached_property
    def odd(self) -> set[str]:
        """The spellings whose place in the order is unknown."""
        return {*self.unknown, *self.mixed}

    @property
    def labels_or_text(self) -> list[str | None]:
        """Each value's label, its text where its place in the order is not known, None where it is unstaged."""
        return [text if text in self.odd else label for text, label in zip(self.values, self.labels, strict=True)]

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """Each value's place in the order `[n]`, -1 where it has none."""
        place = {label: code for code, label in enumerate(self.order)}
        return np.array([-1 if label is None else place[label] for label in self.labels], dtype=np.int64)


def read_column(values: Sequence[str], counts: Mapping[str, int] | None = None, header: str = "") -> StageColumn:
    """Read the values of one column together: the most frequent kind of stage is the column's kind.

    Args:
        values: stages as spelled.
        counts: the frequency of each value in the column, where `values` contains each only once.
        header: the column's name; `1A` is IA in `overall stage` and T1a in `T stage`. Where the name leaves the kind
            open, `1A` is T1a, and small integers are read as the TNM categories, overall stages or grades around them:
            `3` beside `1a` is T3.
    """
    counts = Counter(values) if counts is None else Counter(counts)
    header_kind = kind_of_header(header)
    keys = {value: parse_stage(value, header_kind) for value in counts}
    subdivided = any(
        key and key.kind == header_kind and len(key.rank) > 1 and is_bare(value) for value, key in keys.items()
    )
    if not subdivided and any(key and key.kind == "number" for key in keys.values()):
        # Numbers outside the named kind are on another scale, unless values such as 1A are among them.
        keys = {value: parse_stage(value) for value in counts}
    known = {value: key for value, key in keys.items() if key is not None}
    kind = _most_frequent_kind(known, counts)
    scale = _most_frequent_scale(known, counts) if kind == "name" else ()
    place = {name: rank for rank, names in enumerate(scale) for name in names}

    read: dict[str, StageKey] = {}
    mixed: dict[str, str] = {}
    for value, key in known.items():
        as_kind = key if key.kind == kind else parse_stage(value, kind)
        if as_kind is None or as_kind.kind != kind:
            mixed[value] = f"{value!r} is a {WHAT[key.kind]} in a column of {WHAT[kind]}s"
        elif scale and key.label.lower() not in place:
            names = " < ".join(names[0] for names in scale)
            mixed[value] = f"{value!r} is not a group of the column's scale {names}"
        else:
            read[value] = as_kind
    ordered = sorted(read.values(), key=lambda key: (key.rank or (place[key.label.lower()],), key.label))
    return StageColumn(
        values=values,
        labels=[read[value].label if value in read else None for value in values],
        order=list(dict.fromkeys(key.label for key in ordered)),
        unknown=sorted(value for value, key in keys.items() if key is None and not is_unstaged(value)),
        mixed=mixed,
        prefixes=frozenset(key.prefix for key in read.values()),
        formulas=tuple(sorted(value for value in read if is_formula(value))),
    )


def column_notes(column: StageColumn) -> list[str]:
    """Sentences for users on how the column was read."""
    notes = []
    prefixes = sorted(column.prefixes - {""})
    if len(prefixes) > 1:
        notes.append(f"the stages have different prefixes ({', '.join(prefixes)}), which are treated as one scale")
    if column.formulas:
        kind = column.order[0][0]
        notes.append(f"of stages such as {column.formulas[0]!r} only the {kind} category is used")
    if column.odd and not column.order:
        notes.append(
            f"the order of the stages {_listed(sorted(column.odd))} is not known: they are kept as text, and an "
            "analysis by stage needs their order (--order of the report, or the field on the pages)"
        )
    return notes


def stage_order(values: Sequence[str], counts: Mapping[str, int] | None = None, header: str = "") -> list[str]:
    """The distinct stages among `values` as labels, lowest first; missing ones are left out.

    counts, header: as `read_column` takes them.

    Raises:
        FlexiCTError: values that are not a stage, or kinds that cannot be compared (T2 and Grade 3).
    """
    return _sound(read_column(values, counts, header)).order


def stage_codes(
    values: Sequence[str | None],
    order: Sequence[str] | None = None,
    counts: Mapping[str, int] | None = None,
    header: str = "",
) -> tuple[NDArray[np.int64], list[str]]:
    """Position of each value in the order, -1 where unstaged, and the order.

    Args:
        values: stages as spelled; None counts as unstaged.
        order: overrides the clinical order and may contain any names; spellings are matched by meaning, so
            `pT1a` matches `T1a`.
        counts, header: as `read_column` takes them.

    Raises:
        FlexiCTError: values missing from `order` (all are named), a stage twice in `order`, or without `order` what
            `stage_order` raises.
    """
    texts = ["" if value is None else value for value in values]
    codes: list[int | None]
    if order is None:
        column = _sound(read_column(texts, counts, header))
        return column.codes, column.order
    lookup = _Lookup(order)
    codes = [lookup.position(text) for text in texts]
    unknown = sorted({t for t, code in zip(texts, codes, strict=True) if code is None and not is_unstaged(t)})
    if unknown:
        raise FlexiCTError(f"the given stage order lacks {_listed(unknown)}: add them to the order")
    return np.array([-1 if code is None else code for code in codes], dtype=np.int64), list(order)


def apply_groups(values: Sequence[str | None], groups: Mapping[str, Sequence[str]]) -> list[str | None]:
    """The group of each value, None where it is unstaged or in no group.

    Args:
        values: stages as spelled.
        groups: name -> its stages, such as `{"Early": ["Tis", "T1"], "Advanced": ["T3", "T4"]}`. A stage includes
            its subdivisions (T1 includes T1a) unless those are listed themselves.

    Raises:
        FlexiCTError: a stage listed twice, or one that is neither a stage nor among the values.
    """
    owners = [(member, name) for name, members in groups.items() for member in members]
    lookup = _Lookup([member for member, _ in owners])
    present = {plain_text(value) for value in values if value is not None}
    unread = [m for m, _ in owners if parse_stage(m) is None and plain_text(m) not in present]
    if unread:
        raise FlexiCTError(f"the groups list {_listed(unread)}, which no case has and which is not a known stage")
    positions = [None if value is None else lookup.position(value, covering=True) for value in values]
    return [None if position is None else owners[position][1] for position in positions]


class _Lookup:
    """Finds stages in a given list, by spelling first and by meaning second."""

    def __init__(self, stages: Sequence[str]) -> None:
        keys = [parse_stage(stage) for stage in stages]
        self._kind = _most_frequent_kind({s: k for s, k in zip(stages, keys, strict=True) if k}, Counter(stages))
        self._by_text: dict[str, int] = {}
        self._by_meaning: dict[tuple[object, ...], int] = {}
        for position, stage in enumerate(stages):
            meaning = self._meaning(stage)
            if plain_text(stage) in self._by_text or meaning in self._by_meaning:
                raise FlexiCTError(f"{stage!r} is listed twice among {_listed(stages)}: list each stage once")
            self._by_text[plain_text(stage)] = position
            if meaning:
                self._by_meaning[meaning] = position

    def position(self, text: str, covering: bool = False) -> int | None:
        if plain_text(text) in self._by_text:
            return self._by_text[plain_text(text)]
        meaning = self._meaning(text)
        shortest = 2 if covering else len(meaning)  # the kind and one level of the rank
        lengths = range(len(meaning), shortest - 1, -1)
        return next((self._by_meaning[meaning[:n]] for n in lengths if meaning[:n] in self._by_meaning), None)

    def _meaning(self, text: str) -> tuple[object, ...]:
        """Kind and rank (or the name) in one tuple, empty for an unknown stage."""
        key = parse_stage(text, self._kind)
        if key is None:
            return ()
        return (key.kind, *key.rank) if key.rank else (key.kind, key.label)


def _sound(column: StageColumn) -> StageColumn:
    if column.unknown:
        raise FlexiCTError(f"unknown stages: {_listed(column.unknown)}; correct the spelling or give the order")
    if column.mixed:
        first = next(iter(column.mixed.values()))
        raise FlexiCTError(f"the stages are of mixed kinds: {first}; give one kind of stage in the column")
    return column


def _most_frequent_kind(keys: Mapping[str, StageKey], counts: Mapping[str, int]) -> str:
    """The most frequent kind; numbers count only where there is no other kind that they can be read as."""
    kinds: Counter[str] = Counter()
    for value, key in keys.items():
        kinds[key.kind] += counts[value]
    clinical = {kind: n for kind, n in kinds.items() if kind not in ("number", "name")}
    return max(clinical or kinds, key=lambda kind: kinds[kind], default="number")


def _most_frequent_scale(keys: Mapping[str, StageKey], counts: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    def cases_of(scale: tuple[tuple[str, ...], ...]) -> int:
        names = {name for rank in scale for name in rank}
        return sum(counts[value] for value, key in keys.items() if key.label.lower() in names)

    return max(SCALES, key=cases_of)


def _listed(values: Iterable[str]) -> str:
    return first_few(map(repr, values), 8)
