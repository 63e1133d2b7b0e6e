"""Cases side by side in one viewer: scrolled, zoomed and windowed together, in mm from each item's own centre."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from matplotlib.figure import Figure

from dashboard.components.downloads import figure_downloads
from dashboard.components.viewer.answer import Shown, answer, clicked_lps
from dashboard.components.viewer.component import last_request, mount_feed, mount_viewer
from dashboard.components.viewer.message import Request, RequestError, read_request
from dashboard.components.viewer.patch_encoder import SetEncoder
from dashboard.components.viewer.shown_slices import panel_slices
from dashboard.components.viewer.slice_image import WINDOWS
from dashboard.data import loading
from dashboard.data.planes import PLANES
from dashboard.data.scan_files import ScanFiles
from dashboard.data.scans import files_of
from dashboard.figures import slices
from dashboard.figures.slices import GreyWindow
from dashboard.wording.escaping import plain
from flexict.presets.preprocess import PreprocessError
from flexict.presets.presets import read_label

__all__ = ["Panel", "ViewerState", "show_panels"]


@dataclass(frozen=True)
class Panel:
    """One picture of the viewer: an item of a set, the plain words above and below it, and numbers for its table."""

    item: pd.Series
    title: str
    caption: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ViewerState:
    """What the viewer shows, and where it was clicked last.

    Attributes:
        clicked_item: id of the item that was clicked; None before a click.
        clicked_lps: LPS mm of that point.
        plane: `axial`, `coronal` or `sagittal`.
        offset_mm: from each item's centre along the plane's axis: to the head (axial), to the back (coronal), to the
            patient's left (sagittal).
        window: a name of `WINDOWS`, or `Own`.
    """

    clicked_item: str | None
    clicked_lps: tuple[float, float, float] | None
    plane: str
    offset_mm: float
    window: str


def show_panels(
    cohort: Path,
    panels: list[Panel],
    key: str,
    *,
    embedding_set: pd.Series | None = None,
    footer: str | None = None,
    plane: str = "axial",
    offset_mm: float = 0.0,
    window: str = "Soft tissue",
    rerun_on_click: bool = False,
    on_view: Callable[[ViewerState], None] | None = None,
    download: str | None = None,
    from_middle: bool = False,
) -> ViewerState:
    """Draw the panels, and tell what they show.

    Where a CT is not mounted, its stored thumbnail is shown and says so. The viewer fetches slices by itself: the page
    is run again only where `rerun_on_click` asks for it.

    Args:
        cohort: the cohort file, which holds the thumbnails.
        panels: at least one; rows of `Store.table`, or of the same columns.
        key: of the viewer on the page.
        embedding_set: row of the set that the items are of (`Context.embedding_set`): it tells which box was embedded,
            and which encoder makes the maps.
        footer: what pictures that are downloaded must carry (`Context.footer`).
        plane, offset_mm, window: what is shown first, such as from a link. Other panels start there again.
        rerun_on_click: run the whole page when a point was clicked, so that it can use it.
        on_view: is told what is shown whenever the viewer asks for slices, without a run of the page.
        download: name of the files that what is shown can be taken as, below the viewer; None for no such buttons.
        from_middle: open every scan at its middle: for scans side by side of which one has no known lesion.

    Raises:
        ValueError: no panel, or a plane or window that does not exist.
    """
    if not panels:
        raise ValueError("the viewer needs a panel")
    if plane not in PLANES:
        raise ValueError(f"there is no plane {plane!r}: choose {', '.join(PLANES)}")
    if window not in WINDOWS:
        raise ValueError(f"there is no window {window!r}: choose {', '.join(WINDOWS)}")
    place = [0.0, 0.0, 0.0]
    place[PLANES[plane].through] = float(offset_mm)
    preset = _preset(embedding_set)
    scans = ScanFiles.of_cohort(st.session_state["settings"], cohort, loading.cohort_info(cohort))
    shown = Shown(
        cohort=cohort,
        files=tuple(files_of(panel.item, preset, scans, from_middle=from_middle) for panel in panels),
        titles=tuple(p.title for p in panels),
        captions=tuple(p.caption for p in panels),
        footer=footer,
        encoder=_encoder(embedding_set),
        start=(plane, (place[0], place[1], place[2]), window),
    )
    mount_viewer(f"{key}.canvas", f"{key}.viewer")
    _feed(shown, f"{key}.viewer", rerun_on_click, on_view)
    if download is not None:
        _downloads(download, shown, tuple(panel.numbers for panel in panels), st.session_state[f"{key}.viewer.seen"])
    return _state(shown, f"{key}.viewer")


@dataclass
class _Seen:
    """What a viewer shows now: a file is made outside the run of the page, where its state cannot be asked for."""

    plane: str = "axial"
    offset_mm: float = 0.0
    window: GreyWindow = field(default_factory=lambda: GreyWindow("Soft tissue", 400, 40))

    def update(self, shown: Shown, request: Request | None) -> None:
        """Take what the browser tells; before it has told anything, what it starts with."""
        self.plane, place, name = shown.start
        width, level = WINDOWS[name].width, WINDOWS[name].level
        if request is not None:
            self.plane, place, (name, width, level) = request.plane, request.place, request.window
        self.offset_mm = place[PLANES[self.plane].through]
        self.window = GreyWindow(name, width, level)


def _downloads(name: str, shown: Shown, numbers: tuple[Mapping[str, float], ...], seen: _Seen) -> None:
    """What is seen when a button is pressed, as a figure for print and as its table."""

    def panels() -> list[slices.PanelSlice]:
        return panel_slices(shown, seen.plane, seen.offset_mm, numbers)

    def draw() -> Figure:
        title = f"CT slices, {seen.plane}, {seen.offset_mm:+z.0f} mm from the centre of each item"
        return slices.print_figure(panels(), seen.window, title=title, footer=shown.footer)

    figure_downloads(name, draw, lambda: slices.data(panels(), seen.window))


@st.fragment
def _feed(shown: Shown, key: str, rerun_on_click: bool, on_view: Callable[[ViewerState], None] | None) -> None:
    request = _request(shown, key)
    st.session_state.setdefault(f"{key}.seen", _Seen()).update(shown, request)
    if on_view is not None and request is not None:
        on_view(_state(shown, key))
    mount_feed(key, answer(shown, request, key))
    clicks = 0 if request is None or request.point is None else request.point.n
    before, after = st.session_state.get(f"{key}.clicks"), (shown.signature, clicks)
    st.session_state[f"{key}.clicks"] = after
    if rerun_on_click and clicks and before is not None and before != after:
        st.rerun()


def _request(shown: Shown, key: str) -> Request | None:
    """What the browser asks of these panels; None where it has not seen them yet."""
    raw: Any = last_request(key)
    if not isinstance(raw, dict) or raw.get("signature") != shown.signature:
        return None
    try:
        return read_request(raw, len(shown.files))
    except RequestError as error:
        st.error(plain(error))
        return None


def _state(shown: Shown, key: str) -> ViewerState:
    request = _request(shown, key)
    if request is None:
        plane, place, window = shown.start
        return ViewerState(None, None, plane, place[PLANES[plane].through], window)
    clicked = clicked_lps(shown, request)
    item, lps = clicked if clicked is not None else (None, None)
    return ViewerState(item, lps, request.plane, request.place[PLANES[request.plane].through], request.window[0])


def _preset(embedding_set: pd.Series | None) -> str | None:
    """The label of a set's preset; None where it is not known what was embedded, such as of imported vectors."""
    if embedding_set is None:
        return None
    try:
        read_label(str(embedding_set["preset"]))
    except PreprocessError:
        return None
    return str(embedding_set["preset"])


def _encoder(embedding_set: pd.Series | None) -> SetEncoder | None:
    if embedding_set is None:
        return None
    return SetEncoder(
        str(embedding_set["encoder"]), str(embedding_set["weights_sha256"]), str(embedding_set["pooling"])
    )
