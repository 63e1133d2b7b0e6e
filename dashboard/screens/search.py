"""A sentence ranks the scans; a list of findings becomes columns of scores."""

from __future__ import annotations

import shlex

import pandas as pd
import streamlit as st

from dashboard.components import notices
from dashboard.components.choices import pick_column, pick_number
from dashboard.components.context import Context
from dashboard.components.findings import findings_form
from dashboard.components.page import explanation, page
from dashboard.components.ranked_scans import ranked, ranked_panels, ranked_table
from dashboard.components.viewer.slice_viewer import show_panels
from dashboard.data import embedding_sets, loading
from dashboard.data.text_towers import ranking
from dashboard.session import state
from dashboard.wording.escaping import plain
from embeddings import disclosure
from embeddings.analysis import verdicts
from embeddings.formatting import counted
from embeddings.store.store import Store
from embeddings.text_search import SCORE, text_sets
from flexict.errors import FlexiCTError

ASKED = "search.asked"
ITEM_PX = 170
MOST_PICTURES = 6
NANO = "flexict-nano-vlm"


def _text_search(found: Context) -> None:
    sets = text_sets(Store(found.path))
    if sets.empty:
        _how_to_get_one(found)
        return
    text_set = _pick_set(sets, found)
    if str(text_set["encoder"]) == NANO:
        st.warning(
            f"**{NANO} learned its words from templates about simulated chests: for demonstrations only.** On scans "
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
        "No embedding set of this cohort can be searched by text. Embed it with an encoder that was aligned with "
        "reports: flexict-3d-vlm (published weights), or flexict-nano-vlm, which comes with this program for "
        "demonstrations only. Use the command below, or upload the CSV again on the **Cohort** page and choose the "
        "encoder there. Existing vectors are kept."
    )
    words = ["python", "-m", "embeddings", "embed", found.info.cohort_csv, "--db", str(found.path), "--encoder", NANO]
    st.code(f"{shlex.join(words)} {view}", language="bash", wrap_lines=True)
    notices.cohort_link()


def _pick_set(sets: pd.DataFrame, found: Context) -> pd.Series:
    """The text set to search: by default the one that all pages show if it is one, else the largest."""
    words = embedding_sets.labels(sets)
    options = list(words)
    chosen = options[0]
    if len(options) > 1:
        index = options.index(found.set_id) if found.set_id in options else 0
        chosen = pick_column(st, "Text set", options, "search.set", index=index, words=words.__getitem__)
    return sets[sets["set_id"] == chosen].iloc[0]


def _search(found: Context, text_set: pd.Series) -> None:
    with st.form("search.form", border=False):
        left, right = st.columns([5, 1], vertical_alignment="bottom")
        sentence = left.text_input(
            "A sentence, worded as in a report",
            value=st.session_state.get(ASKED, ""),
            placeholder="large spiculated solid mass",
            max_chars=2000,
            key="search.sentence",
        )
        if right.form_submit_button("Search", type="primary", icon=":material/search:", key="search.go"):
            st.session_state[ASKED] = sentence
    asked = st.session_state.get(ASKED)
    if asked is None:
        st.caption("All scans of the set are ranked by similarity to the sentence.")
        return
    set_id = str(text_set["set_id"])
    try:
        items = ranking(found.path, set_id, asked.strip())
    except (FlexiCTError, OSError) as error:
        st.error(plain(error))
        return
    cases = items.drop_duplicates("case_id").reset_index(drop=True)
    cases = ranked(cases, SCORE, cases[SCORE].tolist())
    st.markdown(f"#### {plain(verdicts.search(asked, cases['case_id'].tolist(), cases[SCORE].tolist()))}")
    first = _first_ones(cases)
    show_panels(
        found.path,
        ranked_panels(cases.head(min(first, MOST_PICTURES)), SCORE, digits=2),
        "search",
        embedding_set=text_set,
        footer=disclosure.figure_footer(found.info, text_set),
        download="slices-text-search",
    )
    ranked_table(
        cases,
        cases,
        ["rank", "case_id", SCORE, "patient_id"],
        f"search-{found.path.stem}",
        {
            "case_id": st.column_config.TextColumn("Case", width=ITEM_PX),
            SCORE: st.column_config.NumberColumn("Similarity", format="%.2f"),
        },
        height=320,
    )
    _see_neighbours(found, set_id, cases)
    explanation(
        f"n = {counted(len(cases), 'scan')} of the set {plain(set_id)}. The text tower of {plain(text_set['encoder'])} "
        "turns the sentence into a vector in the space of the scans' vectors; similarity is the cosine of the two, "
        "times the factor that the encoder learned (exp of its logit scale). It ranks scans. It is not a probability, "
        "has no threshold, and does not say whether any scan fits: some scan is always first. Source: arXiv 2605.21906."
    )


def _first_ones(cases: pd.DataFrame) -> int:
    left, right = st.columns([1, 3], vertical_alignment="bottom")
    first = pick_number(left, "First N", 1, len(cases), min(MOST_PICTURES, len(cases)), "search.first")
    right.button(
        f"Select the first {first} on every page",
        icon=":material/check:",
        on_click=state.select,
        args=(cases["case_id"].head(first).tolist(),),
        key="search.select",
    )
    return first


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


page("Text search", _text_search)
