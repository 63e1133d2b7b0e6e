"""Puts the map on a page, and feeds it the pictures that it shows over the points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.browser_payload import encoded
from embeddings.store.store import Store, StoreError

HERE = Path(__file__).parent
MOST_PICTURES = 60
_MAP_SCRIPT, _PICTURES_SCRIPT, _STYLE = (
    (HERE / name).read_text(encoding="utf-8") for name in ("point_map.bundle.js", "pictures.bundle.js", "point_map.css")
)


def _map_component() -> Callable[..., Any]:
    # Registered anew each time: a server that is started again within a test knows no component.
    return st.components.v2.component("flexict_point_map", css=_STYLE, js=_MAP_SCRIPT)


def _pictures_component() -> Callable[..., Any]:
    return st.components.v2.component("flexict_pictures", js=_PICTURES_SCRIPT)


def point_map(block: bytes, key: str, on_pick: Callable[[], None], on_move: Callable[[], None]) -> Any:
    """The map of a block made by `layers.contents` and `browser_payload.encoded`.

    Its result has `picked` (a dict: `kind` lasso, box, item or group; `polygon`, `item` or `group`; `mode`) for
    one run, and `viewport` (left, right, bottom, top) as it stands.
    """
    return _map_component()(
        data=block, key=key, on_picked_change=on_pick, on_viewport_change=on_move, default={"viewport": None}
    )


@st.fragment
def feed_pictures(cohort: Path, store: str, key: str) -> None:
    """Sends the thumbnails that the map asks for, in a fragment of their own: the map itself is not sent again.

    store: names the cohort file in this state, as the words of the map's layer do.
    """
    asked = st.session_state.get(key)
    wanted = [str(one) for one in (asked or {}).get("wanted") or []][:MOST_PICTURES]
    block = _pictures(cohort, store, wanted) if wanted else None
    _pictures_component()(data=block, key=key, on_wanted_change=lambda: None, default={"wanted": None}, height=1)


def _pictures(cohort: Path, store: str, wanted: list[str]) -> bytes | None:
    try:
        found = Store(cohort, patience_s=3.0).thumbnails(wanted)
    except StoreError:
        return None  # a busy file: the words over the point are there without its picture
    places, pictures, start = [], [], 0
    for item in wanted:
        png = found[item].png if item in found else b""
        places.append((start, start + len(png)))
        pictures.append(png)
        start += len(png)
    values: NDArray[np.uint8] = np.array(bytearray(b"".join(pictures)), dtype=np.uint8)
    return encoded({"store": store, "items": wanted, "places": places}, {"pictures": values}, deflate=False)
