"""Spellings of missing values in tables: one list for ids, paths, labels, stages, times and events."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_MARKERS = frozenset(
    (
        *("na", "n/a", "n.a", "nan", "nat", "null", "none", "nil"),
        *("unknown", "unk", "unspecified", "unavailable", "missing", "no data"),
    )
)
_NOT = re.compile(
    r"(?:data )?not (?:applicable|available|reported|recorded|recorded in database|collected|allowed to collect|"
    r"provided|known|specified|stated|documented|entered|released|evaluated|assessed|determined)"
)
# GDC writes '--, cBioPortal [Not Available], pandas <NA>, Excel #N/A.
_QUOTES = "'\"` \u2018\u2019\u201c\u201d"
_AROUND = _QUOTES + "[](){}<>#"
_SIGNS = re.compile("[-\u2010-\u2015\u2212]*|\\?+|\\.")


def is_missing(value: object) -> bool:
    """Whether a cell is blank or marks a missing value (NA, '--, [Not Available], Unknown, NaN ...)."""
    return value is None or _is_marker(str(value))


@lru_cache(maxsize=65536)
def _is_marker(text: str) -> bool:
    plain = " ".join(unicodedata.normalize("NFKC", text).replace("_", " ").casefold().split())
    words = plain.strip(_AROUND)
    if words.rstrip(".") in _MARKERS or _NOT.fullmatch(words):
        return True
    return _SIGNS.fullmatch(plain.strip(_QUOTES)) is not None  # (-) is a finding
