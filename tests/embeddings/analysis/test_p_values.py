"""A p-value has one form wherever it is text: sides, digits, and what it is after adjustment."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings.analysis import Adjusted, p_bracketed, p_number, p_short, p_text, p_words


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (9.1e-05, "p < 0.001"),
        (1 / 1001, "p < 0.001"),
        (0.001, "p = 0.001"),
        (0.0123, "p = 0.012"),
        (0.0425, "p = 0.043"),
        (0.0996, "p = 0.100"),
        (0.456, "p = 0.46"),
        (1.0, "p = 1.00"),
        (math.nan, ""),
    ],
)
def test_a_p_value_has_digits_that_mean_something(p: float, text: str) -> None:
    assert p_text(p) == text


@pytest.mark.parametrize(("p", "text"), [(0.0496, "0.0496"), (0.0504, "0.0504"), (0.05, "0.050"), (0.0499, "0.0499")])
def test_rounding_never_carries_a_p_to_five_per_cent(p: float, text: str) -> None:
    assert p_number(p) == text


@given(st.floats(0.001, 1.0).filter(lambda p: abs(p - 0.05) > 1e-6))
def test_a_written_p_lies_on_the_side_of_five_per_cent_of_the_p_itself(p: float) -> None:
    written = float(p_number(p))
    assert (written < 0.05) == (p < 0.05)
    assert written == pytest.approx(p, abs=0.0051)


def test_both_p_are_written_each_with_what_it_is() -> None:
    adjusted = Adjusted(0.051, 4)
    assert p_words(0.016, "one-sided", adjusted) == "one-sided p = 0.016, 0.051 after Holm over 4 tests"
    assert p_words(0.00001, "two-sided", Adjusted(0.0004, 3, "Benjamini-Hochberg", "terms")) == (
        "two-sided p < 0.001, < 0.001 after Benjamini-Hochberg over 3 terms"
    )
    assert p_short(0.016, adjusted) == "p = 0.016, adjusted 0.051"
    assert p_bracketed(0.016, 0.051) == "p = 0.016 (0.051)"


def test_a_test_by_itself_has_no_adjusted_p() -> None:
    alone = Adjusted(0.016, 1)
    assert p_words(0.016, "one-sided", alone) == p_words(0.016, "one-sided") == "one-sided p = 0.016"
    assert p_short(0.016, alone) == "p = 0.016"


def test_where_there_is_no_p_nothing_is_written() -> None:
    nothing = Adjusted(math.nan, 3)
    assert p_words(math.nan, "one-sided", nothing) == p_short(math.nan, nothing) == p_bracketed(math.nan, 0.1) == ""
