"""A plotly figure on a page: its text in the page's colour, and a description for screen readers."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dashboard.figures.style.contrast import DARK, LIGHT, on_page


def chart(figure: go.Figure, key: str, alt: str, *, selectable: bool = False) -> Any:
    """Show a figure.

    Args:
        key: of the chart on the page.
        alt: what it shows, for screen readers.
        selectable: whether points can be clicked or enclosed; the returned event then holds them and reruns the page.
    """
    # The theme is None until the browser has sent it.
    coloured = on_page(figure, DARK if st.context.theme.type == "dark" else LIGHT)
    selection: dict[str, Any] = {"on_select": "rerun", "selection_mode": ("points", "box", "lasso")}
    return st.plotly_chart(coloured, key=key, alt=alt, **(selection if selectable else {}))
