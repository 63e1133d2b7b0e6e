"""The few style rules for which Streamlit has no setting."""

from __future__ import annotations

import streamlit as st

# Streamlit's own download button writes cells unchanged; ours prevents a spreadsheet from running them as formulas.
# When the theme changes on an open page, the text of its charts would keep its old colour. Black and white text lies on
# coloured cells, and hover labels have their own background.
# White text on the bright primary colour of the dark theme, and some colours of code, have too little contrast.
_RULES = """<style>
[data-testid="stElementToolbarButton"]:has(button[aria-label="Download as CSV"]) { display: none; }
:is([data-testid^="stBaseButton-primary"], [data-testid="stMultiSelect"] [data-tag]) * {
  color: light-dark(#ffffff, #0b0f19) !important; }
.js-plotly-plot :not(.hoverlayer *) > text:not([style*="fill: rgb(0, 0, 0)"], [style*="fill: rgb(255, 255, 255)"]) {
  fill: currentColor !important; }
[data-testid="stCode"] .token { color: inherit !important; }
</style>"""


def page_style() -> None:
    """Apply the rules to the page; they are the same for every cohort and contain no data."""
    st.html(_RULES)
