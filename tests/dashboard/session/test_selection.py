"""The selection as other pages draw it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

PAGE = """
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard.session import state
from dashboard.components.selection.chart_selection import mark_selected

frame = pd.DataFrame({"item_id": ["a/lesion", "b/lesion", "c/lesion"], "case_id": ["a", "b", "c"]})
points = go.Figure()
points.add_scatter(x=[1, 2], y=[1, 2], customdata=[["a/lesion"], ["b/lesion"]])
points.add_scatter(x=[3], y=[3], customdata=[["c/lesion"]])
mark_selected(points, frame)
st.session_state["before"] = [t.selectedpoints for t in points.data]
state.select(["b"])
mark_selected(points, frame)
st.session_state["after"] = [t.selectedpoints for t in points.data]
"""


def test_points_of_unselected_scans_fade_in_every_trace() -> None:
    app = AppTest.from_string(PAGE, default_timeout=600).run()
    assert not app.exception
    assert app.session_state["before"] == [None, None]
    assert [tuple(rows) for rows in app.session_state["after"]] == [(1,), ()]
    assert "1 selected scan" in app.caption[0].value
