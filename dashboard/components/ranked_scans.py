"""Scans ranked by similarity: side by side in the viewer, and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.components.selection.case_picker import title_of
from dashboard.components.tables import data_table
from dashboard.components.viewer.slice_viewer import Panel
from dashboard.data import columns


def ranked(rows: pd.DataFrame, measure: str, values: NDArray[np.float64] | list[float]) -> pd.DataFrame:
    """The rows, most similar first, with columns `rank` (from 1) and `measure` (the values `[n]`)."""
    return rows.assign(rank=range(1, len(rows) + 1), **{measure: values})


def ranked_panels(rows: pd.DataFrame, measure: str, digits: int = 3) -> list[Panel]:
    """A panel for each row of `ranked`."""
    return [
        Panel(
            row,
            f"{row['rank']} · {title_of(row)} · {measure} {row[measure]:.{digits}f}",
            facts_of(row),
            {"rank": row["rank"], measure: row[measure]},
        )
        for _, row in rows.iterrows()
    ]


def ranked_table(
    rows: pd.DataFrame,
    described: pd.DataFrame,
    front: Sequence[str],
    name: str,
    config: Mapping[str, Any] | None = None,
    **more: Any,
) -> None:
    """The rows of `ranked` as a table.

    Args:
        described: all scans: what tells them from each other is shown, also where these rows have it in common.
        front: columns that come first.
        name, config, more: see `data_table`.
    """
    rest = [c for c in columns.describing(described) if c not in front]
    data_table(rows[[*front, *rest]], name, config, **more)


def facts_of(row: pd.Series) -> str:
    """Stage and size of a scan, for the line below its picture."""
    facts = []
    if pd.notna(row.get("stage")):
        facts.append(f"stage {row['stage']}")
    if pd.notna(row.get("equivalent_diameter_mm")):
        facts.append(f"{row['equivalent_diameter_mm']:.0f} mm equivalent diameter")
    return ", ".join(facts)
