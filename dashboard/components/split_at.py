"""Where ordered classes are split into two groups, for a probe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dashboard.components.choices import pick_column
from dashboard.data import columns

APART = "keep all classes"


def split_at(frame: pd.DataFrame, column: str, place: Any, key: str) -> str | None:
    """The class from which on the others are counted together; None where all classes are kept, or no choice is needed.

    The split that halves the labelled cases best is the default; two classes, or classes without an order, have none.
    """
    if column not in columns.stages(frame):
        return None
    codes, order = columns.codes(frame, column)
    if len(order) < 3:
        return None
    known = codes[codes >= 0]
    uneven = [abs(float(np.mean(known >= at)) - 0.5) for at in range(1, len(order))]
    picked = pick_column(
        place,
        "Split at",
        [APART, *order[1:]],
        key,
        index=1 + int(np.argmin(uneven)),
        words=lambda one: one if one == APART else f"{one} and above against the rest",
    )
    return None if picked == APART else picked
