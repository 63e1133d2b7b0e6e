"""Pick a case or a slice, and see what the embedding holds to be most like it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import columns, loading, state
from dashboard.components.context import Context, require
from dashboard.components.downloads import table_download
from dashboard.components.slice_viewer import Panel, show_panels, window_controls
from embeddings.analysis import nearest

ITEM_PX = 170


def _page(found: Context) -> None:
    table = loading.embedding_table(found.path, found.set_id)
    frame = table.frame
    chosen = state.selection()
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    only_selected = bool(chosen) and middle.toggle("Only selected", value=True, key="neighbours.only")
    offered = frame[frame["case_id"].isin(chosen)] if only_selected else frame
    if offered.empty:
        st.info("None of the selected scans is in this embedding set: clear the selection or choose another set.")
        return
    items = offered["item_id"].tolist()
    words = dict(zip(frame["item_id"], (_title(row) for _, row in frame.iterrows()), strict=True))
    query_id = left.selectbox("Case or slice", items, format_func=words.__getitem__, key="neighbours.query")
    k = right.number_input("Neighbours", 1, 11, 5, key="neighbours.k")
    other_patients = st.toggle(
        "Only other patients",
        value=True,
        key="neighbours.patients",
        help="Scans of one patient are alike for other reasons",
    )
    row = items.index(str(query_id))
    index = int(offered.index[row])
    try:
        answer = nearest(
            table.vectors,
            index,
            k=int(k),
            exclude_patient=frame["patient_id"].to_numpy(dtype=str) if other_patients else None,
        )
    except ValueError as error:
        st.info(str(error))
        return
    if len(answer.index) == 0:
        st.info("No other patient is in this set, so there is no neighbour to show.")
        return
    window, outline = window_controls("neighbours")
    query = frame.iloc[index]
    panels = [Panel(query, f"**Query** · {_title(query)}", _facts(query))]
    for rank, (neighbour, similarity) in enumerate(zip(answer.index, answer.similarity, strict=True), start=1):
        item = frame.iloc[int(neighbour)]
        panels.append(Panel(item, f"**{rank}** · {_title(item)} · cosine {similarity:.3f}", _facts(item)))
    show_panels(found.path, panels, window, outline, "neighbours")
    listed = frame.iloc[answer.index].assign(rank=range(1, len(answer.index) + 1), cosine=answer.similarity)
    front = ["rank", "cosine", "item_id", "case_id", "patient_id"]
    shown = listed[[*front, *[c for c in columns.describing(frame) if c not in front]]]
    st.dataframe(shown, hide_index=True, column_config={"item_id": st.column_config.TextColumn(width=ITEM_PX)})
    table_download(f"neighbours-{query['case_id']}", lambda: shown)
    st.caption("Similar in the embedding does not mean the same diagnosis.")


def _title(row: pd.Series) -> str:
    place = f", z = {row['z_lps_mm']:.0f} mm" if pd.notna(row.get("z_lps_mm")) else ""
    return f"{row['case_id']}{place}"


def _facts(row: pd.Series) -> str:
    facts = []
    if pd.notna(row.get("stage")):
        facts.append(f"stage {row['stage']}")
    if pd.notna(row.get("equivalent_diameter_mm")):
        facts.append(f"{row['equivalent_diameter_mm']:.0f} mm equivalent diameter")
    return ", ".join(facts)


st.title("Neighbours")
_page(require())
