"""Settings of pages that last over a visit to another page, until another cohort is opened.

Streamlit forgets the value of a widget when a run of the app does not draw it, as on every other page. A widget with
`persist_state=SESSION` keeps it; this module forgets it when it must. Values that pages share (stage, item, colour of
the map), or that another page sets, are in `state` instead.
"""

from __future__ import annotations

from typing import Literal

import streamlit as st

SESSION: Literal["session"] = "session"
# The keys of a page's widgets begin with its name. Of the other pages only the keys of FURTHER are forgotten.
PAGES = (
    *("filter.", "gradient.", "audit.", "trajectory.", "probes.", "survival."),
    *("neighbours.", "retrieval.", "compare.", "search.", "report."),
)
FURTHER = ("map.method", "map.neighbours", "lookup.k", "stage.order")


def forget() -> None:
    """Reset every page, for another cohort, which may have other columns."""
    for key in [str(key) for key in st.session_state if str(key).startswith(PAGES) or key in FURTHER]:
        del st.session_state[key]


def forget_outside(key: str, low: float, high: float) -> None:
    """Forget a range that is outside the range of other data, such as those of another embedding set.

    A slider raises an error for it; lists and number fields return to their default by themselves.
    """
    kept = st.session_state.get(key)
    if isinstance(kept, tuple) and not (low <= kept[0] <= kept[1] <= high):
        del st.session_state[key]
