"""Follow-up as clinical tables write it: a time, and whether the event happened or the patient was censored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embeddings.formatting import first_few
from embeddings.missing_values import is_missing
from flexict.errors import FlexiCTError

_EVENT = frozenset(
    (
        *("1", "true", "yes", "y", "event", "dead", "deceased", "died", "death", "expired", "dod"),
        *("progressed", "progression", "relapsed", "relapse", "recurred", "recurrence"),
    )
)
_DEAD_OF_DISEASE = re.compile(r"(?:dead|deceased|died|death) (?:of|with|from) (?:\w+ )?(?:disease|tumou?r|cancer)")
_NO_EVENT = frozenset(
    (
        *("0", "false", "no", "n", "none", "alive", "living", "still alive", "censored", "lost to follow up"),
        *("no evidence of disease", "ned", "alive without disease"),
    )
)
_FREE = re.compile(
    r"(?:disease|progression|relapse|recurrence|event|failure|metastas[ei]s) ?free|"
    r"(?:no|not) (?:event|dead|deceased|death|progress(?:ed|ion)|relapsed?|recur(?:red|rence))"
)
# Public tables write the code before the word: "1:DECEASED".
_CODED = re.compile(r"([01])\s*[:=]\s*(.*[^\W\d_].*)")
_MOST_NAMED = 5


def event_flags(values: ArrayLike | Sequence[object]) -> NDArray[np.float64]:
    """Events as 1, censored as 0, missing as NaN, `[n]`.

    Read are 0/1 as numbers or text, true/false, yes/no, dead/alive, deceased/living, event/censored, progression free
    and the like, in any case. With a code before the word ("1:DEAD WITH TUMOR") the code decides, unless the word
    plainly says the opposite.

    Raises:
        FlexiCTError: naming the values that are none of these (a 1/2 coding among them) and how often they occur.
    """
    cells = list(np.asarray(values, dtype=object).ravel())
    read = [_flag(cell) for cell in cells]
    unknown = Counter(str(cell) for cell, flag in zip(cells, read, strict=True) if flag is None)
    if unknown:
        named = first_few((f"'{value}' ({count}x)" for value, count in unknown.most_common()), _MOST_NAMED)
        hint = " In a 1/2 coding, write 0 for censored and 1 for the event." if set(unknown) <= {"2", "2.0"} else ""
        raise FlexiCTError(
            f"The event column cannot be read: {named} are neither an event nor censored. Use 1 for the event "
            f"and 0 for censored (or dead/alive, true/false), and leave the cell empty where it is not known.{hint}"
        )
    return np.array(read, dtype=np.float64)


def event_spellings(values: ArrayLike | Sequence[object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The distinct values that `event_flags` reads as an event, and those it reads as censored, commonest first."""
    counts = Counter(str(cell) for cell in np.asarray(values, dtype=object).ravel() if cell is not None)
    flags = {text: _flag(text) for text, _ in counts.most_common()}
    return tuple(t for t, flag in flags.items() if flag == 1), tuple(t for t, flag in flags.items() if flag == 0)


def follow_up_times(values: ArrayLike | Sequence[object]) -> NDArray[np.float64]:
    """Times from the scan to the event or the last contact, missing as NaN, `[n]`.

    Raises:
        FlexiCTError: naming a value that is not a number, or a time that is negative or infinite.
    """
    cells = list(np.asarray(values, dtype=object).ravel())
    read = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if is_missing(cell):
            continue
        try:
            read[row] = float(str(cell))
        except ValueError:
            raise FlexiCTError(
                f"The time column must hold numbers, but row {row} holds '{cell}'; give the time from the scan to the "
                "event or the last contact, all in one unit."
            ) from None
    wrong = np.flatnonzero((read < 0) | np.isinf(read))
    if wrong.size:
        raise FlexiCTError(
            f"{wrong.size} of {read.size} times are negative or infinite (first: {read[wrong[0]]:g} at row "
            f"{wrong[0]}); correct the dates behind them or leave the cells empty."
        )
    return read


def _flag(cell: object) -> float | None:
    """1, 0, NaN for missing, or None where the cell is not understood."""
    if cell is None:
        return float("nan")
    text = " ".join(re.sub(r"(?<=[a-z])-(?=[a-z])", " ", str(cell).casefold().replace("_", " ")).split())
    word = _word(text)
    if word is not None:
        return word
    if is_missing(cell):
        return float("nan")
    coded = _CODED.fullmatch(text)
    if coded:
        if is_missing(coded[2]):
            return float("nan")
        return float(coded[1]) if _word(coded[2]) in (None, float(coded[1])) else None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number in (0.0, 1.0) else None


def _word(text: str) -> float | None:
    """1 or 0 where every part of the text (`recurred/progressed`) says so, None where it is not understood."""
    parts = [part.strip() for part in re.split(r"/| or ", text)]
    if all(part in _EVENT or _DEAD_OF_DISEASE.fullmatch(part) for part in parts):
        return 1.0
    return 0.0 if all(part in _NO_EVENT or _FREE.fullmatch(part) for part in parts) else None
