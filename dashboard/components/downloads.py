"""Every figure as SVG, PDF and PNG, and its data as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd
import streamlit as st
from matplotlib.figure import Figure

from dashboard.figures.style.export import Format, csv_bytes, figure_bytes

_FORMATS: dict[Format, str] = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


def figure_downloads(
    name: str,
    draw: Callable[[], Figure],
    data: Callable[[], pd.DataFrame],
    panels: Mapping[str, Callable[[], pd.DataFrame]] | None = None,
) -> None:
    """Download buttons; a file is made when its button is pressed.

    Args:
        name: file name without ending.
        draw: makes the figure for print.
        data: makes the table behind it.
        panels: further tables by button, for panels whose values do not fit the rows of `data`.
    """
    with st.container(horizontal=True, gap="small"):
        for kind, mime in _FORMATS.items():
            st.download_button(
                kind.upper(),
                data=partial(_drawn, draw, kind),
                file_name=f"{name}.{kind}",
                mime=mime,
                key=f"download.{name}.{kind}",
                icon=":material/download:",
                on_click="ignore",
            )
        table_download(name, data)
        for label, table in (panels or {}).items():
            table_download(f"{name}-{label.casefold()}", table, label)


def _drawn(draw: Callable[[], Figure], kind: Format) -> bytes:
    return figure_bytes(draw(), kind)


def table_download(name: str, data: Callable[[], pd.DataFrame], label: str = "CSV") -> None:
    """One button for a table as CSV."""
    st.download_button(
        label,
        data=lambda: csv_bytes(data()),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"download.{name}.csv",
        icon=":material/table:",
        on_click="ignore",
        help="The data as CSV",
    )
