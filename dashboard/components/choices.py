"""Choices of columns and settings on a page; each is kept while the cohort is open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard.data import columns, defaults
from dashboard.session.widget_state import SESSION


def pick_column(
    place: Any,
    label: str,
    options: Sequence[str],
    key: str,
    *,
    index: int = 0,
    words: Callable[[str], str] = columns.label,
    help: str | None = None,
) -> str:
    """One of the columns, or of other options that `words` names. index: the default."""
    return str(
        place.selectbox(label, options, index=index, format_func=words, key=key, persist_state=SESSION, help=help)
    )


def pick_optional_column(
    place: Any, label: str, options: Sequence[str], key: str, *, none: str, index: int = 0, help: str | None = None
) -> str | None:
    """One of the columns, or None where `none` is chosen. index: the default, 0 for none and 1 for the first column."""
    picked = place.selectbox(
        label,
        [none, *options],
        index=min(index, len(options)),
        format_func=lambda one: one if one == none else columns.label(one),
        key=key,
        persist_state=SESSION,
        help=help,
    )
    return None if picked == none else str(picked)


def pick_columns(
    place: Any,
    label: str,
    options: Sequence[str],
    key: str,
    *,
    default: Sequence[str] = (),
    words: Callable[[str], str] = columns.label,
    **more: Any,
) -> list[str]:
    """Any of the columns, or of other options that `words` names. more: as `st.multiselect` takes it."""
    picked = place.multiselect(
        label, options, default=list(default), format_func=words, key=key, persist_state=SESSION, **more
    )
    return [str(one) for one in picked]


def pick_step(label: str, options: Sequence[int], value: int, key: str, help: str | None = None) -> int:
    """One of a few numbers."""
    return int(st.select_slider(label, options, value, key=key, persist_state=SESSION, help=help))


def pick_number(place: Any, label: str, low: int, high: int, value: int, key: str, help: str | None = None) -> int:
    """A whole number from `low` to `high`."""
    return int(place.number_input(label, low, high, value, key=key, persist_state=SESSION, help=help))


def pick_permutations(page: str, options: Sequence[int] = (200, 1000, 5000)) -> int:
    """How many permutations a page's test draws."""
    return pick_step("Permutations", options, defaults.PERMUTATIONS, f"{page}.permutations")


def pick_seed(page: str, place: Any = st) -> int:
    """The seed of a page's random numbers."""
    return pick_number(place, "Seed", 0, 10_000, defaults.SEED, f"{page}.seed")
