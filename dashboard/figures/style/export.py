"""Figures and tables as bytes to download."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Format = Literal["svg", "pdf", "png"]

# Dates would make the bytes of one figure differ from run to run.
_METADATA: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def figure_bytes(figure: Figure, format: Format) -> bytes:
    """The figure as SVG (text as text), PDF (fonts embedded as TrueType) or PNG (300 dpi).

    Raises ValueError on another format.
    """
    if format not in _METADATA:
        raise ValueError(f"A figure can be saved as svg, pdf or png, not as '{format}'.")
    FigureCanvasAgg(figure)
    buffer = BytesIO()
    figure.savefig(buffer, format=format, dpi=300, metadata=_METADATA[format])
    return buffer.getvalue()


def csv_bytes(table: pd.DataFrame) -> bytes:
    """The table as UTF-8 CSV without its index.

    Text that a spreadsheet would run as a formula (it starts with = + - @ or a control character) gets an
    apostrophe before it; numbers are left alone.
    """
    safe = table.copy()
    for position, column in enumerate(table.columns):
        if not (pd.api.types.is_numeric_dtype(table[column]) or pd.api.types.is_bool_dtype(table[column])):
            cells = [_defused(cell) for cell in table.iloc[:, position]]
            safe.isetitem(position, np.array(cells, dtype=object))
    safe.columns = [_defused(column) for column in table.columns]
    # Line ends of RFC 4180: with them a carriage return within a cell is quoted and cannot begin a row.
    return safe.to_csv(index=False, lineterminator="\r\n").encode("utf-8")


def _defused(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
