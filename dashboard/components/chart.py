"""A plotly figure on a page: its text in the page's colour, and words for who cannot see it."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.figures.style.contrast import DARK, LIGHT, on_page


def chart(figure: go.Figure, key: str, alt: str) -> None:
    """Show a figure. alt: what it shows, for screen readers."""
    st.plotly_chart(_coloured(figure), key=key, alt=alt)


def chart_to_select_in(figure: go.Figure, key: str, alt: str) -> Any:
    """Show a figure in which points can be clicked or enclosed; its event, which runs the page again."""
    return st.plotly_chart(
        _coloured(figure),
        key=key,
        alt=alt,
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
    )


def _coloured(figure: go.Figure) -> go.Figure:
    # None where a browser has not told yet.
    return on_page(figure, DARK if st.context.theme.type == "dark" else LIGHT)
