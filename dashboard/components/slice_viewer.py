"""Cases side by side in one viewer: scrolled, zoomed and windowed together, in mm from each item's own centre."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.components.slice_image import WINDOWS
from dashboard.components.viewer.answer import Shown, answer, clicked_lps
from dashboard.components.viewer.component import last_request, mount_feed, mount_viewer
from dashboard.components.viewer.message import Request, RequestError, read_request
from dashboard.components.viewer.patch_encoder import SetEncoder
from dashboard.components.viewer.planes import PLANES
from dashboard.components.viewer.scans import files_of
from dashboard.plain_text import plain
from embeddings.embedded_input import EmbeddedInputError, preset_of

__all__ = ["Panel", "ViewerState", "show_panels"]


@dataclass(frozen=True)
class Panel:
    """One picture of the viewer: an item of a set, and the plain words above and below it."""

    item: pd.Series
    title: str
    caption: str


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
    shown = Shown(
        cohort=cohort,
        files=tuple(files_of(panel.item, preset) for panel in panels),
        titles=tuple(p.title for p in panels),
        captions=tuple(p.caption for p in panels),
        footer=footer,
        encoder=_encoder(embedding_set),
        start=(plane, (place[0], place[1], place[2]), window),
    )
    mount_viewer(f"{key}.canvas", f"{key}.viewer")
    _feed(shown, f"{key}.viewer", rerun_on_click, on_view)
    return _state(shown, f"{key}.viewer")


@st.fragment
def _feed(shown: Shown, key: str, rerun_on_click: bool, on_view: Callable[[ViewerState], None] | None) -> None:
    request = _request(shown, key)
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
        preset_of(str(embedding_set["preset"]))
    except EmbeddedInputError:
        return None
    return str(embedding_set["preset"])


def _encoder(embedding_set: pd.Series | None) -> SetEncoder | None:
    if embedding_set is None:
        return None
    return SetEncoder(
        str(embedding_set["encoder"]), str(embedding_set["weights_sha256"]), str(embedding_set["pooling"])
    )
