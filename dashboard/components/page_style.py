"""The few rules of style that no setting of Streamlit gives."""

from __future__ import annotations

import streamlit as st

# The table's own button writes cells as they are; ours keeps a spreadsheet from running them as formulas.
# A theme that is changed while a page stands would leave the text of its charts in the colour of the one before. Black
# and white stand on coloured cells, and what shows over a point has a ground of its own.
# White words on the bright primary colour of the dark theme, and some colours of code, have too little contrast.
_RULES = """<style>
[data-testid="stElementToolbarButton"]:has(button[aria-label="Download as CSV"]) { display: none; }
:is([data-testid^="stBaseButton-primary"], [data-testid="stMultiSelect"] [data-tag]) * {
  color: light-dark(#ffffff, #0b0f19) !important; }
.js-plotly-plot :not(.hoverlayer *) > text:not([style*="fill: rgb(0, 0, 0)"], [style*="fill: rgb(255, 255, 255)"]) {
  fill: currentColor !important; }
[data-testid="stCode"] .token { color: inherit !important; }
</style>"""


def page_style() -> None:
    """Apply the rules to the page; they are the same for every cohort and hold no data."""
    st.html(_RULES)
