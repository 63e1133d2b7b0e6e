"""All items of an embedding set in two dimensions; a selection made here holds on every page."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.browser_payload import encoded
from dashboard.components.context import Context
from dashboard.components.downloads import figure_downloads
from dashboard.components.page import page, result_section
from dashboard.components.point_map import feed_pictures, point_map
from dashboard.components.point_map.layers import Layer, bounds_of, contents, inks_of, tip
from dashboard.components.point_map.picks import rows_of
from dashboard.components.selection.case_list import case_list, filter_form
from dashboard.compute import analyses
from dashboard.data import columns, loading
from dashboard.figures import map as map_figure
from dashboard.figures.style.colouring import MAX_CATEGORIES, ColourColumn
from dashboard.session import state
from dashboard.session.selection import combined, mode_of
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings.formatting import counted
from flexict.errors import FlexiCTError

MOST_FOR_UMAP = 150_000
MAP_KEY, PICTURES_KEY, TAKEN_KEY, PROBLEM_KEY = "map.points", "map.pictures", "map.taken", "map.problem"
TIPS = ("case_id", "patient_id", "stage", "equivalent_diameter_mm")


def _colour(frame: pd.DataFrame, column: str) -> ColourColumn:
    values = frame[column]
    if column in columns.stages(frame) and not (
        pd.api.types.is_numeric_dtype(values) and values.nunique() > MAX_CATEGORIES
    ):
        codes, order = columns.codes(frame, column)
        texts = np.array([*order, None], dtype=object)[codes]
        return ColourColumn(columns.label(column), texts, "stage", levels=tuple(order))
    if column in columns.numeric(frame):
        return ColourColumn(columns.name_only(column), values.to_numpy(), "continuous", unit=columns.unit(column))
    return ColourColumn(columns.label(column), values.to_numpy(dtype=object), "category")


def _points(found: Context) -> None:
    frame = loading.item_frame(found.path, found.set_id)
    colour_by, settings = _controls(frame)
    chosen = state.selected().rows(frame)
    with result_section():
        _show(found, frame, colour_by, settings, chosen)
    with st.expander("Select by the values of a column"):
        filter_form(frame)
    st.subheader(counted(frame["case_id"][chosen].nunique(), "selected scan") if chosen.any() else "All items")
    case_list(frame, chosen)
    if chosen.any():
        st.page_link("screens/neighbours.py", label="See them and their neighbours", icon=":material/compare:")


def _show(
    found: Context, frame: pd.DataFrame, colour_by: str, settings: dict[str, object], chosen: NDArray[np.bool_]
) -> None:
    xy = _coordinates(found, frame, settings)
    if xy is None:
        return
    axes = ("UMAP 1", "UMAP 2") if settings["method"] == "umap" else ("PC 1", "PC 2")
    item_ids = frame["item_id"].tolist()
    key = (str(found.path), found.set_id, loading.revision(found.path), colour_by, tuple(settings.items()))
    layer = _layer(key, xy, frame, colour_by, axes, found.footer)
    _map(layer, frame)
    feed_pictures(found.path, layer.words["store"], PICTURES_KEY)
    st.caption(
        "Drag around points to select them, or click one; hold Shift to add, Alt to remove. The wheel zooms. In a "
        "UMAP, distances between groups that are far apart mean little, and shapes change with the settings: test what "
        "you see on the **Stage gradient** page."
    )
    points = (xy, item_ids, _colour(frame, colour_by))
    figure_downloads(
        "map",
        lambda: map_figure.print_figure(*points, axis_names=axes, footer=found.footer, selected=chosen),
        lambda: map_figure.data(*points, axis_names=axes).assign(selected=chosen),
    )


def _controls(frame: pd.DataFrame) -> tuple[str, dict[str, object]]:
    options = columns.describing(frame) or ["patient_id"]
    if "patient_id" not in options and frame["patient_id"].nunique() < len(frame):
        options.append("patient_id")
    stages = columns.stages(frame)
    preferred = [state.view("colour"), state.stage_column(), *stages[:1]]
    start = next((options.index(one) for one in preferred if one in options), 0)
    left, middle, right = st.columns([2, 1, 1])
    colour_by = left.selectbox("Colour by", options, index=start, format_func=columns.label, key="map.colour")
    state.set_view("colour", colour_by)
    method = middle.segmented_control(
        "Method", ["UMAP", "PCA"], default="UMAP", required=True, key="map.method", persist_state=SESSION
    )
    neighbours = right.slider(
        "Neighbours",
        5,
        50,
        15,
        key="map.neighbours",
        persist_state=SESSION,
        disabled=method != "UMAP",
        help="Few show local detail, many the overall shape",
    )
    return str(colour_by), {"method": str(method).lower(), "n_neighbours": neighbours, "min_dist": 0.1, "seed": 0}


def _coordinates(found: Context, frame: pd.DataFrame, settings: dict[str, object]) -> NDArray[np.float64] | None:
    """Coordinates `[n, 2]` of the items, from the file or computed now; None where there are too many items."""
    kept = loading.kept_coordinates(found.path, found.set_id, tuple(sorted(settings.items())), frame["item_id"])
    if kept is not None:
        return kept
    if settings["method"] == "umap" and len(frame) > MOST_FOR_UMAP:
        st.info(
            f"A UMAP of {len(frame):,} items takes hours on most machines, and this cohort file has none yet. Choose "
            "**PCA** above, or embed with a larger slice step."
        )
        return None
    table = loading.embedding_table(found.path, found.set_id)
    return analyses.saved_map(found.path, found.set_id, frame["item_id"].tolist(), table.vectors, settings)


@st.cache_resource(max_entries=6, show_spinner="Drawing the map ...")
def _layer(
    key: tuple[object, ...],
    _xy: NDArray[np.float64],
    _frame: pd.DataFrame,
    colour_by: str,
    axes: tuple[str, str],
    footer: str | None,
) -> Layer:
    """What the browser draws; `key` names the set and the projection."""
    colour = _colour(_frame, colour_by)
    shown = dict.fromkeys([*(c for c in TIPS if c in _frame), colour_by])
    words = {
        "store": hashlib.sha256(repr((key[0], key[2])).encode()).hexdigest()[:16],
        "colour": colour.label,
        "axes": axes,
        "footer": footer,
        "alt": f"Map of {counted(len(_frame), 'item')} coloured by {colour.name}",
    }
    return Layer(
        token=hashlib.sha256(repr((key[:3], key[4])).encode()).hexdigest()[:16],
        coordinates=_xy,
        item_ids=_frame["item_id"].to_numpy(dtype=object),
        inks=inks_of(colour),
        tips=[tip(columns.label(c), _frame[c]) for c in shown],
        bounds=bounds_of(_xy),
        words=words,
    )


@st.fragment
def _map(layer: Layer, frame: pd.DataFrame) -> None:
    """The map, a fragment of its own: moving it fetches other points without rerunning the page."""
    if st.session_state.pop(TAKEN_KEY, False):
        st.rerun()
    asked = st.session_state.get(MAP_KEY)
    viewport = asked.get("viewport") if asked else None
    chosen = state.selected().rows(frame)
    try:
        block = encoded(*contents(layer, chosen, viewport))
    except FlexiCTError as error:
        st.error(plain(error))
        block = encoded(*contents(layer, chosen, None))
    point_map(block, MAP_KEY, on_pick=lambda: _take(layer, frame), on_move=lambda: None)
    if PROBLEM_KEY in st.session_state:
        st.error(plain(st.session_state.pop(PROBLEM_KEY)))


def _take(layer: Layer, frame: pd.DataFrame) -> None:
    """A shape, an id or a group from the browser becomes the selection of every page."""
    picked = dict(st.session_state[MAP_KEY].picked or {})
    try:
        rows, origin = rows_of(picked, layer)
    except FlexiCTError as error:
        st.session_state[PROBLEM_KEY] = f"The selection on the map cannot be read: {error}"
        return
    state.put_selection(combined(frame, state.selected(), rows, mode_of(picked), origin))
    # The rest of the page shows the selection too, so the fragment reruns all of it.
    st.session_state[TAKEN_KEY] = True


page("Map", _points)
