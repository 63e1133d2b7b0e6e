"""Cases side by side: one axial slice each, scrolled together, in one window."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard import loading
from dashboard.components.slice_image import WINDOWS, Window, axial_picture, in_lps
from dashboard.plain_text import plain
from embeddings.images import ImageError
from embeddings.store import Store
from flexict import Volume

NO_CT = "no CT is known for this case"


@dataclass(frozen=True)
class Panel:
    """One picture of the viewer: an item of a set, and the words above and below it."""

    item: pd.Series
    title: str
    caption: str


def window_controls(key: str) -> tuple[Window, bool]:
    """CT window and whether the mask is drawn, chosen by the user."""
    columns = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
    name = columns[0].selectbox("CT window", [*WINDOWS, "Own"], key=f"{key}.window")
    preset = WINDOWS.get(name, WINDOWS["Soft tissue"])
    own = name == "Own"
    width = columns[1].number_input("Width (HU)", 1, 4000, int(preset.width), disabled=not own, key=f"{key}.w.{own}")
    level = columns[2].number_input(
        "Level (HU)", -1500, 3000, int(preset.level), disabled=not own, key=f"{key}.l.{own}"
    )
    outline = columns[3].toggle("Mask outline", value=True, key=f"{key}.mask")
    return (Window(width, level) if own else preset), outline


def show_panels(cohort: Path, panels: list[Panel], window: Window, outline: bool, key: str, per_row: int = 3) -> None:
    """Draw the panels with one slider that scrolls all of them, in mm from each item's own centre.

    Where a CT is not mounted, its stored thumbnail is shown and says so.
    """
    offset = st.slider(
        "Scroll towards the head (+) or the feet (−), from the lesion, the slice or the middle of the scan",
        -60.0,
        60.0,
        0.0,
        1.0,
        format="%d mm",
        key=f"{key}.scroll",
        help="Arrow keys move it when it has the focus. All scans move together.",
    )
    for start in range(0, len(panels), per_row):
        for column, panel in zip(st.columns(per_row), panels[start : start + per_row], strict=False):
            with column:
                st.markdown(panel.title)
                _picture(cohort, panel, window, outline, offset)
                st.caption(panel.caption)


def _picture(cohort: Path, panel: Panel, window: Window, outline: bool, offset_mm: float) -> None:
    alt = f"Axial CT slice of {panel.item['case_id']}"
    if pd.isna(panel.item["image_path"]):
        _thumbnail(cohort, str(panel.item["item_id"]), NO_CT, alt)
        return
    try:
        volume, mask = _volume(str(panel.item["image_path"]), panel.item.get("mask_path") if outline else None)
    except (ImageError, OSError) as error:
        _thumbnail(cohort, str(panel.item["item_id"]), str(error), alt)
        return
    centre = _centre_index(volume, panel.item)
    index = int(np.clip(round(centre + offset_mm / volume.spacing[2]), 0, volume.shape[0] - 1))
    height = volume.lps_of((float(index), 0.0, 0.0))[2]
    st.image(axial_picture(volume, index, window, mask), width="stretch", alt=alt)
    st.caption(f"slice {index + 1} of {volume.shape[0]}, z = {height:.0f} mm (LPS)")


def _volume(image_path: str, mask_path: str | None) -> tuple[Volume, Volume | None]:
    loading.check_place(Path(image_path))
    image_ns = Path(image_path).stat().st_mtime_ns
    volume = _oriented(image_path, image_ns)
    if not mask_path or pd.isna(mask_path):
        return volume, None
    try:
        loading.check_place(Path(mask_path))
        return volume, _oriented_mask(mask_path, Path(mask_path).stat().st_mtime_ns, image_path, image_ns)
    except (ImageError, OSError) as error:
        st.caption(f"No outline: {plain(error)}")
        return volume, None


@st.cache_resource(max_entries=12, show_spinner=False)
def _oriented(path: str, modified_ns: int) -> Volume:
    return in_lps(loading.scan(path, modified_ns))


@st.cache_resource(max_entries=12, show_spinner=False)
def _oriented_mask(path: str, modified_ns: int, image_path: str, image_modified_ns: int) -> Volume:
    return in_lps(loading.scan_mask(path, modified_ns, image_path, image_modified_ns))


def _centre_index(volume: Volume, item: pd.Series) -> float:
    """The slice that the item is about: its own height, the lesion's centroid, or the middle of the scan."""
    if pd.notna(item.get("z_lps_mm")):
        point = (volume.origin[0], volume.origin[1], float(item["z_lps_mm"]))
        return float(volume.index_of(point)[0])
    if pd.notna(item.get("centroid_z")):
        return float(volume.index_of((item["centroid_x"], item["centroid_y"], item["centroid_z"]))[0])
    return (volume.shape[0] - 1) / 2


def _thumbnail(cohort: Path, item_id: str, reason: str, alt: str) -> None:
    stored = Store(cohort).thumbnail(item_id)
    if stored is None and reason == NO_CT:
        # Of imported vectors this is as expected: nothing went wrong.
        st.caption(f"No picture: {reason}.")
        return
    if stored is None:
        st.warning(f"Neither the CT nor a thumbnail can be shown: {plain(reason)}")
        return
    st.image(Image.open(io.BytesIO(stored.png)).resize((420, 420)), width="stretch", alt=alt)
    st.caption(f"Stored thumbnail ({stored.window} window), because the CT cannot be read: {plain(reason)}")
