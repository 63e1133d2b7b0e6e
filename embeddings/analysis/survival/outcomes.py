"""Follow-up as clinical tables write it: a time, and whether the event happened or the patient was censored."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

_EVENT = frozenset(
    (
        *("1", "true", "yes", "y", "event", "dead", "deceased", "died", "death", "expired"),
        *("progressed", "progression", "relapsed", "relapse", "recurred", "recurrence"),
    )
)
_NO_EVENT = frozenset(
    (
        *("0", "false", "no", "n", "no event", "none", "alive", "living", "censored", "lost to follow-up"),
        *("lost to follow up", "disease free", "disease-free", "diseasefree"),
    )
)
_MISSING = frozenset(("", "na", "n/a", "nan", "<na>", "nat", "null", "unknown", "unk", "missing", "not reported", "-"))
# Public tables write the code before the word: "1:DECEASED".
_CODED = re.compile(r"([01])\s*:\s*(.*)")


def event_flags(values: ArrayLike | Sequence[object]) -> NDArray[np.float64]:
    """Events as 1, censored as 0, missing as NaN, `[n]`.

    Read are 0/1 as numbers or text, true/false, yes/no, dead/alive, deceased/living, event/censored and the
    like, in any case, also with the code before the word ("1:DECEASED").

    Raises:
        FlexiCTError: naming the values that are none of these (a 1/2 coding among them) and how often they occur.
    """
    cells = list(np.asarray(values, dtype=object).ravel())
    read = [_flag(cell) for cell in cells]
    unknown = Counter(str(cell) for cell, flag in zip(cells, read, strict=True) if flag is None)
    if unknown:
        named = ", ".join(f"'{value}' ({count}x)" for value, count in unknown.most_common(5))
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        hint = " In a 1/2 coding, write 0 for censored and 1 for the event." if set(unknown) <= {"2", "2.0"} else ""
        raise FlexiCTError(
            f"The event column cannot be read: {named}{more} are neither an event nor censored. Use 1 for the event "
            f"and 0 for censored (or dead/alive, true/false), and leave the cell empty where it is not known.{hint}"
        )
    return np.array(read, dtype=np.float64)


def follow_up_times(values: ArrayLike | Sequence[object]) -> NDArray[np.float64]:
    """Times from the scan to the event or the last contact, missing as NaN, `[n]`.

    Raises:
        FlexiCTError: naming a value that is not a number, or a time that is negative or infinite.
    """
    cells = list(np.asarray(values, dtype=object).ravel())
    read = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if _is_missing(cell):
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
    if _is_missing(cell):
        return float("nan")
    text = str(cell).strip().casefold()
    coded = _CODED.fullmatch(text)
    if coded:
        return float(coded[1]) if coded[2] in (_EVENT if coded[1] == "1" else _NO_EVENT) else None
    if text in _EVENT:
        return 1.0
    if text in _NO_EVENT:
        return 0.0
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number in (0.0, 1.0) else None


def _is_missing(cell: object) -> bool:
    return cell is None or str(cell).strip().casefold() in _MISSING
