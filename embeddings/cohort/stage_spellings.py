"""The meaning of one spelling of a stage, and of bare numbers by the header of their column.

Reads TNM categories (`pT2b`, `Tis`, `1a`, `N1mi`, the T of `T1aN0M0`), overall stages (`Stage IIIA`, `III-A`, `IB2`),
grades (`G2`, `ISUP 4`), lettered scales (`BCLC B`), two neighbouring stages together (`IIIA/B`), plain numbers (`3.0`)
and a few named scales (`benign` < `indolent` < `aggressive`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from embeddings.missing_values import is_missing

SCALES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("early",), ("intermediate",), ("advanced", "late"), ("metastatic",)),
    (("localised", "localized", "local"), ("locally advanced", "regional"), ("distant", "metastatic")),
    (("limited",), ("extensive",)),
    (("low",), ("intermediate", "moderate", "medium"), ("high",), ("very high",)),
    (("benign",), ("indolent",), ("aggressive",)),
    (("benign",), ("borderline",), ("malignant",)),
    (("mild",), ("moderate",), ("severe",)),
    (("no", "false", "absent", "negative"), ("yes", "true", "present", "positive")),
)
"""Named scales, lowest rank first; names of one rank are synonyms."""

# In addition to the values of `is_missing`.
_UNSTAGED = frozenset(
    ("unstaged", "pending", "x", "gx", "not staged", "cannot be assessed", "indeterminate", "undetermined")
)
_GAP = r"[\s:.-]*"
_PREFIX = r"(?P<prefix>[yra]?[pc]|[yra])?\s*"
_SUBDIVISION = rf"{_GAP}(?P<minor>mi|[a-e])(?P<sub>[1-3])?"
_ROMAN = "iv|i{1,3}"
_BASIS = r"path(?:olog(?:ic(?:al)?|y))?|clin(?:ical)?"
_UNSTAGED_TNM = re.compile(_PREFIX + r"[tnm]\s*x|tx\s*nx(?:\s*mx)?")
_TNM = re.compile(_PREFIX + rf"(?P<letter>[tnm])[\s-]*(?:(?P<in_situ>is|a)|(?P<major>[0-4])(?:{_SUBDIVISION})?)")
_BARE_T = re.compile(rf"(?P<major>[1-4]){_SUBDIVISION}")
_PART = r"(?:[yra]?[pc]|[yra])?{}\s?(?:x|[0-4](?:(?:mi|[a-e])[1-3]?)?{})"
_TOGETHER = re.compile(
    rf"(?P<t>{_PART.format('t', '|is|a')})[\s,;]*(?P<n>{_PART.format('n', '')})"
    rf"(?:[\s,;]*(?P<m>{_PART.format('m', '')}))?"
)
_OVERALL = re.compile(
    r"(?P<word>(?:(?:ajcc|uicc|figo|tnm|ann arbor|masaoka(?:[\s-]koga)?|overall|clinical|pathologic(?:al)?|y?[pc])?"
    rf"\s*stage(?:\s*group)?|ajcc|uicc|figo|ann arbor|masaoka(?:[\s-]koga)?){_GAP})?"
    rf"(?P<major>0|{_ROMAN}|[1-4])(?:{_GAP}(?P<minor>is|[a-e])(?P<sub>[1-3])?)?(?:\s*stage)?"
)
_GRADE = re.compile(
    r"(?:(?:(?:who\s*/\s*isup|isup|who|fuhrman|fnclcc|nuclear|histologic(?:al)?|gleason)\s*)?"
    rf"(?:grade\s*group|grade|g)|who\s*/\s*isup|isup|fuhrman){_GAP}(?P<major>[1-5]|{_ROMAN}|v)"
)
_LETTERED = {"BCLC": "0abcd", "Dukes": "abcd", "Binet": "abc", "Child-Pugh": "abc"}
_ON_SCALE = re.compile(
    rf"(?P<scale>bclc|dukes|binet|child[\s-]*pugh)(?:'?s)?{_GAP}(?:(?:stage|class|score){_GAP})?(?P<letter>[0a-d])"
)
_RANGE = re.compile(r"(?P<low>.+?)\s*(?:/|-|\bor\b|\bto\b)\s*(?P<high>.+)")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d*)?")
_NUMERALS = ("0", "I", "II", "III", "IV", "V")
_MINOR_RANK = {"is": 0.5, "mi": 0.5, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
_IN_SITU_RANK = {"a": 0.3, "is": 0.6}  # T0 < Ta < Tis < T1, and 0 < 0a < 0is < I
_NAMES = frozenset(name for scale in SCALES for rank in scale for name in rank)
_NUMBERS_OF = {"T": range(5), "N": range(4), "M": range(2), "overall": range(5), "grade": range(1, 6)}
# Put before a bare number or letter in a column of this kind.
_BEFORE = {"T": "t", "N": "n", "M": "m", "overall": "stage ", "grade": "grade "} | {
    scale: f"{scale.lower()} " for scale in _LETTERED
}
WHAT = {
    "T": "T stage",
    "N": "N stage",
    "M": "M stage",
    "overall": "overall stage",
    "grade": "grade",
    "number": "number",
    "name": "named group",
} | {scale: f"{scale} stage" for scale in _LETTERED}
"""Kind of stage -> its name in messages."""

_HEADERS = (
    *((kind, re.compile(rf".*\b{kind.lower()[:5]}\b.*")) for kind in _LETTERED),
    *(
        (
            letter.upper(),
            # "ct" alone is a scan; "n" or "m" alone may be a count or the sex.
            re.compile(
                rf"(?:.*\b)?(?:y?p{letter}(?: \d.*)?"
                rf"|(?:[yra]?[pc] ?|ajcc |tnm )?{letter} ?(?:stag(?:e|ing)|category|classification|descriptor)\b.*"
                rf"|(?:{_BASIS}|ajcc) {letter}{'|t' if letter == 't' else ''})"
            ),
        )
        for letter in "tnm"
    ),
    (
        "overall",
        re.compile(
            r".*\b(?:ajcc|uicc|figo|tnm|overall|(?:anatomic(?:al)?|prognostic) stage|stage group\w*|group stage"
            rf"|(?:{_BASIS}|y?[pc]) ?stage|ann arbor|masaoka)\b.*"
        ),
    ),
)


@dataclass(frozen=True)
class StageKey:
    """The meaning of one spelling.

    Attributes:
        kind: `T`, `N`, `M`, `overall`, `grade`, a lettered scale such as `BCLC`, `number` or `name`; only stages of
            one kind can be compared.
        rank: ordered within the kind; a subdivision extends its parent's rank (T1 `(1,)`, T1a `(1, 1)`), and two
            neighbours together lie between them (IIIA/B `(3, 1.5)`). Empty for a name, whose rank depends on the scale
            of the whole column.
        label: the spelling to show, such as `T1a`, `IIIB`, `Grade 2`.
        prefix: `p`, `c`, `yp` ... where the spelling has one; it does not change the order.
    """

    kind: str
    rank: tuple[float, ...]
    label: str
    prefix: str = field(default="", compare=False)


def is_unstaged(text: str) -> bool:
    """Whether the text is a spelling of a missing stage ("", NA, TX, unknown, not staged ...)."""
    plain = plain_text(text)
    bare = plain.removeprefix("stage ")
    return is_missing(text) or is_missing(bare) or bare in _UNSTAGED or _UNSTAGED_TNM.fullmatch(plain) is not None


def parse_stage(text: str, kind: str = "") -> StageKey | None:
    """The meaning of one spelling; None where it is missing (`is_unstaged`) or not understood.

    kind: of a bare number or letter, and the part of `T1aN0M0` to read. Without it a plain number stays a number:
    whether `3` is T3 depends on the rest of its column.
    """
    if is_unstaged(text):
        return None
    plain = _without_remark(plain_text(text))
    together = _TOGETHER.fullmatch(plain)
    if together:
        parts = {letter.upper(): part for letter, part in together.groupdict().items() if part and part[-1] != "x"}
        plain = parts.get(kind) or next(iter(parts.values()), "")
    bare = _bare(plain, kind)
    return (bare if bare is not None and bare.kind == kind else None) or _read(plain) or _read_range(plain, kind)


def is_bare(text: str) -> bool:
    """Whether the kind of stage follows only from the column: `3`, `1a`."""
    plain = plain_text(text)
    return _NUMBER.fullmatch(plain) is not None or _BARE_T.fullmatch(plain) is not None


def is_formula(text: str) -> bool:
    """Whether the spelling is a whole TNM formula (`T1aN0M0`), of which a column of T stages uses only the T."""
    return _TOGETHER.fullmatch(_without_remark(plain_text(text))) is not None


def kind_of_header(header: str) -> str:
    """The kind of stage in a column of this name, "" where the name leaves it open.

    `T stage`, `pT`, `ajcc_pathologic_t` are T; `overall stage`, `AJCC stage`, `clinical stage`, `stage group`, `FIGO`
    are overall stages; `stage` alone may be either.
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)  # clinicalStage
    for words in dict.fromkeys((header, spaced)):
        plain = re.sub(r"[^a-z0-9]+", " ", words.lower()).strip()
        if "grade" in plain:  # FIGO has both; numbers of grades stay numbers
            return ""
        for kind, pattern in _HEADERS:
            if pattern.fullmatch(plain):
                return kind
    return ""


