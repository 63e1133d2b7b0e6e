"""What every figure, page and report must say of its data: that they are simulated, or that the encoder is not the
published one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from embeddings.records import CohortInfo

SIMULATED = "Simulated demonstration cohort: not patient data, not a finding"
NOT_PUBLISHED = "Encoder: flexict-nano (small demonstration encoder, not the published FlexiCT)"
NANO_VLM_NOT_PUBLISHED = NOT_PUBLISHED.replace("flexict-nano", "flexict-nano-vlm")
_BUNDLED = {"flexict-nano": NOT_PUBLISHED, "flexict-nano-vlm": NANO_VLM_NOT_PUBLISHED}
RESEARCH_ONLY = "Research use only, never for diagnosis"


def figure_footer(info: CohortInfo, embedding_set: pd.Series | Mapping[str, Any]) -> str | None:
    """The line on every exported figure, or None if none is needed."""
    lines = [SIMULATED] if info.simulated else []
    if not bool(embedding_set["is_published"]):
        lines.append(encoder_line(str(embedding_set["encoder"])))
    return ". ".join(lines) or None


def sets_footer(info: CohortInfo, sets: pd.DataFrame) -> str | None:
    """The line on a figure of several embedding sets, each encoder once, or None if none is needed."""
    lines = [SIMULATED] if info.simulated else []
    unpublished = list(dict.fromkeys(sets.loc[~sets["is_published"].astype(bool), "encoder"].astype(str)))
    if len(unpublished) == 1:
        lines.append(encoder_line(unpublished[0]))
    elif unpublished:
        lines.append(f"Encoders: {', '.join(unpublished)} (not the published FlexiCT)")
    return ". ".join(lines) or None


def encoder_line(encoder: str) -> str:
    """The statement on an encoder whose weights are not published FlexiCT weights."""
    return _BUNDLED.get(encoder, f"Encoder: {encoder} (not published FlexiCT weights)")
