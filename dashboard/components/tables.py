"""Tables on a page, with their CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.components.downloads import table_download
from dashboard.data import columns
from dashboard.wording.result_tables import as_text


def data_table(
    frame: pd.DataFrame,
    name: str,
    config: Mapping[str, Any] | None = None,
    *,
    csv: pd.DataFrame | None = None,
    **more: Any,
) -> None:
    """A table of scans or items and its CSV.

    Args:
        frame: what is shown; a missing value is an empty cell.
        name: file name of the CSV without ending.
        config: headings or column settings, where the column's name in words is not enough.
        csv: the table of the CSV, where it has more than is shown.
        more: as `st.dataframe` takes it.
    """
    headings = {**columns.headings(frame), **(config or {})}
    st.dataframe(frame, hide_index=True, placeholder="", column_config=headings, **more)
    table_download(name, lambda: frame if csv is None else csv)


def result_table(table: pd.DataFrame, named: Mapping[str, str] | None = None) -> None:
    """Estimates with their intervals and p-values as text; named: as `as_text` takes it."""
    st.dataframe(as_text(table, named), hide_index=True)
