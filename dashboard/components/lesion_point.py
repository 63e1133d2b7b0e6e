"""A point in a lesion, in LPS millimetres: clicked in the viewer, or typed."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from flexict import Volume

Point = tuple[float, float, float]


def lesion_point(volume: Volume, clicked: Point | None, key: str) -> Point | None:
    """The point clicked last or typed since, (x, y, z) in LPS mm; None before either.

    Args:
        volume: CT in LPS orientation; points beyond it are moved to its edge.
        clicked: where the viewer was clicked last.
        key: of the number fields.
    """
    low, high = _corners(volume)
    taken = f"{key}.clicked"
    if clicked is not None and st.session_state.get(taken) != clicked:
        st.session_state[taken] = clicked
        for axis, value, least, most in zip("xyz", clicked, low, high, strict=True):
            st.session_state[f"{key}.{axis}"] = float(np.clip(round(value, 1), least, most))
    st.markdown(
        "**A point in the lesion**: click it above, or type it in LPS mm. x increases towards the patient's left, y "
        "towards the back, z towards the head."
    )
    values = [
        column.number_input(
            f"{axis} (mm)", float(low[place]), float(high[place]), None, step=1.0, format="%.1f", key=f"{key}.{axis}"
        )
        for place, (axis, column) in enumerate(zip("xyz", st.columns(3), strict=True))
    ]
    if any(value is None for value in values):
        return None
    x, y, z = (float(value) for value in values if value is not None)
    return x, y, z


def _corners(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and the highest voxel centre along x, y and z, LPS mm."""
    last = np.array(volume.shape, dtype=float) - 1
    corners = np.array([volume.lps_of((0.0, 0.0, 0.0)), volume.lps_of((last[0], last[1], last[2]))])
    return corners.min(axis=0), corners.max(axis=0)
