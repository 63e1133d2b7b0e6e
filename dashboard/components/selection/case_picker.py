"""The case or slice whose neighbours a page shows."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.session import state

# As many as a browser lists without delay.
MOST_OPTIONS = 1000


def pick_query(offered: pd.DataFrame, place: DeltaGenerator) -> str | None:
    """The case or slice to compare with: by default the linked one; of very many, those whose id contains a text."""
    linked = state.view("item")
    if len(offered) > MOST_OPTIONS:
        sought = place.text_input(
            f"Find among {len(offered):,}", placeholder="part of a case id", key="neighbours.find"
        ).strip()
        found = offered["item_id"].str.contains(sought, case=False, regex=False) | (offered["item_id"] == linked)
        if sought and not found.any():
            st.info("No id of a case or slice contains this text.")
            return None
        offered = offered[found] if sought else offered
        rest = len(offered) - MOST_OPTIONS
        if rest > 0:
            first = offered.head(MOST_OPTIONS)
            offered = pd.concat([first, offered[(offered["item_id"] == linked) & ~offered.index.isin(first.index)]])
            place.caption(f"The first {MOST_OPTIONS:,} are listed; find others by a part of their id.")
    items = offered["item_id"].tolist()
    words = {str(row["item_id"]): title_of(row) for _, row in offered.iterrows()}
    chosen = place.selectbox(
        "Case or slice",
        items,
        index=items.index(linked) if linked in items else 0,
        format_func=words.__getitem__,
        key="neighbours.query",
    )
    state.set_view("item", chosen)
    return str(chosen)


def title_of(row: pd.Series) -> str:
    """The title of an item: its case, and for a slice its height in LPS mm."""
    place = f", z = {row['z_lps_mm']:.0f} mm" if pd.notna(row.get("z_lps_mm")) else ""
    return f"{row['case_id']}{place}"
