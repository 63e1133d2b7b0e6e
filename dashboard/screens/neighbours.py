"""The scans or slices most similar to one of them, and whether similar scans share a label."""

from __future__ import annotations

import streamlit as st

from dashboard import links
from dashboard.components import notices
from dashboard.components.choices import pick_column, pick_columns, pick_number
from dashboard.components.context import Context
from dashboard.components.page import explanation, page
from dashboard.components.ranked_scans import facts_of, ranked, ranked_panels, ranked_table
from dashboard.components.result_figure import result_figure
from dashboard.components.selection.case_picker import pick_query, title_of
from dashboard.components.viewer.slice_viewer import Panel, ViewerState, show_panels
from dashboard.compute import analyses
from dashboard.data import columns, embedding_sets, loading
from dashboard.figures import retrieval as retrieval_figure
from dashboard.session import state
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings.analysis import Retrieval, evaluate, nearest, verdicts
from embeddings.analysis.retrieval.retrieval import PROTOCOLS
from embeddings.formatting import of_patients

ITEM_PX = 170
PROTOCOL_WORDS = {
    "leave-patient-out": "each case against all other patients",
    "halves": "20 random splits: one half searches the other",
}


def _neighbours(found: Context) -> None:
    table = loading.embedding_table(found.path, found.set_id)
    frame = table.frame
    chosen = state.selected()
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    only_selected = bool(chosen) and middle.toggle("Only selected", value=True, key="neighbours.only")
    offered = frame[chosen.rows(frame)] if only_selected else frame
    if offered.empty:
        st.info("None of the selected scans is in this embedding set. Clear the selection or choose another set.")
        return
    query_id = pick_query(offered, left)
    if query_id is None:
        return
    k = pick_number(right, "Neighbours", 1, 11, 5, "neighbours.k")
    other_patients = st.toggle(
        "Only other patients",
        value=True,
        key="neighbours.patients",
        persist_state=SESSION,
        help="Scans of one patient are similar whatever their label",
    )
    index = int(frame.index[frame["item_id"] == query_id][0])
    patients = frame["patient_id"].to_numpy(dtype=str) if other_patients else None
    answer = nearest(table.vectors, index, k=k, exclude_patient=patients)
    if len(answer.index) == 0:
        st.info("No other patient is in this set, so there is no neighbour to show.")
        return
    query = frame.iloc[index]
    rows = ranked(frame.iloc[answer.index], "cosine", answer.similarity)
    plane, offset_mm = links.slice_of_view()
    show_panels(
        found.path,
        [Panel(query, f"Query · {title_of(query)}", facts_of(query), {"rank": 0}), *ranked_panels(rows, "cosine")],
        "neighbours",
        embedding_set=found.embedding_set,
        footer=found.footer,
        plane=plane,
        offset_mm=offset_mm,
        on_view=_remember,
        download="slices-neighbours",
    )
    ranked_table(
        rows,
        frame,
        ["rank", "cosine", "item_id", "case_id", "patient_id"],
        f"neighbours-{query['case_id']}",
        {"item_id": st.column_config.TextColumn("item id", width=ITEM_PX)},
    )
    st.caption("Similar in the embedding does not mean the same diagnosis.")


def _remember(seen: ViewerState) -> None:
    """What the viewer shows, for the address."""
    state.set_view("plane", seen.plane)
    state.set_view("offset", round(seen.offset_mm, 1))
    links.publish(st.session_state["settings"])


def _retrieval(found: Context) -> None:
    st.subheader("Do similar scans share a label?")
    table = loading.case_table(found.path, found.set_id)
    options = columns.classes(table.frame)
    if not options:
        st.info(f"No column has two to eight labels. Add one to the CSV {notices.EMBED_AGAIN}")
        return
    left, middle, right = st.columns(3)
    label = pick_column(left, "Label", options, "retrieval.label")
    protocol = middle.selectbox(
        "Protocol", PROTOCOLS, format_func=PROTOCOL_WORDS.__getitem__, key="retrieval.protocol", persist_state=SESSION
    )
    usable = embedding_sets.ranked(loading.embedding_sets(found.path)).set_index("set_id")
    others = usable.drop(index=found.set_id)
    words = {str(one): f"{embedding_sets.words(row)} · {row['preset']}" for one, row in others.iterrows()}
    fused = pick_columns(
        right,
        "Combine with",
        list(words),
        "retrieval.sets",
        default=embedding_sets.linked(usable.reset_index(), found.set_id),
        words=words.__getitem__,
        help="Further embedding sets of the same scans, such as another crop size; their rankings are fused",
        disabled=not words,
    )
    fusion_k = 60
    if fused:
        fusion_k = pick_number(
            right, "Fusion constant", 1, 1000, 60, "retrieval.fusion", "The higher, the less a first rank counts"
        )
    same = loading.same_cases(found.path, [found.set_id, *fused])
    rows = same.frame
    labelled = rows[label].notna().to_numpy(dtype=bool)
    total = len(table.frame)
    notices.left_out(total - int(labelled.sum()), total, "no label, or missing from one of the sets")
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
    _show(found, result)


def _show(found: Context, result: Retrieval) -> None:
    st.markdown(f"#### {plain(verdicts.retrieval(result))}")
    result_figure(
        retrieval_figure,
        result,
        key="retrieval.chart",
        name="retrieval",
        alt="Recall, precision and mean average precision with intervals, each beside its chance level",
        footer=found.footer,
    )
    if result.n_without_match:
        st.caption(
            f"{result.n_without_match} of {result.n} scans have a label that no other patient has. No search can "
            "succeed for them; they count as failures."
        )
    fusion = (
        f" The rankings of {result.n_sets} sets are fused: sum of 1 / ({result.fusion_k:g} + rank), rank from 0."
        if result.n_sets > 1
        else ""
    )
    explanation(
        f"n = {of_patients(result.n, result.n_patients, 'scan')}, {retrieval_figure.protocol_words(result)}; scans of "
        "the query's own patient are never among the results, which are ranked by cosine similarity."
        f"{fusion} Recall@k: share of queries with a match among the k most similar; Precision@k: mean share of "
        "matches among them; mAP: mean average precision over the whole ranking. Grey: what a random ranking reaches, "
        f"by formula. Intervals: bootstrap over patients ({result.n_bootstrap} draws), as queries and as results. "
        f"Seed {result.seed}."
    )


page("Neighbours", _neighbours, _retrieval)
