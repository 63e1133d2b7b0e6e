"""What says in a table that a value is missing, and what only looks like it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from embeddings.missing_values import is_missing


@pytest.mark.parametrize(
    "value",
    [
        *("", "  ", "'--", "--", "-", "\u2013", "?", ".", "NA", "n/a", "N.A.", "#N/A", "<NA>", "NaN", "NULL", "None"),
        *("Unknown", "[Unknown]", "(unknown)", "not_reported", "Not  Collected", "[Not Available]", "'Not Reported'"),
        *("Not Allowed To Collect", "Not Recorded In Database", "\uff2e\uff21"),
        *(None, float("nan"), np.nan, pd.NA, pd.NaT),
    ],
)
def test_markers_of_a_missing_value(value: object) -> None:
    assert is_missing(value)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "0",
            "no",
            "+",
            "(-)",
            "(+)",
            "nano",
            "NA12878",
            "not staged",
            "negative",
            "T1",
            "-1",
            "...",
            "unknown primary",
        ),
        *(0, False, 0.0),
    ],
)
def test_values_that_only_look_like_a_marker(value: object) -> None:
    assert not is_missing(value)
