"""FlexiCT Phenotype Explorer: `streamlit run dashboard/app.py`. Navigation only."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

# `streamlit run` puts this file's folder on the path, not the project's.
ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from dashboard import links  # noqa: E402
from dashboard.components import context, sign_in  # noqa: E402
from dashboard.components.page_style import page_style  # noqa: E402
from dashboard.components.terms import terms_button  # noqa: E402
from dashboard.components.tour import tour  # noqa: E402
from dashboard.compute import background  # noqa: E402
from dashboard.lookup import dropped_ct, uploaded_ct  # noqa: E402
from dashboard.session import state, users  # noqa: E402
from dashboard.session.settings import read_settings  # noqa: E402
from dashboard.wording.escaping import plain  # noqa: E402
from embeddings.store.store import StoreError  # noqa: E402
from flexict.errors import FlexiCTError  # noqa: E402

# Our own file: for a ":material/" name the browser would fetch a picture from another server.
st.set_page_config(
    page_title="FlexiCT Phenotype Explorer", page_icon=str(ROOT / "dashboard" / "icon.svg"), layout="wide"
)

if "settings" not in st.session_state:
    started = read_settings(sys.argv[1:])
    sign_in.require_sign_in(started)
    try:
        st.session_state["settings"] = users.own_settings(started)
    except (FlexiCTError, OSError) as error:
        st.error(plain(error))
        st.stop()
    uploaded_ct.delete_old(st.session_state["settings"])

sign_in.require_sign_in(st.session_state["settings"])
dropped_ct.delete_abandoned(state.session_is_open)
links.restore(st.session_state["settings"])
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
        st.Page("screens/compare.py", title="Compare encoders", icon=":material/balance:"),
        st.Page("screens/search.py", title="Text search", icon=":material/search:"),
        st.Page("screens/lookup.py", title="Look up a CT", icon=":material/person_search:"),
        st.Page("screens/report.py", title="Report", icon=":material/description:"),
    ]
)
page_style()
sign_in.sign_out()
try:
    links.say_problems()
    context.frame()
    terms_button()
    if state.cohort() is not None:
        background.registry().warm()
    tour.panel(page.url_path or "cohort")
    page.run()
except StoreError as error:
    # The file was removed or replaced after the page had begun to read it.
    st.error(plain(error))
finally:
    # Also where a page ends early or asks to run again.
    links.publish(st.session_state["settings"])
