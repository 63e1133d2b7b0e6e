"""The selected scans in a plotly figure of any page, and a selection made there."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.components.chart import chart
from dashboard.session import state
from dashboard.session.selection import combined
from embeddings.formatting import counted

# A plotly selection is sent back as some 130 bytes a point, again with every later run of the page.
MOST_POINTS = 5000


def selecting_chart(figure: go.Figure, frame: pd.DataFrame, key: str, alt: str, origin: str) -> None:
    """A figure that highlights the selected scans, and in which others can be selected by a box, a lasso or a click.

    Args:
        figure: its point traces carry the item id as `customdata[0]`.
        frame: rows with `item_id` and `case_id`.
        key: of the chart.
        alt: what it shows, for screen readers.
        origin: where the selection was made, in words.
    """
    mark_selected(figure, frame)
    if len(frame) > MOST_POINTS:
        chart(figure, key, alt)
        st.caption(f"Select on the **Map** page: this figure allows it for up to {MOST_POINTS:,} scans.")
        return
    # A selection would come again with every run: after one is used, the next chart has another key and starts empty.
    turn = st.session_state.get(f"{key}.turn", 0)
    figure.update_layout(dragmode="zoom")
    event = chart(figure, f"{key}.{turn}", alt, selectable=True)
    items = picked_items(event["selection"]["points"] if event else [])
    rows = frame["item_id"].isin(items).to_numpy(dtype=bool)
    if rows.any():
        st.session_state[f"{key}.turn"] = turn + 1
        state.put_selection(combined(frame, state.selected(), rows, "replace", origin))
        st.rerun()


def picked_items(points: Collection[dict]) -> set[str]:
    """Item ids of the points of a plotly event."""
    return {_item_id(point["customdata"]) for point in points if point.get("customdata")}


def mark_selected(figure: go.Figure, frame: pd.DataFrame) -> None:
    """Fade every point whose item is not selected, unless nothing is selected.

    Args:
        figure: its point traces carry the item id as `customdata[0]`.
        frame: rows with `item_id` and `case_id`.
    """
    chosen = set(frame.loc[state.selected().rows(frame), "item_id"])
    if not chosen:
        return
    for trace in figure.data:
        items = getattr(trace, "customdata", None)
        if items is not None and hasattr(trace, "selectedpoints"):
            trace.selectedpoints = _rows(items, chosen)
            trace.unselected = {"marker": {"opacity": 0.15}}
    st.caption(f"{counted(len(chosen), 'selected scan')} highlighted, the others faded.")


def _rows(items: Collection[object], chosen: set[str]) -> list[int]:
    return [row for row, item in enumerate(items) if _item_id(item) in chosen]


def _item_id(item: object) -> str:
    return item if isinstance(item, str) else str(item[0])  # type: ignore[index]
