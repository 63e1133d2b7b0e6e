"""The terms that the pages use, in a dialog that every page can open."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

TERMS = Path(__file__).parents[1] / "wording" / "terms.md"


def terms_button() -> None:
    """A button in the sidebar that shows the terms."""
    if st.sidebar.button("Terms", icon=":material/menu_book:", key="terms.open", help="What the terms mean"):
        _show()


@st.dialog("Terms", width="large")
def _show() -> None:
    st.markdown(TERMS.read_text(encoding="utf-8").removeprefix("# Terms\n"))