def plain_text(text: str) -> str:
    """The text in lower case, with plain hyphens and single spaces."""
    plain = re.sub("[\u2010-\u2015\u2212]", "-", unicodedata.normalize("NFKC", text))
    return " ".join(plain.replace("_", " ").lower().split())


def _without_remark(plain: str) -> str:
    """The spelling without remarks beyond its stage: T1b(m), Tis (DCIS), N0(i+), III NOS."""
    return re.sub(r"[\s,]*(?:\([^)]*\)|\bnos)$", "", plain)


def _bare(plain: str, kind: str) -> StageKey | None:
    """A bare number or letter as a stage of the kind, None where that is impossible."""
    if kind not in _BEFORE:
        return None
    if _NUMBER.fullmatch(plain):
        value = float(plain)
        if kind in _NUMBERS_OF and value not in _NUMBERS_OF[kind]:
            return None
        return _read(f"{_BEFORE[kind]}{value:.15g}")
    single_letter = kind in _LETTERED and len(plain) == 1
    return _read(_BEFORE[kind] + plain) if single_letter or _BARE_T.fullmatch(plain) else None


def _read(plain: str) -> StageKey | None:
    name = re.sub(r"[\s-]*(?:risk|grade|stage|disease)$", "", plain)
    if name in _NAMES:
        return StageKey("name", (), name.capitalize())
    if _NUMBER.fullmatch(plain):
        return StageKey("number", (float(plain),), f"{float(plain):.15g}")
    return _read_tnm(plain) or _read_grade(plain) or _read_overall(plain) or _read_lettered(plain)


