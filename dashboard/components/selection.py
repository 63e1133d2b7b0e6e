"""The selected scans in a figure of any page."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import state


def mark_selected(figure: go.Figure, frame: pd.DataFrame) -> None:
    """Fade every point whose item is not selected; nothing changes while nothing is selected.

    Args:
        figure: its point traces carry the item id as `customdata[0]`.
        frame: rows with `item_id` and `case_id`.
    """
    chosen = set(frame.loc[frame["case_id"].isin(state.selection()), "item_id"])
    if not chosen:
        return
    for trace in figure.data:
        items = getattr(trace, "customdata", None)
        if items is not None and hasattr(trace, "selectedpoints"):
            trace.selectedpoints = _rows(items, chosen)
            trace.unselected = {"marker": {"opacity": 0.15}}
    st.caption(f"{len(chosen)} selected scans are drawn in full, the others faded.")


def _rows(items: Collection[object], chosen: set[str]) -> list[int]:
    return [row for row, item in enumerate(items) if _item_id(item) in chosen]


def _item_id(item: object) -> str:
    return item if isinstance(item, str) else str(item[0])  # type: ignore[index]
