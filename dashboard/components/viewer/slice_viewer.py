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
    """One picture of the viewer: an item of a set, plain text above and below it, and numbers for its table."""

    item: pd.Series
    title: str
    caption: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass
class ViewerState:
    """What a viewer shows now, and where it was clicked last.

    It changes in place: a download is made outside the run of the page, where the session's state cannot be read.

    Attributes:
        plane: `axial`, `coronal` or `sagittal`.
        offset_mm: from each item's centre along the plane's axis: to the head (axial), to the back (coronal), to the
            patient's left (sagittal).
        clicked_item: id of the item that was clicked; None before a click.
        clicked_lps: LPS mm of that point.
    """

    plane: str = "axial"
    offset_mm: float = 0.0
    window: GreyWindow = WINDOWS["Soft tissue"]
    clicked_item: str | None = None
    clicked_lps: tuple[float, float, float] | None = None

    def update(self, shown: Shown, request: Request | None) -> None:
        """Take the browser's state; before it has sent any, what the viewer starts with."""
        self.plane, place, name = shown.start
        self.window, clicked = WINDOWS[name], None
        if request is not None:
            self.plane, place, self.window = request.plane, request.place, GreyWindow(*request.window)
            clicked = clicked_lps(shown, request)
        self.offset_mm = place[PLANES[self.plane].through]
        self.clicked_item, self.clicked_lps = clicked or (None, None)


def show_panels(
    cohort: Path,
    panels: list[Panel],
    key: str,
    *,
    embedding_set: pd.Series | None = None,
    footer: str | None = None,
    plane: str = "axial",
    offset_mm: float = 0.0,
    rerun_on_click: bool = False,
    on_view: Callable[[ViewerState], None] | None = None,
    download: str | None = None,
    from_middle: bool = False,
) -> ViewerState:
    """Draw the panels and return what they show.

    Where a CT cannot be read, its stored thumbnail is shown and says so. The viewer fetches slices by itself; the page
    reruns only with `rerun_on_click`.

    Args:
        cohort: the cohort file, which holds the thumbnails.
        panels: at least one; rows of `Store.table`, or of the same columns.
        key: of the viewer on the page.
        embedding_set: row of the items' embedding set (`Context.embedding_set`), which decides the box that was
            embedded and the encoder of the maps.
        footer: what downloaded pictures must say (`Context.footer`).
        plane, offset_mm: what is shown first, such as from a link. Other panels start there again.
        rerun_on_click: rerun the page after a click, so that it can use the point.
        on_view: called with what is shown whenever the viewer requests slices, without a rerun of the page.
        download: file name of the downloads below the viewer, without ending; None for no buttons.
        from_middle: open every scan at its middle, where one of them has no known lesion.

    Raises:
        ValueError: no panel, or a plane that does not exist.
    """
    if not panels:
        raise ValueError("the viewer needs a panel")
    if plane not in PLANES:
        raise ValueError(f"there is no plane {plane!r}: choose {', '.join(PLANES)}")
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
        start=(plane, (place[0], place[1], place[2]), "Soft tissue"),
    )
    mount_viewer(f"{key}.canvas", f"{key}.viewer")
    _feed(shown, f"{key}.viewer", rerun_on_click, on_view)
    seen: ViewerState = st.session_state[f"{key}.viewer.seen"]
    if download is not None:
        _downloads(download, shown, tuple(panel.numbers for panel in panels), seen)
    return seen


def _downloads(name: str, shown: Shown, numbers: tuple[Mapping[str, float], ...], seen: ViewerState) -> None:
    """What the viewer shows when a button is pressed, as a figure for print and as its table."""

    def panels() -> list[slices.PanelSlice]:
        return panel_slices(shown, seen.plane, seen.offset_mm, numbers)

    def draw() -> Figure:
        title = f"CT slices, {seen.plane}, {seen.offset_mm:+z.0f} mm from the centre of each item"
        return slices.print_figure(panels(), seen.window, title=title, footer=shown.footer)

    figure_downloads(name, draw, lambda: slices.data(panels(), seen.window))


@st.fragment
def _feed(shown: Shown, key: str, rerun_on_click: bool, on_view: Callable[[ViewerState], None] | None) -> None:
    request = _request(shown, key)
    seen: ViewerState = st.session_state.setdefault(f"{key}.seen", ViewerState())
    seen.update(shown, request)
    if on_view is not None and request is not None:
        on_view(seen)
    mount_feed(key, answer(shown, request, key))
    clicks = 0 if request is None or request.point is None else request.point.n
    before, after = st.session_state.get(f"{key}.clicks"), (shown.signature, clicks)
    st.session_state[f"{key}.clicks"] = after
    if rerun_on_click and clicks and before is not None and before != after:
        st.rerun()


def _request(shown: Shown, key: str) -> Request | None:
    """The browser's request for these panels; None before it has seen them."""
    raw: Any = last_request(key)
    if not isinstance(raw, dict) or raw.get("signature") != shown.signature:
        return None
    try:
        return read_request(raw, len(shown.files))
    except RequestError as error:
        st.error(plain(error))
        return None


def _preset(embedding_set: pd.Series | None) -> str | None:
    """The label of a set's preset; None where it is unknown what was embedded, as with imported vectors."""
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
