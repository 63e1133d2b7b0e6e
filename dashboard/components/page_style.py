"""The few rules of style that no setting of Streamlit gives."""

from __future__ import annotations

import streamlit as st

# The table's own button writes cells as they are; ours keeps a spreadsheet from running them as formulas.
# White words on the bright primary colour of the dark theme, and some colours of code, have too little contrast.
_RULES = """<style>
[data-testid="stElementToolbarButton"]:has(button[aria-label="Download as CSV"]) { display: none; }
:is([data-testid^="stBaseButton-primary"], [data-testid="stMultiSelect"] [data-tag]) * {
  color: light-dark(#ffffff, #0b0f19) !important; }
[data-testid="stCode"] .token { color: inherit !important; }
</style>"""


def page_style() -> None:
    """Apply the rules to the page; they are the same for every cohort and hold no data."""
    st.html(_RULES)
