"""The viewer as a Streamlit component: its JavaScript and CSS, read from the files beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

NAME = "slice_viewer"
# One module is sent to the browser: the parts in the order in which they use each other.
SCRIPTS = (
    "geometry.js",
    "slices.js",
    "painting.js",
    "patch_overlay.js",
    "controls.js",
    "gestures.js",
    "picture.js",
    "conversation.js",
    "slots.js",
    "viewer.js",
)
STYLES = "viewer.css"
_FOLDER = Path(__file__).parent
_SCRIPT = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
_STYLE = (_FOLDER / STYLES).read_text(encoding="utf-8")


def last_request(key: str) -> Any:
    """What the browser asked for last; None before it has asked for anything."""
    state = st.session_state.get(key)
    return None if state is None else state.get("request")


def mount(key: str, message: bytes) -> None:
    """Show the viewer, or hand it the next message where it is shown already."""
    # Registered anew each time: a server that is started again within a test knows no component.
    viewer = st.components.v2.component(NAME, js=_SCRIPT, css=_STYLE)
    viewer(key=key, data=message, on_request_change=_nothing)


def _nothing() -> None:
    """A component's state is kept only for names that have a callback."""
