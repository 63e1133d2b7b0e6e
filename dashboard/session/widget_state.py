"""Settings of pages that outlive a visit to another page, and end with the cohort.

Streamlit forgets what a widget was set to when a run of the app leaves it out, as every other page does. A widget
keeps it with `persist_state=SESSION`; here is what has to be forgotten of them. What the pages share (stage, item,
colour of the map) stands in `state` instead, and so does what another page sets.
"""

from __future__ import annotations

from typing import Literal

import streamlit as st

SESSION: Literal["session"] = "session"
# Each page's widgets have keys that begin with its name; two pages have other things under theirs.
PAGES = (
    *("filter.", "gradient.", "audit.", "trajectory.", "probes.", "survival."),
    *("neighbours.", "retrieval.", "compare.", "search.", "report."),
)
FURTHER = ("map.method", "map.neighbours", "lookup.k", "stage.order")


def forget() -> None:
    """Every page starts afresh: for another cohort, whose columns may be others."""
    for key in [str(key) for key in st.session_state if str(key).startswith(PAGES) or key in FURTHER]:
        del st.session_state[key]


def forget_outside(key: str, low: float, high: float) -> None:
    """Forget a range that other data, such as those of another embedding set, no longer span.

    A slider refuses it; lists and number fields go back to their default by themselves.
    """
    kept = st.session_state.get(key)
    if isinstance(kept, tuple) and not (low <= kept[0] <= kept[1] <= high):
        del st.session_state[key]
