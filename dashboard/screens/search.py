"""A sentence ranks the scans; a list of findings becomes columns of scores."""

from __future__ import annotations

import shlex

import pandas as pd
import streamlit as st

from dashboard.components import notices
from dashboard.components.context import Context, require
from dashboard.components.downloads import table_download
from dashboard.components.findings import findings_form
from dashboard.components.viewer.slice_viewer import Panel, show_panels
from dashboard.data import columns, embedding_sets, loading
from dashboard.data.text_towers import ranking
from dashboard.session import state
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings import disclosure
from embeddings.analysis import verdicts
from embeddings.formatting import counted
from embeddings.store.store import Store
from embeddings.text_search import SCORE, text_sets
from flexict.errors import FlexiCTError

ASKED = "search.asked"
ITEM_PX = 170
NANO = "flexict-nano-vlm"


def _page(found: Context) -> None:
    sets = text_sets(Store(found.path))
    if sets.empty:
        _how_to_get_one(found)
        return
    text_set = _pick_set(sets, found)
    encoder = str(text_set["encoder"])
    if encoder == NANO:
        st.warning(
            f"**{NANO} learned its words from templates about simulated chests: for demonstrations alone.** On scans "
            "of real patients its answers mean nothing.",
            icon=":material/science:",
        )
    if str(text_set["set_id"]) != found.set_id:
        notices.encoder_notice(text_set)
    search_tab, findings_tab = st.tabs(["Search by a sentence", "Score findings (zero-shot)"])
    with search_tab:
        _search(found, text_set)
    with findings_tab:
        findings_form(found.path, text_set)


def _how_to_get_one(found: Context) -> None:
    cases = Store(found.path).cases()
    seeds = "seed_x" in cases and cases["seed_x"].notna().any()
    lesions = cases["mask_path"].notna().any() or seeds
    view = "--view lesion --preset lesion_seed" if lesions else "--view volume"
    st.info(
        "No embedding set of this cohort shares a space with text. Embed it with an encoder that was aligned with "
        "reports: flexict-3d-vlm (published weights), or flexict-nano-vlm, which comes with this program for "
        "demonstrations alone. The command is below; or upload the CSV again on the **Cohort** page and choose the "
        "encoder there. Vectors that are there already are kept."
    )
    words = ["python", "-m", "embeddings", "embed", found.info.cohort_csv, "--db", str(found.path), "--encoder", NANO]
    st.code(f"{shlex.join(words)} {view}", language="bash", wrap_lines=True)
    st.page_link("screens/cohort.py", label="Open the Cohort page", icon=":material/folder_open:")


def _pick_set(sets: pd.DataFrame, found: Context) -> pd.Series:
    """The text set to ask: the one that all pages show where it is one, else the largest."""
    words = embedding_sets.labels(sets)
    options = list(words)
    chosen = options[0]
    if len(options) > 1:
        index = options.index(found.set_id) if found.set_id in options else 0
        chosen = st.selectbox(
            "Text set", options, index=index, format_func=words.__getitem__, key="search.set", persist_state=SESSION
        )
    return sets[sets["set_id"] == chosen].iloc[0]


def _search(found: Context, text_set: pd.Series) -> None:
    with st.form("search.form", border=False):
        left, right = st.columns([5, 1], vertical_alignment="bottom")
        sentence = left.text_input(
            "A sentence, as a report would say it",
            value=st.session_state.get(ASKED, ""),
            placeholder="large spiculated solid mass",
            max_chars=2000,
            key="search.sentence",
        )
        if right.form_submit_button("Search", type="primary", icon=":material/search:", key="search.go"):
            st.session_state[ASKED] = sentence
    asked = st.session_state.get(ASKED)
    if asked is None:
        st.caption("Every scan of the set is put in the order of its likeness to the sentence.")
        return
    set_id = str(text_set["set_id"])
    try:
        ranked = ranking(found.path, set_id, asked.strip())
    except (FlexiCTError, OSError) as error:
        st.error(plain(error))
        return
    cases = ranked.drop_duplicates("case_id").reset_index(drop=True)
    st.markdown(f"#### {plain(verdicts.search(asked, cases['case_id'].tolist(), cases[SCORE].tolist()))}")
    first = _first_ones(cases)
    _pictures(found, text_set, cases.head(min(first, 6)))
    _table(found, cases, first)
    _see_neighbours(found, set_id, cases)
    with st.expander("How is this computed?"):
        st.markdown(
            f"n = {counted(len(cases), 'scan')} of the set {plain(set_id)}. The sentence goes through the text tower "
            f"of {plain(text_set['encoder'])} and becomes a vector in the space of the scans' vectors; similarity is "
            "the cosine of the two, times the factor that the encoder learned (exp of its logit scale). It orders "
            "scans. It is no probability, has no threshold, and says nothing of whether any scan fits: some scan is "
            "always first. Source: arXiv 2605.21906."
        )


def _first_ones(cases: pd.DataFrame) -> int:
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    first = int(
        left.number_input("First N", 1, len(cases), min(6, len(cases)), key="search.first", persist_state=SESSION)
    )
    right.button(
        f"Select the first {first} on every page",
        icon=":material/check:",
        on_click=state.select,
        args=(cases["case_id"].head(first).tolist(),),
        key="search.select",
    )
    return first


def _pictures(found: Context, text_set: pd.Series, rows: pd.DataFrame) -> None:
    panels = [
        Panel(
            row,
            f"{rank} · {row['case_id']} · similarity {row[SCORE]:.2f}",
            _facts(row),
            {"rank": rank, "similarity": row[SCORE]},
        )
        for rank, (_, row) in enumerate(rows.iterrows(), start=1)
    ]
    show_panels(
        found.path,
        panels,
        "search",
        embedding_set=text_set,
        footer=disclosure.figure_footer(found.info, text_set),
        download="slices-text-search",
    )


def _facts(row: pd.Series) -> str:
    return f"stage {row['stage']}" if pd.notna(row.get("stage")) else ""


def _table(found: Context, cases: pd.DataFrame, first: int) -> None:
    listed = cases.assign(rank=range(1, len(cases) + 1))
    front = ["rank", "case_id", SCORE, "patient_id"]
    shown = listed[[*front, *[c for c in columns.describing(cases) if c not in front]]]
    st.dataframe(
        shown,
        hide_index=True,
        height=320,
        placeholder="",
        column_config={
            **columns.headings(shown),
            "case_id": st.column_config.TextColumn("Case", width=ITEM_PX),
            SCORE: st.column_config.NumberColumn("Similarity", format="%.2f"),
        },
    )
    table_download(f"search-{found.path.stem}", lambda: shown)


def _see_neighbours(found: Context, set_id: str, cases: pd.DataFrame) -> None:
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    case = left.selectbox("Scan", cases["case_id"].tolist(), key="search.case", help="In the order of the ranking")
    if not right.button("See its neighbours", icon=":material/compare:", key="search.neighbours"):
        return
    frame = loading.embedding_table(found.path, found.set_id).frame
    items = frame.loc[frame["case_id"] == case, "item_id"]
    if items.empty:
        # The set that all pages show lacks the scan; the text set has it.
        state.choose_set(set_id)
        items = cases.loc[cases["case_id"] == case, "item_id"]
    st.session_state["neighbours.only"] = False
    st.session_state["neighbours.query"] = items.iloc[0]
    st.switch_page("screens/neighbours.py")


st.title("Text search")
_page(require())
