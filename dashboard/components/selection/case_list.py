"""The items of the map as a table: filter them, tick rows, and make the ticked ones the selection."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.downloads import table_download
from dashboard.data import columns
from dashboard.session import state
from dashboard.session.selection import Mode, combined, of_rows
from dashboard.session.widget_state import SESSION, forget_outside

# As many as a browser lists without becoming slow; the CSV has all of them.
MOST_ROWS = 1000
HOW: dict[str, Mode] = {"Select": "replace", "Add": "add", "Remove": "subtract"}


def filter_form(frame: pd.DataFrame) -> None:
    """Choose items by the values of a column."""
    options = columns.describing(frame)
    if not options:
        return
    left, right = st.columns([1, 2])
    column = left.selectbox("Column", options, format_func=columns.label, key="filter.column", persist_state=SESSION)
    rows = _matching(frame, str(column), right)
    words = f"filter on {columns.name_only(str(column))}"
    st.caption(f"{int(rows.sum()):,} of {len(rows):,} items match.")
    with st.container(horizontal=True, gap="small"):
        for label, mode in HOW.items():
            if st.button(label, key=f"filter.{mode}", disabled=not rows.any()):
                state.put_selection(combined(frame, state.selected(), rows, mode, words))
                st.rerun()


def _matching(frame: pd.DataFrame, column: str, place: st.delta_generator.DeltaGenerator) -> NDArray[np.bool_]:
    values = frame[column]
    if columns.holds_numbers(values) and values.nunique() > 2:
        low, high = float(values.min()), float(values.max())
        step = (high - low) / 200
        forget_outside(f"filter.range.{column}", low, high)
        chosen = place.slider(
            columns.label(column),
            low,
            high,
            (low, high),
            step=step,
            key=f"filter.range.{column}",
            persist_state=SESSION,
        )
        # The ends of the slider are rounded; they mean no limit.
        bottom = -np.inf if chosen[0] <= low + step / 2 else chosen[0]
        top = np.inf if chosen[1] >= high - step / 2 else chosen[1]
        return values.between(bottom, top).to_numpy(dtype=bool)
    known = [str(one) for one in values.dropna().unique()]
    picked = place.multiselect(
        "Values", sorted(known), key=f"filter.values.{column}", persist_state=SESSION, placeholder="Choose values"
    )
    return values.astype(str).where(values.notna()).isin(picked).to_numpy(dtype=bool)


def case_list(frame: pd.DataFrame, chosen: NDArray[np.bool_]) -> None:
    """The chosen rows `[n]`, or all where none is chosen; ticked rows can become the selection."""
    rows = frame[chosen] if chosen.any() else frame
    shown = rows.head(MOST_ROWS)
    empty = [c for c in shown if shown[c].isna().all()]
    hidden = [c for c in (*columns.SOURCE, *empty) if c in shown]
    if len(rows) > len(shown):
        st.caption(f"The first {len(shown):,} of {len(rows):,} are shown; the CSV has all of them.")
    visible = shown.drop(columns=hidden)
    # Ticks are row numbers of this list: another list gets its own key and starts without ticks.
    listed = hashlib.sha256("\n".join(shown["item_id"]).encode()).hexdigest()[:12]
    event = st.dataframe(
        visible,
        hide_index=True,
        column_config=dict(columns.headings(visible)),
        placeholder="",
        height=280,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"list.{listed}",
    )
    marked = [shown["item_id"].iloc[row] for row in event["selection"]["rows"] if row < len(shown)]
    with st.container(horizontal=True, gap="small"):
        if st.button("Select the ticked rows", disabled=not marked, key="list.select"):
            inside = frame["item_id"].isin(marked).to_numpy(dtype=bool)
            state.put_selection(of_rows(frame, inside, "rows of the table"))
            st.rerun()
        table_download("items", lambda: rows.drop(columns=[c for c in ("image_path", "mask_path") if c in rows]))
