"""All items of an embedding set in two dimensions; a lasso or a click selects cases on every page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import analyses, columns, loading, state
from dashboard.components.context import Context, require
from dashboard.components.downloads import figure_downloads
from dashboard.figures import map as map_figure
from dashboard.figures.colouring import ColourColumn
from dashboard.plain_text import plain

# A plotly selection travels back as some 130 bytes a point; beyond this many the browser's socket would close.
MAX_SHOWN = 20_000
MAX_CATEGORIES = 12


def _colour(frame: pd.DataFrame, column: str) -> ColourColumn:
    values = frame[column]
    if column in columns.stages(frame) and not (
        pd.api.types.is_numeric_dtype(values) and values.nunique() > MAX_CATEGORIES
    ):
        codes, order = columns.codes(frame, column)
        texts = [order[code] if code >= 0 else None for code in codes]
        return ColourColumn(columns.label(column), texts, "stage", levels=tuple(order))
    if column in columns.numeric(frame):
        return ColourColumn(columns.name_only(column), values.to_numpy(), "continuous", unit=columns.unit(column))
    kept = values.value_counts().index[:MAX_CATEGORIES]
    texts = [None if pd.isna(v) else (str(v) if v in kept else "other") for v in values]
    return ColourColumn(columns.label(column), texts, "category")


def _shown(table: loading.EmbeddingTable) -> loading.EmbeddingTable:
    if len(table.frame) <= MAX_SHOWN:
        return table
    rows = np.sort(np.random.default_rng(0).choice(len(table.frame), MAX_SHOWN, replace=False))
    st.caption(f"{MAX_SHOWN:,} of {len(table.frame):,} items are shown, drawn at random.")
    return loading.EmbeddingTable(table.frame.iloc[rows].reset_index(drop=True), table.vectors[rows])


def _page(found: Context) -> None:
    table = _shown(loading.embedding_table(found.path, found.set_id))
    frame = table.frame
    options = columns.describing(frame)
    if frame["patient_id"].nunique() < len(frame):
        options.append("patient_id")
    stages = columns.stages(frame)
    left, middle, right = st.columns([2, 1, 1])
    preferred = state.stage_column() or (stages[0] if stages else None)
    colour_by = left.selectbox(
        "Colour by",
        options or ["patient_id"],
        index=options.index(preferred) if preferred in options else 0,
        format_func=columns.label,
        key="map.colour",
    )
    method = middle.segmented_control("Method", ["UMAP", "PCA"], default="UMAP", required=True, key="map.method")
    neighbours = right.slider(
        "Neighbours", 5, 50, 15, key="map.neighbours", disabled=method != "UMAP", help="Few: local detail. Many: shape."
    )
    settings: dict[str, object] = {
        "method": str(method).lower(),
        "n_neighbours": neighbours,
        "min_dist": 0.1,
        "seed": 0,
    }
    key = (str(found.path), found.set_id, loading.revision(found.path))
    item_ids = frame["item_id"].tolist()
    try:
        xy = analyses.stored_projection(found.path, found.set_id, key, item_ids, table.vectors, settings)
    except ValueError as error:
        st.info(plain(error))
        return
    colour = _colour(frame, str(colour_by))
    axes = ("UMAP 1", "UMAP 2") if method == "UMAP" else ("PC 1", "PC 2")
    hover = frame[[c for c in ("case_id", "patient_id", "stage", "equivalent_diameter_mm") if c in frame]]
    figure = map_figure.screen(xy, item_ids, colour, hover=hover, axis_names=axes, footer=found.footer)
    figure.update_layout(dragmode="lasso")
    _mark_selection(figure, xy, frame)
    event = st.plotly_chart(
        figure,
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
        key="map.chart",
        alt=f"Map of {len(frame)} items coloured by {colour.name}",
    )
    _take_selection(event, frame)
    st.caption(
        "Distances between far-apart groups in a UMAP mean little, and their shape changes with the settings: "
        "test what you see on the **Stage gradient** page. Draw round points to select their scans, or click one; "
        "the tools above the map select by a box, move and zoom."
    )
    figure_downloads(
        "map",
        lambda: map_figure.print_figure(xy, item_ids, colour, axis_names=axes, footer=found.footer),
        lambda: map_figure.data(xy, item_ids, colour, axis_names=axes),
    )
    _selected(frame)


def _mark_selection(figure, xy: np.ndarray, frame: pd.DataFrame) -> None:  # type: ignore[no-untyped-def]
    chosen = frame["case_id"].isin(state.selection()).to_numpy()
    if chosen.any():
        figure.add_scattergl(
            x=xy[chosen, 0],
            y=xy[chosen, 1],
            mode="markers",
            marker={"symbol": "circle-open", "size": 15, "color": "#D55E00", "line": {"width": 2.5}},
            name=f"selected (n = {int(chosen.sum())})",
            hoverinfo="skip",
        )


def _take_selection(event, frame: pd.DataFrame) -> None:  # type: ignore[no-untyped-def]
    """Item ids of the event become the selected cases, once: the event is sent again with every later rerun."""
    points = event["selection"]["points"] if event else []
    items = {str(p["customdata"][0]) for p in points if p.get("customdata")}
    if not items or items == st.session_state.get("map.taken"):
        return
    st.session_state["map.taken"] = items
    state.select(frame.loc[frame["item_id"].isin(items), "case_id"])
    st.rerun()


def _selected(frame: pd.DataFrame) -> None:
    rows = frame[frame["case_id"].isin(state.selection())]
    if rows.empty:
        return
    st.subheader(f"{rows['case_id'].nunique()} selected scans")
    empty = [c for c in rows if rows[c].isna().all()]
    hidden = ["view", "image_path", "mask_path", "row", "seed_x", "seed_y", "seed_z", "lesion_source", *empty]
    st.dataframe(rows.drop(columns=[c for c in hidden if c in rows]), hide_index=True, height=240)
    st.page_link("screens/neighbours.py", label="See them and their neighbours", icon=":material/compare:")


st.title("Map")
_page(require())
