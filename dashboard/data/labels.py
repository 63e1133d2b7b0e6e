"""The classes of a column as a probe or a search takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.data import columns
from embeddings.analysis import StageLabel


def labels_of(frame: pd.DataFrame, column: str, cut: str | None = None) -> NDArray[np.object_]:
    """The class of each row `[n]`, None where it is missing; classes of an ordered column sort in its order.

    cut: the class of an ordered column from which on the classes are counted together, and those below it too.
    """
    if column not in columns.stages(frame):
        return np.array([None if pd.isna(value) else str(value) for value in frame[column]], dtype=object)
    codes, order = columns.codes(frame, column)
    classes = [StageLabel(code, name) for code, name in enumerate(order)]
    if cut is not None:
        at = order.index(cut)
        low, high = StageLabel(0, _span(order[:at])), StageLabel(1, _span(order[at:]))
        classes = [low if code < at else high for code in range(len(order))]
    return np.array([None if code < 0 else classes[code] for code in codes], dtype=object)


def _span(order: Sequence[str]) -> str:
    return order[0] if len(order) == 1 else f"{order[0]} to {order[-1]}"
