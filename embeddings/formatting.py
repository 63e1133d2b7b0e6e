"""Counts, bytes, seconds and lists of names as text."""

from __future__ import annotations

from collections.abc import Iterable


def counted(n: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 scan`, `2 scans`; `many` is the plural of a noun that takes more than an s."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def of_patients(n: int, n_patients: int, one: str = "case") -> str:
    """A count of cases and of their patients: `1 case of 1 patient`."""
    return f"{counted(n, one)} of {counted(n_patients, 'patient')}"


def size(n_bytes: float) -> str:
    """Bytes in words: `12.3 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 999.5:
            return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000.0
    return f"{n_bytes:.3g} TB" if n_bytes < 999.5 else f"{n_bytes:.0f} TB"


def duration(seconds: float) -> str:
    """Seconds in words: `40 s`, `12 min`, `3 h 20 min`, `2 days 4 h`."""
    if seconds < 99.5:
        return f"{seconds:.2g} s" if seconds < 9.5 else f"{seconds:.0f} s"
    minutes = round(seconds / 60.0)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h"


def first_few(names: Iterable[str], most: int = 5) -> str:
    """The first few names, and how many more there are: `a, b and 3 more`."""
    every = list(names)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")
