"""How stages are spelled, and which comes first.

Read are TNM categories (`pT2b`, `Tis`, `1a`, `N1mi`), overall stages (`Stage IIIA`, `IB2`), grades (`G2`,
`ISUP 4`), plain numbers (`3.0`) and a few named scales (`benign` < `indolent` < `aggressive`). Spellings of
one stage become one label: `pT1a`, `T1A` and, beside other T stages, `1a` are all `T1a`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flexict.errors import FlexiCTError

SCALES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("early",), ("intermediate",), ("advanced", "late"), ("metastatic",)),
    (("localised", "localized", "local"), ("locally advanced", "regional"), ("distant", "metastatic")),
    (("low",), ("intermediate", "moderate", "medium"), ("high",), ("very high",)),
    (("benign",), ("indolent",), ("aggressive",)),
    (("benign",), ("borderline",), ("malignant",)),
    (("mild",), ("moderate",), ("severe",)),
    (("no", "false", "absent", "negative"), ("yes", "true", "present", "positive")),
)
"""Named scales, lowest rank first; names of one rank are synonyms."""

_UNSTAGED = frozenset(
    (
        *("", "na", "n/a", "nan", "none", "null", "nil", "unknown", "unk", "unstaged"),
        *("missing", "pending", "x", "gx", "-", "--", ".", "?"),
        *("not staged", "not applicable", "not available", "not reported", "not evaluated"),
        *("not assessed", "cannot be assessed", "indeterminate", "undetermined"),
    )
)
_PREFIX = r"(?P<prefix>[yra]?[pc]|[yra])?\s*"
_MINOR = r"(?:(?P<minor>mi|[a-e])(?P<sub>[1-3])?)?"
_UNSTAGED_TNM = re.compile(_PREFIX + r"[tnm]\s*x")
_TNM = re.compile(_PREFIX + r"(?P<letter>[tnm])\s*(?:(?P<in_situ>is|a)|(?P<major>[0-4])\s*" + _MINOR + ")")
_BARE_T = re.compile(r"(?P<major>[1-4])(?P<minor>mi|[a-e])(?P<sub>[1-3])?")
_OVERALL = re.compile(
    r"(?P<word>(?:(?:ajcc|uicc|figo|tnm|clinical|pathologic(?:al)?|y?[pc])?\s*stage|ajcc|uicc|figo)\s*)?"
    r"(?P<major>0|iv|i{1,3}|[1-4])\s*(?:(?P<minor>is|[a-e])(?P<sub>[1-3])?)?"
)
_GRADE = re.compile(
    r"(?:(?:(?:who\s*/\s*isup|isup|who|fuhrman|fnclcc|nuclear|histologic(?:al)?|gleason)\s*)?"
    r"(?:grade\s*group|grade|g)|who\s*/\s*isup|isup|fuhrman)\s*(?P<major>[1-5]|iv|i{1,3}|v)"
)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d*)?")
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5}
_MINOR_RANK = {"is": 0.5, "mi": 0.5, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
_IN_SITU_RANK = {"a": 0.3, "is": 0.6}  # T0 < Ta < Tis < T1
_NAMES = {name: scale for scale in SCALES for rank in scale for name in rank}
_NUMBERS_OF = {"T": range(5), "N": range(4), "M": range(2), "overall": range(5), "grade": range(1, 6)}
_WHAT = {
    "T": "T stage",
    "N": "N stage",
    "M": "M stage",
    "overall": "overall stage",
    "grade": "grade",
    "number": "number",
    "name": "named group",
}


@dataclass(frozen=True)
class StageKey:
    """What one spelling means.

    Attributes:
        kind: `T`, `N`, `M`, `overall`, `grade`, `number` or `name`; only stages of one kind compare.
        rank: ordered within the kind; a subdivision extends its parent's rank (T1 `(1,)`, T1a `(1, 1)`).
            Empty for a name, whose rank depends on the scale that its whole column uses.
        label: the one spelling shown, such as `T1a`, `IIIB`, `Grade 2`.
        prefix: `p`, `c`, `yp` ... where the spelling had one; it does not change the order.
    """

    kind: str
    rank: tuple[float, ...]
    label: str
    prefix: str = field(default="", compare=False)


@dataclass(frozen=True)
class StageColumn:
    """A column of stages, read together.

    Attributes:
        labels: each value's label, None where it is unstaged or has a problem.
        order: the distinct labels, lowest stage first.
        unknown: the spellings that are no known stage.
        mixed: spelling -> why it cannot be ordered with the rest of the column.
        prefixes: the prefixes met (`p`, `c`, `yp` ...), `` where there was none.
    """

    labels: list[str | None]
    order: list[str]
    unknown: list[str]
    mixed: dict[str, str]
    prefixes: frozenset[str]


def is_unstaged(text: str) -> bool:
    """Whether the text is a spelling of a missing stage ("", NA, TX, unknown, not staged ...)."""
    plain = _plain(text)
    return plain in _UNSTAGED or _UNSTAGED_TNM.fullmatch(plain) is not None


def parse_stage(text: str) -> StageKey | None:
    """The meaning of one spelling read alone; None where it is missing (`is_unstaged`) or not understood.

    A plain number stays a number here: whether `3` is T3 depends on the rest of its column.
    """
    plain = re.sub(r"\s*\([^)]*\)$", "", _plain(text))  # T1b(m), Tis (DCIS), N0(i+)
    if is_unstaged(plain):
        return None
    name = re.sub(r"[\s-]*(?:risk|grade|stage|disease)$", "", plain)
    if name in _NAMES:
        return StageKey("name", (), name.capitalize())
    if _NUMBER.fullmatch(plain):
        return _of_number("number", float(plain))
    return _read_tnm(plain) or _read_grade(plain) or _read_overall(plain)


def read_column(values: Sequence[str], counts: Mapping[str, int] | None = None) -> StageColumn:
    """Read the values of one column together: the commonest kind of stage is the column's kind.

    counts: how often each value stands in the column, where `values` holds each only once.
    Small whole numbers join a column of TNM categories, overall stages or grades: `3` beside `1a` is T3.
    """
    counts = Counter(values) if counts is None else Counter(counts)
    keys = {value: parse_stage(value) for value in counts}
    known = {value: key for value, key in keys.items() if key is not None}
    kind = _commonest(known, counts)
    scale = _commonest_scale(known, counts) if kind == "name" else ()
    place = {name: rank for rank, names in enumerate(scale) for name in names}

    read: dict[str, StageKey] = {}
    mixed: dict[str, str] = {}
    for value, key in known.items():
        as_kind = _as_kind(key, kind)
        if as_kind is None:
            mixed[value] = f"{value!r} is a {_WHAT[key.kind]} where the column holds a {_WHAT[kind]}"
        elif scale and key.label.lower() not in place:
            names = " < ".join(names[0] for names in scale)
            mixed[value] = f"{value!r} is no group of the scale {names} that the column uses"
        else:
            read[value] = as_kind
    ordered = sorted(read.values(), key=lambda key: (key.rank or (place[key.label.lower()],), key.label))
    return StageColumn(
        labels=[read[value].label if value in read else None for value in values],
        order=list(dict.fromkeys(key.label for key in ordered)),
        unknown=sorted(value for value, key in keys.items() if key is None and not is_unstaged(value)),
        mixed=mixed,
        prefixes=frozenset(key.prefix for key in read.values()),
    )


def stage_order(values: Sequence[str], counts: Mapping[str, int] | None = None) -> list[str]:
    """The distinct stages among `values` as labels, lowest first; missing ones are left out.

    counts: as `read_column` takes them.

    Raises:
        FlexiCTError: values that are no stage, or kinds that do not compare (T2 and Grade 3).
    """
    return _sound(read_column(values, counts)).order


def stage_codes(
    values: Sequence[str | None], order: Sequence[str] | None = None, counts: Mapping[str, int] | None = None
) -> tuple[NDArray[np.int64], list[str]]:
    """Position of each value in the order, -1 where unstaged, and the order.

    Args:
        values: stages as spelled; None counts as unstaged.
        order: overrides the clinical order and may hold any names; spellings are matched by meaning, so
            `pT1a` finds `T1a`.
        counts: as `read_column` takes them.

    Raises:
        FlexiCTError: values that `order` does not contain (all are named), a stage twice in `order`, or
            without `order` what `stage_order` raises.
    """
    texts = ["" if value is None else value for value in values]
    codes: list[int | None]
    if order is None:
        column = _sound(read_column(texts, counts))
        place = {label: position for position, label in enumerate(column.order)}
        codes = [-1 if label is None else place[label] for label in column.labels]
        return np.array(codes, dtype=np.int64), column.order
    lookup = _Lookup(order)
    codes = [lookup.position(text) for text in texts]
    unknown = sorted({t for t, code in zip(texts, codes, strict=True) if code is None and not is_unstaged(t)})
    if unknown:
        raise FlexiCTError(f"the given stage order lacks {_listed(unknown)}: add what is missing to the order")
    return np.array([-1 if code is None else code for code in codes], dtype=np.int64), list(order)


def apply_groups(values: Sequence[str | None], groups: Mapping[str, Sequence[str]]) -> list[str | None]:
    """The group of each value, None where it is unstaged or in no group.

    Args:
        values: stages as spelled.
        groups: name -> its stages, as `{"Early": ["Tis", "T1"], "Advanced": ["T3", "T4"]}`. A stage also
            covers its subdivisions (T1 covers T1a) unless those are listed themselves.

    Raises:
        FlexiCTError: a stage listed twice, or one that is neither a stage nor among the values.
    """
    owners = [(member, name) for name, members in groups.items() for member in members]
    lookup = _Lookup([member for member, _ in owners])
    present = {_plain(value) for value in values if value is not None}
    unread = [m for m, _ in owners if parse_stage(m) is None and _plain(m) not in present]
    if unread:
        raise FlexiCTError(f"the groups list {_listed(unread)}, which no case has and which is no known stage")
    positions = [None if value is None else lookup.position(value, covering=True) for value in values]
    return [None if position is None else owners[position][1] for position in positions]


class _Lookup:
    """Finds stages in a given list, by spelling first and by meaning second."""

    def __init__(self, stages: Sequence[str]) -> None:
        keys = [parse_stage(stage) for stage in stages]
        self._kind = _commonest({s: k for s, k in zip(stages, keys, strict=True) if k}, Counter(stages))
        self._by_text: dict[str, int] = {}
        self._by_meaning: dict[tuple[object, ...], int] = {}
        for position, (stage, key) in enumerate(zip(stages, keys, strict=True)):
            meaning = self._meaning(key)
            if _plain(stage) in self._by_text or meaning in self._by_meaning:
                raise FlexiCTError(f"{stage!r} is listed twice among {_listed(stages)}: list each stage once")
            self._by_text[_plain(stage)] = position
            if meaning:
                self._by_meaning[meaning] = position

    def position(self, text: str, covering: bool = False) -> int | None:
        if _plain(text) in self._by_text:
            return self._by_text[_plain(text)]
        meaning = self._meaning(parse_stage(text))
        shortest = 2 if covering else len(meaning)  # the kind and one level of the rank
        lengths = range(len(meaning), shortest - 1, -1)
        return next((self._by_meaning[meaning[:n]] for n in lengths if meaning[:n] in self._by_meaning), None)

    def _meaning(self, key: StageKey | None) -> tuple[object, ...]:
        """Kind and rank (or the name) in one tuple, empty for what is no known stage."""
        if key is None:
            return ()
        key = _as_kind(key, self._kind) or key
        return (key.kind, *key.rank) if key.rank else (key.kind, key.label)


def _sound(column: StageColumn) -> StageColumn:
    if column.unknown:
        raise FlexiCTError(f"no known stage: {_listed(column.unknown)}; correct the spelling or give the order")
    if column.mixed:
        first = next(iter(column.mixed.values()))
        raise FlexiCTError(f"the stages are of mixed kinds: {first}; give one kind of stage in the column")
    return column


def _commonest(keys: Mapping[str, StageKey], counts: Mapping[str, int]) -> str:
    """The kind that most values have; numbers give way to a kind that they can be read as."""
    kinds: Counter[str] = Counter()
    for value, key in keys.items():
        kinds[key.kind] += counts[value]
    clinical = {kind: n for kind, n in kinds.items() if kind not in ("number", "name")}
    return max(clinical or kinds, key=lambda kind: kinds[kind], default="number")


def _commonest_scale(keys: Mapping[str, StageKey], counts: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    def cases_of(scale: tuple[tuple[str, ...], ...]) -> int:
        names = {name for rank in scale for name in rank}
        return sum(counts[value] for value, key in keys.items() if key.label.lower() in names)

    return max(SCALES, key=cases_of)


def _as_kind(key: StageKey, kind: str) -> StageKey | None:
    """The key as a stage of `kind`; only small whole numbers can change their kind."""
    if key.kind == kind:
        return key
    if key.kind != "number" or key.rank[0] not in _NUMBERS_OF.get(kind, ()):
        return None
    return _of_number(kind, key.rank[0])


def _of_number(kind: str, value: float) -> StageKey:
    label = f"{value:.15g}"
    if kind == "overall":
        label = _roman(int(value))
    elif kind == "grade":
        label = f"Grade {label}"
    elif kind != "number":
        label = kind + label
    return StageKey(kind, (value,), label)


def _read_tnm(plain: str) -> StageKey | None:
    match = _TNM.fullmatch(plain) or _BARE_T.fullmatch(plain)
    if match is None:
        return None
    found = match.groupdict()
    letter = (found.get("letter") or "t").upper()
    prefix = found.get("prefix") or ""
    if found.get("in_situ"):
        if letter != "T":
            return None
        return StageKey("T", (_IN_SITU_RANK[found["in_situ"]],), f"T{found['in_situ']}", prefix)
    label = f"{letter}{found['major']}{found['minor'] or ''}{found['sub'] or ''}"
    return StageKey(letter, _rank(int(found["major"]), found), label, prefix)


def _read_overall(plain: str) -> StageKey | None:
    match = _OVERALL.fullmatch(plain)
    if match is None or (match["major"] in "1234" and not match["word"]):
        return None
    number = _ROMAN.get(match["major"]) or int(match["major"])
    minor = match["minor"] or ""
    label = _roman(number) + (minor if minor == "is" else minor.upper()) + (match["sub"] or "")
    return StageKey("overall", _rank(number, match.groupdict()), label)


def _read_grade(plain: str) -> StageKey | None:
    match = _GRADE.fullmatch(plain)
    if match is None:
        return None
    return _of_number("grade", float(_ROMAN.get(match["major"]) or match["major"]))


def _rank(major: int, found: Mapping[str, str | None]) -> tuple[float, ...]:
    minor, sub = found["minor"], found["sub"]
    rank: tuple[float, ...] = (float(major),)
    if minor:
        rank += (_MINOR_RANK[minor],)
    return (*rank, float(sub)) if sub else rank


def _roman(number: int) -> str:
    return ("0", "I", "II", "III", "IV", "V")[number]


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).replace("_", " ").lower().split())


def _listed(values: Iterable[str], most: int = 8) -> str:
    every = [repr(value) for value in values]
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
