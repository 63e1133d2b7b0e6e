"""The sidebar (cohort, embedding set, stage column, selection) and what it decides for a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.components import notices
from dashboard.components.selection.selection_panel import selection_panel
from dashboard.components.stage_order import ask_for_order
from dashboard.data import columns, embedding_sets, loading
from dashboard.session import state
from dashboard.wording.escaping import plain
from embeddings import disclosure
from embeddings.formatting import counted, of_patients
from embeddings.records import CohortInfo
from embeddings.store.store import StoreError


@dataclass(frozen=True)
class Context:
    """The open cohort file and the embedding set that the pages show."""

    path: Path
    info: CohortInfo
    embedding_set: pd.Series

    @property
    def set_id(self) -> str:
        """Id of the embedding set."""
        return str(self.embedding_set["set_id"])

    @property
    def footer(self) -> str | None:
        """What every figure of this set must carry."""
        return disclosure.figure_footer(self.info, self.embedding_set)


@dataclass(frozen=True)
class Staged:
    """The staged rows of a table, their codes and the order of the stages."""

    column: str
    frame: pd.DataFrame
    vectors: NDArray[np.float32]
    codes: NDArray[np.int64]
    order: list[str]

    @property
    def patients(self) -> NDArray[np.str_]:
        """Patient of each row."""
        return self.frame["patient_id"].to_numpy(dtype=str)


def frame() -> None:
    """What surrounds every page: the banner of simulated data; cohort, embedding set and selection in the sidebar."""
    path = state.cohort()
    if path is None:
        return
    try:
        info, sets = loading.cohort_info(path), loading.embedding_sets(path)
    except StoreError:
        return  # the page says so
    notices.simulated_banner(info)
    with st.sidebar:
        st.markdown(f"**{plain(info.name)}**" + ("  \n:orange-badge[simulated]" if info.simulated else ""))
        st.caption(of_patients(info.n_cases, info.n_patients, "scan"))
        _pick_set(sets)
        selection_panel(path)


def require() -> Context:
    """The open cohort with at least one vector; otherwise says what to do next and ends the page."""
    path = state.cohort()
    if path is None:
        notices.nothing_open()
    assert path is not None
    try:
        info, sets = loading.cohort_info(path), loading.embedding_sets(path)
    except StoreError as error:
        st.error(plain(error))
        st.stop()
    set_id = state.chosen_set()
    rows = sets[(sets["set_id"] == set_id) & (sets["n_items"] > 0)]
    if rows.empty:
        notices.nothing_embedded()
    found = Context(path, info, rows.iloc[0])
    notices.encoder_notice(found.embedding_set)
    return found


def stage_options(table: loading.EmbeddingTable) -> list[str]:
    """Columns that read as a stage; without one, says what is missing and ends the page."""
    path = state.cohort()
    waits_for_order = path is not None and ask_for_order(path)
    options = columns.stages(table.frame)
    if not options:
        if not waits_for_order:
            st.info(
                "No column of this cohort is an ordered stage or grade with at least two levels (such as T1, "
                "T2, T3 or Grade 1 to 4). Add one to the CSV, or map it on the **Cohort** page, "
                f"{notices.EMBED_AGAIN}"
            )
        st.stop()
    return options


def pick_stage_column(options: list[str], place: Any, key: str, none: str | None = None) -> str | None:
    """The stage column, shared by all pages; None where `none`, listed last, is chosen."""
    current = state.stage_column()
    column = place.selectbox(
        "Stage",
        [*options, none] if none else options,
        index=options.index(current) if current in options else 0,
        format_func=lambda one: one if one == none else columns.label(one),
        key=f"{key}.stage",
    )
    if column == none:
        return None
    state.choose_stage_column(column)
    return str(column)


def pick_stage(table: loading.EmbeddingTable, options: list[str], place: Any, key: str) -> Staged:
    """The staged rows for the stage column that the user chooses; rows without a stage are left out and counted."""
    column = pick_stage_column(options, place, key) or options[0]
    codes, order = columns.codes(table.frame, column)
    staged = codes >= 0
    with place:
        notices.left_out(int((~staged).sum()), len(codes), "no stage in this column")
    frame = table.frame[staged].reset_index(drop=True)
    return Staged(column, frame, table.vectors[staged], codes[staged], order)


def say_order(staged: Staged) -> None:
    """The order in which the stages count."""
    st.caption(f"Order of *{plain(columns.label(staged.column))}*: {plain(' < '.join(staged.order))}")


def _pick_set(sets: pd.DataFrame) -> None:
    ranked = embedding_sets.ranked(sets)
    if ranked.empty:
        return
    options = ranked["set_id"].tolist()
    words = embedding_sets.labels(ranked)
    current = state.chosen_set()
    chosen = st.selectbox(
        "Embedding set",
        options,
        index=options.index(current) if current in options else 0,
        format_func=words.__getitem__,
        help="An embedding set is one encoder with its weights, one view (volume, slices or lesion) and one preset.",
    )
    state.choose_set(chosen)
    row = ranked.set_index("set_id").loc[chosen]
    vectors = counted(int(row["n_items"]), "vector")
    st.caption(f"{plain(row['encoder'])} · {plain(row['preset'])} · {vectors} of {row['width']} dimensions")