def _read_range(plain: str, kind: str) -> StageKey | None:
    """Two adjacent stages (`IIIA/B`, `T1-T2`); None for others, whose order is not known."""
    match = _RANGE.fullmatch(plain)
    if match is None:
        return None
    left, right = match["low"], match["high"]
    high = _read(right)
    known = kind or ("" if high is None or is_bare(right) else high.kind)
    low = _bare(left, known) if is_bare(left) else _read(left)
    if low is None or len(low.rank) not in (1, 2) or low.kind in ("name", "number"):
        return None
    high = _bare(right, low.kind) or high
    if high is None and len(low.rank) == 2 and len(right) == 1:
        high = _read(low.label[:-1].lower() + right)
    if high is None or high.kind != low.kind or len(high.rank) != len(low.rank):
        return None
    if high.rank[:-1] != low.rank[:-1] or high.rank[-1] - low.rank[-1] != 1:
        return None
    rank = (*low.rank[:-1], low.rank[-1] + 0.5)
    label = f"{low.label}/{high.label[-1] if len(rank) == 2 else high.label}"
    return StageKey(low.kind, rank, label, low.prefix)


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
    number = _number(match["major"])
    minor, sub = match["minor"] or "", match["sub"] or ""
    if number == 0 and minor in _IN_SITU_RANK and not sub:
        return StageKey("overall", (0.0, _IN_SITU_RANK[minor]), f"0{minor}")
    label = _NUMERALS[number] + (minor if minor == "is" else minor.upper()) + sub
    return StageKey("overall", _rank(number, match.groupdict()), label)


def _read_grade(plain: str) -> StageKey | None:
    match = _GRADE.fullmatch(plain)
    if match is None:
        return None
    value = _number(match["major"])
    return StageKey("grade", (float(value),), f"Grade {value}")


def _read_lettered(plain: str) -> StageKey | None:
    match = _ON_SCALE.fullmatch(plain)
    if match is None:
        return None
    scale = next(name for name in _LETTERED if name.lower()[:5] == match["scale"][:5])
    if match["letter"] not in _LETTERED[scale]:
        return None
    return StageKey(scale, (float(_LETTERED[scale].index(match["letter"])),), f"{scale} {match['letter'].upper()}")


def _rank(major: int, found: Mapping[str, str | None]) -> tuple[float, ...]:
    minor, sub = found["minor"], found["sub"]
    rank: tuple[float, ...] = (float(major),)
    if minor:
        rank += (_MINOR_RANK[minor],)
    return (*rank, float(sub)) if sub else rank


def _number(text: str) -> int:
    """Of an Arabic or a Roman number."""
    return int(text) if text.isdigit() else _NUMERALS.index(text.upper())
