"""p-values as text: one format everywhere, with sides and adjustment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Sides = Literal["one-sided", "two-sided"]
HOLM, FALSE_DISCOVERY = "Holm", "Benjamini-Hochberg"


@dataclass(frozen=True)
class Adjusted:
    """A p adjusted for being one of `n`. method: by whom; over: what the n are, as a plural."""

    p: float
    n: int
    method: str = HOLM
    over: str = "tests"

    @property
    def words(self) -> str:
        """How it is adjusted: `Holm over 4 tests`."""
        return f"{self.method} over {self.n} {self.over}"


def p_number(p: float) -> str:
    """A p without its sign: `0.016`, `0.43`, `< 0.001`; empty where there is none."""
    if not math.isfinite(p):
        return ""
    if p < 0.001:
        return "< 0.001"
    digits = 3 if p < 0.1 else 2
    # Rounding must not carry a p across 5 %.
    while float(text := f"{p:.{digits}f}") == 0.05 and p != 0.05 and digits < 6:
        digits += 1
    return text


def p_text(p: float) -> str:
    """A p-value: `p = 0.016`, `p < 0.001`; empty where there is none."""
    number = p_number(p)
    return number and (f"p {number}" if number.startswith("<") else f"p = {number}")


def p_words(p: float, sides: Sides, adjusted: Adjusted | None = None) -> str:
    """A p-value with its sides and, where it is one of several, what it is after adjustment.

    `one-sided p = 0.016, 0.051 after Holm over 4 tests`; empty where there is none.
    """
    if not math.isfinite(p):
        return ""
    said = f"{sides} {p_text(p)}"
    if adjusted is None or adjusted.n < 2:
        return said
    return f"{said}, {p_number(adjusted.p)} after {adjusted.words}"


def p_sides(sides: str, adjusted: Adjusted | None = None) -> str:
    """What the p of a figure or table are: `one-sided, adjusted: Holm over 4 tests`."""
    return sides if adjusted is None or adjusted.n < 2 else f"{sides}, adjusted: {adjusted.words}"


def p_bracketed(p: float, p_adjusted: float) -> str:
    """A p-value for a table whose heading gives sides and method: `p = 0.016 (0.051)`."""
    return f"{p_text(p)} ({p_number(p_adjusted)})" if math.isfinite(p) else ""


def p_short(p: float, adjusted: Adjusted | None = None) -> str:
    """A p-value for a line of a figure, whose key gives the sides and the method: `p = 0.016, adjusted 0.051`."""
    said = p_text(p)
    return f"{said}, adjusted {p_number(adjusted.p)}" if said and adjusted is not None and adjusted.n > 1 else said
