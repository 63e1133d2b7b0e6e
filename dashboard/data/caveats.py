"""What readers must know about the chosen columns, in the same words on the pages and in the report."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dashboard.data import columns

T_STAGE_AND_SIZE = (
    "In many cancers, such as lung and kidney, T stage is defined in part by tumour size, so part of the association "
    "between the two exists by definition."
)


def t_stage_and_size(frame: pd.DataFrame, stage: str, others: Sequence[str], *, size: str | None = None) -> str | None:
    """The sentence on T stage and size, if the stage is a T stage and a size was chosen or is among the others."""
    has_size = size is not None or not set(columns.sizes(frame)).isdisjoint(others)
    return T_STAGE_AND_SIZE if has_size and columns.is_t_stage(frame[stage]) else None


def censored(times: Sequence[str]) -> str | None:
    """Why follow-up times cannot be chosen or were left out; None without any."""
    if not times:
        return None
    names = ", ".join(columns.label(c) for c in times)
    return (
        f"Left out: {names}. Follow-up is censored in patients without the event; only the survival analysis accounts "
        "for that."
    )
