"""FlexiCT Phenotype Explorer: `streamlit run dashboard/app.py`. Navigation only."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

# `streamlit run` puts this file's folder on the path, not the project's.
ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from dashboard import state  # noqa: E402
from dashboard.components import context  # noqa: E402
from dashboard.settings import read_settings  # noqa: E402

st.set_page_config(page_title="FlexiCT Phenotype Explorer", page_icon=":material/radiology:", layout="wide")

if "settings" not in st.session_state:
    st.session_state["settings"] = read_settings(sys.argv[1:])
    state.open_cohort(st.session_state["settings"].cohort)

page = st.navigation(
    [
        st.Page("screens/cohort.py", title="Cohort", icon=":material/folder_open:", default=True),
        st.Page("screens/map.py", title="Map", icon=":material/scatter_plot:"),
        st.Page("screens/gradient.py", title="Stage gradient", icon=":material/trending_up:"),
        st.Page("screens/audit.py", title="Shortcuts", icon=":material/alt_route:"),
        st.Page("screens/trajectory.py", title="Trajectory", icon=":material/route:"),
        st.Page("screens/probes.py", title="Probes", icon=":material/target:"),
        st.Page("screens/survival.py", title="Survival", icon=":material/monitor_heart:"),
        st.Page("screens/neighbours.py", title="Neighbours", icon=":material/compare:"),
        st.Page("screens/search.py", title="Text search", icon=":material/search:"),
        st.Page("screens/report.py", title="Report", icon=":material/description:"),
    ]
)
context.frame()
page.run()
