"""Which column of an uploaded CSV has which role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

ROLES = {
    "image_path": ("CT file or DICOM folder", True),
    "case_id": ("Case id", False),
    "patient_id": ("Patient id", False),
    "stage": ("Stage or grade", False),
    "mask_path": ("Lesion mask", False),
    "mask_label": ("Label of the lesion in the mask", False),
    "seed_x": ("Lesion seed x (LPS mm)", False),
    "seed_y": ("Lesion seed y (LPS mm)", False),
    "seed_z": ("Lesion seed z (LPS mm)", False),
}
NONE = "(none)"


def column_mapping(header: Sequence[str], found: Mapping[str, str], key: str) -> dict[str, str]:
    """Let the user correct the roles that were found; returns only what differs, as role -> column ('' for none)."""
    chosen: dict[str, str] = {}
    options = [NONE, *header]
    grid = st.columns(4)
    for position, (role, (words, needed)) in enumerate(ROLES.items()):
        current = found.get(role)
        with grid[position % 4]:
            picked = st.selectbox(
                words + (" *" if needed else ""),
                options,
                index=options.index(current) if current in options else 0,
                key=f"{key}.{role}",
            )
        if picked != (current or NONE):
            chosen[role] = "" if picked == NONE else picked
    return chosen
