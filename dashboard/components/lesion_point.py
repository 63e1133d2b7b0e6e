"""A point in a lesion, in LPS millimetres: found by slice, row and column of the picture, or typed."""

from __future__ import annotations

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from dashboard.components.slice_image import EDGE_PX, OUTLINE, Window, axial_picture
from flexict import Volume

_CROSS_PX = 9


def lesion_point(volume: Volume, window: Window, key: str) -> tuple[float, float, float]:
    """Let the user place a point in a CT of LPS orientation; drawn as a cross on its slice.

    Returns the point as (x, y, z) in LPS mm, within the scan.
    """
    low, high = _corners(volume)
    middle = (low + high) / 2
    left, right = st.columns([3, 2])
    with right:
        st.markdown("**A point in the lesion**, LPS mm: x grows to the patient's left, y to the back, z to the head")
        values = [
            st.number_input(
                f"{axis} (mm)",
                float(low[place]),
                float(high[place]),
                float(np.clip(round(middle[place], 1), low[place], high[place])),
                step=1.0,
                format="%.1f",
                key=f"{key}.{axis}",
            )
            for place, axis in enumerate("xyz")
        ]
        point = (float(values[0]), float(values[1]), float(values[2]))
        index = np.clip(np.rint(volume.index_of(point)), 0, np.array(volume.shape) - 1).astype(int)
        st.caption(
            f"Slice {index[0] + 1} of {volume.shape[0]}, row {index[1] + 1} of {volume.shape[1]}, "
            f"column {index[2] + 1} of {volume.shape[2]}."
        )
        up, down = st.columns(2)
        step = float(volume.spacing[2])
        up.button("Slice up", icon=":material/arrow_upward:", on_click=_move, args=(key, step, low[2], high[2]))
        down.button("Slice down", icon=":material/arrow_downward:", on_click=_move, args=(key, -step, low[2], high[2]))
    left.image(
        _with_cross(axial_picture(volume, int(index[0]), window), volume, (int(index[1]), int(index[2]))),
        width="stretch",
        alt=f"Axial slice {index[0] + 1} with a cross at the point",
    )
    return point


def _move(key: str, step: float, low: float, high: float) -> None:
    name = f"{key}.z"
    st.session_state[name] = float(np.clip(st.session_state[name] + step, low, high))


def _corners(volume: Volume) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest voxel centre along x, y and z, LPS mm."""
    last = np.array(volume.shape, dtype=float) - 1
    corners = np.array([volume.lps_of((0.0, 0.0, 0.0)), volume.lps_of((last[0], last[1], last[2]))])
    return corners.min(axis=0), corners.max(axis=0)


def _with_cross(picture: Image.Image, volume: Volume, row_column: tuple[int, int]) -> Image.Image:
    dx, dy, _ = volume.spacing
    rows, cols = volume.shape[1:]
    per_mm = EDGE_PX / max(rows * dy, cols * dx)
    x, y = (row_column[1] + 0.5) * dx * per_mm, (row_column[0] + 0.5) * dy * per_mm
    draw = ImageDraw.Draw(picture)
    draw.line([(x - _CROSS_PX, y), (x + _CROSS_PX, y)], fill=OUTLINE, width=2)
    draw.line([(x, y - _CROSS_PX), (x, y + _CROSS_PX)], fill=OUTLINE, width=2)
    return picture
