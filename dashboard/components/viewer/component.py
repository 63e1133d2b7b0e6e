"""The viewer as two Streamlit components: what is seen, and the feed that brings its messages.

Their programs are bundled from the modules beside this one (`make bundle`). Streamlit greys out what it runs again, and
sends a component its program with every message: so what is seen stands outside the fragment that answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

VIEWER, FEED = "slice_viewer", "slice_viewer_feed"
_FOLDER = Path(__file__).parent
_VIEWER_SCRIPT, _FEED_SCRIPT, _STYLE = (
    (_FOLDER / name).read_text(encoding="utf-8") for name in ("viewer.bundle.js", "feed.bundle.js", "viewer.css")
)


def last_request(key: str) -> Any:
    """What the browser asked of a feed last; None before it has asked for anything."""
    state = st.session_state.get(key)
    return None if state is None else state.get("request")


def mount_viewer(key: str, channel: str) -> None:
    """Show the viewer that the messages of a channel are for."""
    # Registered anew each time: a server that is started again within a test knows no component.
    viewer = st.components.v2.component(VIEWER, js=_VIEWER_SCRIPT, css=_STYLE)
    viewer(key=key, data={"channel": channel})


def mount_feed(key: str, message: bytes) -> None:
    """Hand a message to the viewer of the channel that its header names, and listen to its requests."""
    feed = st.components.v2.component(FEED, js=_FEED_SCRIPT)
    feed(key=key, data=message, on_request_change=_nothing)


def _nothing() -> None:
    """A component's state is kept only for names that have a callback."""
