"""Asks for the order of stages whose names do not tell it; every page of the session then uses it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.data import columns, loading
from dashboard.data.staging import names_in
from dashboard.session import state
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings.cohort.stages import read_column, stage_codes
from flexict.errors import FlexiCTError

MOST_NAMED = 8


def ask_for_order(path: Path) -> bool:
    """Show the field if the cohort's own stage needs it; returns whether its order is still unknown."""
    texts = loading.stage_texts(path)
    found = read_column(texts)
    if not found.odd or len(texts) > columns.MAX_STAGES:
        return False
    typed = st.text_input(
        "Order of the stages, lowest first",
        key="stage.order",
        persist_state=SESSION,
        placeholder=", ".join(found.order or texts),
        help="Separate the stages by commas. Scans whose stage is not listed count as having no stage.",
    )
    order = names_in(typed)
    known = {text for text in texts if _is_among(text, order)}
    if order and len(known) < 2:
        st.error("This order names fewer than two stages of the cohort. Please correct it.")
        order = ()
    if order != state.stage_orders().get(columns.STAGE, ()):
        state.set_stage_order(columns.STAGE, order)
        st.rerun()
    odd = plain(", ".join(sorted(found.odd)[:MOST_NAMED]))
    if not order and len(found.order) < 2:
        st.info(f"The order of the stages of this cohort is not known ({odd}). Type it above.")
        return True
    if not order:
        st.caption(
            f"Left out, because their place in the order is unknown: {odd}. Type an order above to include them."
        )
    return False


def _is_among(text: str, order: tuple[str, ...]) -> bool:
    try:
        return bool(stage_codes([text], order)[0][0] >= 0)
    except FlexiCTError:
        return False
