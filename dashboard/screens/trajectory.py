"""Diffusion pseudotime through the embedding, against stage."""

from __future__ import annotations

import streamlit as st

from dashboard import analyses, columns, loading, readings
from dashboard.components.context import Context, Staged, pick_stage, require, stage_options
from dashboard.components.downloads import figure_downloads
from dashboard.components.selection import mark_selected
from dashboard.figures import trajectory as trajectory_figure
from embeddings.analysis import Pseudotime

BY_STAGE = "(medoid of the lowest stage)"


def _page(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    options = stage_options(table)
    left, middle, right = st.columns(3)
    with left:
        staged = pick_stage(table, options, "trajectory")
    case_ids = staged.frame["case_id"].tolist()
    start = middle.selectbox("Start of the trajectory", [BY_STAGE, *case_ids], key="trajectory.root")
    neighbours = right.slider("Neighbours in the graph", 5, 50, min(15, max(5, len(case_ids) // 5)), key="trajectory.k")
    key = (str(found.path), found.set_id, loading.revision(found.path))
    root = None if start == BY_STAGE else case_ids.index(str(start))
    try:
        result = analyses.trajectory(
            (*key, staged.column), staged.vectors, staged.codes, staged.patients, root, neighbours, 0
        )
        xy = analyses.projection((*key, staged.column, "staged"), staged.vectors, "umap", 15, 0.1, 0).coordinates
    except ValueError as error:
        st.info(str(error))
        return
    _show(found, staged, result, xy)


def _show(found: Context, staged: Staged, result: Pseudotime, xy) -> None:  # type: ignore[no-untyped-def]
    st.markdown(f"#### {readings.trajectory(result)}")
    for warning in result.warnings:
        st.warning(warning)
    shown = st.columns(4)
    shown[0].metric("ρ with stage", f"{result.rho:z.2f}", help="Spearman correlation of pseudotime with stage")
    shown[1].metric("ρ of PC 1 with stage", f"{result.pc1_rho:z.2f}", help="The simple alternative to beat")
    stability = result.stability
    shown[2].metric("Stability, subsamples", f"{stability.subsamples:z.2f}", help="Mean ρ over 80 % of the patients")
    shown[3].metric(
        "Stability, other starts", f"{stability.roots:z.2f}", help="Mean ρ from other cases of the start's stage"
    )
    names = {float(code): name for code, name in enumerate(staged.order)}
    item_ids = staged.frame["item_id"].tolist()
    figure = trajectory_figure.screen(result, xy, item_ids, stage_names=names, footer=found.footer)
    mark_selected(figure, staged.frame)
    st.plotly_chart(
        figure,
        key="trajectory.chart",
        alt="Map coloured by pseudotime, and pseudotime by stage",
    )
    figure_downloads(
        "trajectory",
        lambda: trajectory_figure.print_figure(result, xy, item_ids, stage_names=names, footer=found.footer),
        lambda: trajectory_figure.data(result, xy, item_ids, stage_names=names),
    )
    with st.expander("How is this computed?"):
        st.markdown(
            f"n = {result.n} scans of {result.n_patients} patients. A graph joins each case with its "
            f"{result.n_neighbours} nearest; pseudotime is the diffusion distance (Haghverdi et al. 2016, "
            f"{result.n_components} components) from the start, {result.root_rule}. p is one-sided over "
            f"{result.n_permutations} permutations of stage, each with its own start. The interval of ρ is a "
            "bootstrap over patients with the pseudotime held fixed. An order that changes with the subsample or the "
            f"start is no trajectory. Seed {result.seed}. The map is drawn for orientation; pseudotime does not use it."
        )
    st.caption(f"The order of *{columns.label(staged.column)}*: " + " < ".join(staged.order))


st.title("Trajectory")
_page(require())
