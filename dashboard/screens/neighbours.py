"""Pick a case or a slice, and see what is most similar; and whether similar cases share a label."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import links
from dashboard.components.chart import chart
from dashboard.components.context import Context, require
from dashboard.components.downloads import figure_downloads, table_download
from dashboard.components.selection.case_picker import pick_query, title_of
from dashboard.components.viewer.slice_viewer import Panel, ViewerState, show_panels
from dashboard.compute import analyses
from dashboard.compute.waiting import section
from dashboard.data import columns, embedding_sets, loading
from dashboard.figures import retrieval as retrieval_figure
from dashboard.session import state
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings.analysis import Retrieval, evaluate, nearest, verdicts
from embeddings.analysis.retrieval.retrieval import PROTOCOLS
from embeddings.formatting import counted, of_patients
from flexict.errors import FlexiCTError

ITEM_PX = 170
PROTOCOL_WORDS = {
    "leave-patient-out": "each case against all other patients",
    "halves": "20 random halves: one queries, the other answers",
}


def _page(found: Context) -> None:
    table = loading.embedding_table(found.path, found.set_id)
    frame = table.frame
    chosen = state.selected()
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    only_selected = bool(chosen) and middle.toggle("Only selected", value=True, key="neighbours.only")
    offered = frame[chosen.rows(frame)] if only_selected else frame
    if offered.empty:
        st.info("None of the selected scans is in this embedding set: clear the selection or choose another set.")
        return
    query_id = pick_query(offered, left)
    if query_id is None:
        return
    k = right.number_input("Neighbours", 1, 11, 5, key="neighbours.k", persist_state=SESSION)
    other_patients = st.toggle(
        "Only other patients",
        value=True,
        key="neighbours.patients",
        persist_state=SESSION,
        help="Scans of one patient are similar for other reasons",
    )
    index = int(frame.index[frame["item_id"] == query_id][0])
    try:
        answer = nearest(
            table.vectors,
            index,
            k=int(k),
            exclude_patient=frame["patient_id"].to_numpy(dtype=str) if other_patients else None,
        )
    except FlexiCTError as error:
        st.info(plain(error))
        return
    if len(answer.index) == 0:
        st.info("No other patient is in this set, so there is no neighbour to show.")
        return
    query = frame.iloc[index]
    panels = [Panel(query, f"Query · {title_of(query)}", _facts(query), {"rank": 0})]
    for rank, (neighbour, similarity) in enumerate(zip(answer.index, answer.similarity, strict=True), start=1):
        item = frame.iloc[int(neighbour)]
        numbers = {"rank": rank, "cosine": float(similarity)}
        panels.append(Panel(item, f"{rank} · {title_of(item)} · cosine {similarity:.3f}", _facts(item), numbers))
    plane, offset_mm = links.slice_of_view()
    show_panels(
        found.path,
        panels,
        "neighbours",
        embedding_set=found.embedding_set,
        footer=found.footer,
        plane=plane,
        offset_mm=offset_mm,
        on_view=_remember,
        download="slices-neighbours",
    )
    listed = frame.iloc[answer.index].assign(rank=range(1, len(answer.index) + 1), cosine=answer.similarity)
    front = ["rank", "cosine", "item_id", "case_id", "patient_id"]
    shown = listed[[*front, *[c for c in columns.describing(frame) if c not in front]]]
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="",
        column_config={**columns.headings(shown), "item_id": st.column_config.TextColumn("item id", width=ITEM_PX)},
    )
    table_download(f"neighbours-{query['case_id']}", lambda: shown)
    st.caption("Similar in the embedding does not mean the same diagnosis.")


def _remember(seen: ViewerState) -> None:
    """What the viewer shows, for the address."""
    state.set_view("plane", seen.plane)
    state.set_view("offset", round(seen.offset_mm, 1))
    links.publish(st.session_state["settings"])


def _facts(row: pd.Series) -> str:
    facts = []
    if pd.notna(row.get("stage")):
        facts.append(f"stage {plain(row['stage'])}")
    if pd.notna(row.get("equivalent_diameter_mm")):
        facts.append(f"{row['equivalent_diameter_mm']:.0f} mm equivalent diameter")
    return ", ".join(facts)


def _retrieval(found: Context) -> None:
    st.subheader("Do similar cases share a label?")
    table = loading.case_table(found.path, found.set_id)
    options = columns.classes(table.frame)
    if not options:
        st.info("No column has two to eight labels to look for. Add one to the CSV and embed again.")
        return
    left, middle, right = st.columns(3)
    label = str(
        left.selectbox("Label", options, format_func=columns.label, key="retrieval.label", persist_state=SESSION)
    )
    protocol = middle.selectbox(
        "Protocol", PROTOCOLS, format_func=PROTOCOL_WORDS.__getitem__, key="retrieval.protocol", persist_state=SESSION
    )
    usable = embedding_sets.ranked(loading.embedding_sets(found.path)).set_index("set_id")
    others = usable.drop(index=found.set_id)
    words = {str(one): f"{embedding_sets.words(row)} · {row['preset']}" for one, row in others.iterrows()}
    fused = right.multiselect(
        "Fuse with",
        list(words),
        default=embedding_sets.linked(usable.reset_index(), found.set_id),
        format_func=words.__getitem__,
        key="retrieval.sets",
        persist_state=SESSION,
        help="Further embedding sets of the same cases, such as another crop scale; orders are fused by rank",
        disabled=not words,
    )
    fusion_k = 60.0
    if fused:
        fusion_k = float(
            right.number_input(
                "Fusion constant",
                1,
                1000,
                60,
                key="retrieval.fusion",
                persist_state=SESSION,
                help="The higher, the less a first place counts",
            )
        )
    same = loading.same_cases(found.path, [found.set_id, *map(str, fused)])
    rows = same.frame
    labelled = rows[label].notna().to_numpy(dtype=bool)
    n_absent = len(table.frame) - int(labelled.sum())
    if n_absent:
        st.caption(
            f"Left out, as they lack the label or one of the sets: {n_absent} of {counted(len(table.frame), 'scan')}."
        )
    try:
        result = analyses.run(
            evaluate,
            found.path,
            found.set_id,
            "retrieval",
            X=[one[labelled] for one in same.vectors],
            label=rows.loc[labelled, label].to_numpy(dtype=str),
            patient=rows.loc[labelled, "patient_id"].to_numpy(dtype=str),
            protocol=protocol,
            fusion_k=fusion_k,
            seed=0,
        )
    except FlexiCTError as error:
        st.info(plain(error))
        return
    _show_retrieval(found, result)


def _show_retrieval(found: Context, result: Retrieval) -> None:
    st.markdown(f"#### {plain(verdicts.retrieval(result))}")
    chart(
        retrieval_figure.screen(result, footer=found.footer),
        "retrieval.chart",
        "Recall, precision and mean average precision with intervals, each beside its chance level",
    )
    figure_downloads(
        "retrieval",
        lambda: retrieval_figure.print_figure(result, footer=found.footer),
        lambda: retrieval_figure.data(result),
    )
    if result.n_without_match:
        st.caption(
            f"Cases with a label that no other patient has: {result.n_without_match} of {result.n}. No search can "
            "succeed for them, and they count as failures."
        )
    with st.expander("How is this computed?"):
        fusion = (
            f" The orders of {result.n_sets} sets are fused: sum of 1 / ({result.fusion_k:g} + rank), rank from 0."
            if result.n_sets > 1
            else ""
        )
        st.markdown(
            f"n = {of_patients(result.n, result.n_patients, 'scan')}, {retrieval_figure.protocol_words(result)}; scans "
            "of the query's own patient are never among the answers, which are ordered by cosine similarity."
            f"{fusion} Recall@k: share of queries with a match among the k most similar; Precision@k: mean share of "
            "matches among them; mAP: mean average precision over the whole order. Grey: what a random order "
            f"reaches, by formula. Intervals: bootstrap over patients ({result.n_bootstrap} draws), as queries and as "
            f"answers. Seed {result.seed}."
        )


st.title("Neighbours")
context = require()
_page(context)
with section():
    _retrieval(context)
