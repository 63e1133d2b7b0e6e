"""Counts read as people say them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from embeddings.formatting import counted, first_few, of_patients


@pytest.mark.parametrize(("n", "words"), [(0, "0 scans"), (1, "1 scan"), (2, "2 scans"), (12_345, "12,345 scans")])
def test_one_is_singular_and_every_other_number_plural(n: int, words: str) -> None:
    assert counted(n, "scan") == words


def test_an_irregular_plural_can_be_given() -> None:
    assert counted(2, "series", "series") == "2 series"


def test_cases_of_patients() -> None:
    assert of_patients(1, 1) == "1 case of 1 patient"
    assert of_patients(42, 36, "scan") == "42 scans of 36 patients"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (iter("abcd"), "a, b and 2 more"),
    ],
)
def test_a_long_list_names_the_first_few_and_counts_the_rest(names: Iterable[str], text: str) -> None:
    assert first_few(names, 2) == text
