"""The columns of a cohort for the audit of shortcuts: all that measure the size of the tumour count as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.data import columns
from embeddings.analysis import one_quantity

TUMOUR_SIZE = "tumour size"
# Further measures of size, such as a volume in mm3 or a count of voxels.
_MEASURES = ("volume", "voxel", "axis")

Audited = Mapping[str, NDArray | Mapping[str, NDArray]]


def audited(frame: pd.DataFrame, chosen: Sequence[str]) -> Audited:
    """Values [n], None where missing, by the column's name in words, or by the column where two would have the same.

    Columns named like a tumour size or measured from the mask that increase together are one finding, "tumour size":
    five rows would count one thing five times.
    """
    headings = columns.headings(frame[list(chosen)])
    names = {c: headings.get(c, c) for c in chosen}
    group = _of_tumour(frame, chosen)
    others = [name for column, name in names.items() if column not in group]
    size = TUMOUR_SIZE if TUMOUR_SIZE not in others else f"{TUMOUR_SIZE}, {len(group)} columns"
    found: dict[str, NDArray | Mapping[str, NDArray]] = {}
    for column, name in names.items():
        if column not in group:
            found[name] = np.array([None if pd.isna(value) else value for value in frame[column]], dtype=object)
        elif size not in found:
            found[size] = {names[one]: _numbers(frame[one]) for one in group}
    return found


def _of_tumour(frame: pd.DataFrame, chosen: Sequence[str]) -> tuple[str, ...]:
    """The chosen columns that measure the size of the tumour, if more than one; in the cohort's order, so that page and
    report agree.
    """
    numbers, sizes = columns.numeric(frame), columns.sizes(frame)
    sized = [c for c in chosen if c in sizes or (c in numbers and any(part in c.casefold() for part in _MEASURES))]
    named = [c for c in frame.columns if c in sized]
    return one_quantity({c: _numbers(frame[c]) for c in named})


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
