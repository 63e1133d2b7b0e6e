"""Which columns of a cohort can serve as stage, size, colour or covariate."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from embeddings.stages import stage_codes, stage_order

MAX_STAGES = 15
SIZE_COLUMNS = ("equivalent_diameter_mm", "max_extent_mm", "volume_ml")
SIZE_WORDS = ("diameter", "volume_ml", "extent", "size", "diam")
UNITS = {"_mm": "mm", "_ml": "ml", "_hu": "HU", "_days": "days", "_age": "years"}
_NOT_COVARIATES = frozenset(
    {
        "item_id",
        "case_id",
        "patient_id",
        "view",
        "slice_index",
        "z_lps_mm",
        "row",
        "image_path",
        "mask_path",
        "seed_x",
        "seed_y",
        "seed_z",
        "lesion_source",
        "centroid_x",
        "centroid_y",
        "centroid_z",
    }
)


def describing(frame: pd.DataFrame) -> list[str]:
    """Columns that tell something of a case: no ids, paths or coordinates, and not empty or constant."""
    return [c for c in map(str, frame.columns) if c not in _NOT_COVARIATES and frame[c].dropna().nunique() > 1]


def numeric(frame: pd.DataFrame) -> list[str]:
    """Describing columns that hold numbers (flags are not numbers)."""
    return [
        c
        for c in describing(frame)
        if pd.api.types.is_numeric_dtype(frame[c]) and not pd.api.types.is_bool_dtype(frame[c])
    ]


def sizes(frame: pd.DataFrame) -> list[str]:
    """Numeric columns that measure the tumour: measured from the mask first, then those named like a size."""
    found = numeric(frame)
    named = [c for c in found if c not in SIZE_COLUMNS and any(word in c.casefold() for word in SIZE_WORDS)]
    return [c for c in SIZE_COLUMNS if c in found] + named


def stages(frame: pd.DataFrame) -> list[str]:
    """Columns that read as an ordered stage or grade, the cohort's own stage first."""
    found = []
    for column in describing(frame):
        values = frame[column].dropna()
        if not 2 <= values.nunique() <= MAX_STAGES or pd.api.types.is_float_dtype(values):
            continue
        try:
            order = stage_order([str(v) for v in values])
        except ValueError:
            continue
        if len(order) >= 2:
            found.append(column)
    return sorted(found, key=lambda c: (c != "stage", "stage" not in c.casefold(), "grade" not in c.casefold()))


def codes(frame: pd.DataFrame, column: str) -> tuple[NDArray[np.int64], list[str]]:
    """Stage codes of a column (-1 where unstaged) and the order they count in."""
    return stage_codes([None if pd.isna(v) else str(v) for v in frame[column]])


def unit(column: str) -> str | None:
    """The unit that a column's name gives away."""
    name = f"_{column.casefold()}"
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), None)


def label(column: str) -> str:
    """A column's name as people write it, with its unit."""
    found = unit(column)
    return name_only(column) + (f" ({found})" if found else "")


def name_only(column: str) -> str:
    """A column's name as people write it, without its unit."""
    found = unit(column)
    short = column[: -len(found) - 1] if found and column.casefold().endswith(f"_{found.casefold()}") else column
    return short.replace("_", " ")
