"""The embedding sets of a cohort file: their order and their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

VIEW_WORDS = {"volume": "whole volumes", "slices": "axial slices", "lesion": "lesion crops"}
_VIEW_RANK = {"lesion": 0, "volume": 1, "slices": 2}


def ranked(sets: pd.DataFrame) -> pd.DataFrame:
    """The sets that have vectors: published weights first, then lesion crops, volumes, slices."""
    usable = sets[sets["n_items"] > 0]
    return usable.assign(rank=usable["view"].map(_VIEW_RANK)).sort_values(
        ["is_published", "rank"], ascending=[False, True], kind="stable"
    )


def linked(sets: pd.DataFrame, set_id: str) -> list[str]:
    """The sets that differ from this one only in the size of the lesion crop, such as 1.5 and 2.0 lesion sizes.

    Their items are the same lesions, so their rankings of neighbours can be fused.
    """
    kinds = sets[["encoder", "weights_sha256", "view", "pooling", "code_version"]].astype(str)
    kinds["preset"] = sets["preset"].astype(str).str.split("@").str[0]
    mine = sets["set_id"] == set_id
    same = (kinds == kinds[mine].iloc[0]).all(axis=1) & ~mine & (sets["n_items"] > 0)
    return [str(one) for one in sets.loc[same, "set_id"]]


def words(embedding_set: pd.Series | Mapping[str, Any]) -> str:
    """A set in words, such as "Lesion crops · flexict-3d"."""
    return f"{VIEW_WORDS[str(embedding_set['view'])].capitalize()} · {embedding_set['encoder']}"


def labels(sets: pd.DataFrame) -> dict[str, str]:
    """Set id -> words, followed by preset, pooling or id as needed to make each unique.

    In a list of choices with equal words, Streamlit always returns the first.
    """
    found = {str(row["set_id"]): words(row) for _, row in sets.iterrows()}
    for column in ("preset", "pooling", "set_id"):
        said = list(found.values())
        for _, row in sets.iterrows():
            name = str(row["set_id"])
            if said.count(found[name]) > 1:
                found[name] = f"{found[name]} · {row[column]}"
    return found
