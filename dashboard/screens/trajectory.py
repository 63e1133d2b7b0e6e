"""Diffusion pseudotime through the embedding, against stage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.components import notices
from dashboard.components.chart import chart
from dashboard.components.context import Context, Staged, pick_stage, require, stage_options
from dashboard.components.downloads import figure_downloads, table_download
from dashboard.components.selection.chart_selection import selecting_chart
from dashboard.compute import analyses
from dashboard.compute.waiting import section
from dashboard.data import caveats, columns, defaults, loading
from dashboard.figures import courses as courses_figure
from dashboard.figures import trajectory as trajectory_figure
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from dashboard.wording.result_tables import as_text
from embeddings.analysis import Pseudotime, along_each, project, pseudotime, verdicts
from embeddings.formatting import of_patients
from flexict.errors import FlexiCTError

BY_STAGE = "(medoid of the lowest stage)"
N_COVARIATES = 3


def _page(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    options = stage_options(table)
    left, middle, right = st.columns(3)
    with left:
        staged = pick_stage(table, options, "trajectory")
    case_ids = staged.frame["case_id"].tolist()
    start = middle.selectbox(
        "Start of the trajectory", [BY_STAGE, *case_ids], key="trajectory.root", persist_state=SESSION
    )
    neighbours = right.slider(
        "Neighbours in the graph", 5, 50, defaults.GRAPH_NEIGHBOURS, key="trajectory.k", persist_state=SESSION
    )
    root = None if start == BY_STAGE else case_ids.index(str(start))
    shown, followed = st.container(), st.container()
    # Drawn before the first analysis: a choice that is left out of a run is forgotten.
    with followed:
        chosen = _pick_covariates(staged)
    result = xy = None
    try:
        with shown, section():
            result = analyses.run(
                pseudotime,
                found.path,
                found.set_id,
                "trajectory",
                X=staged.vectors,
                stage=staged.codes,
                patient=staged.patients,
                root=root,
                n_neighbours=neighbours,
                n_permutations=defaults.PERMUTATIONS,
                seed=defaults.SEED,
            )
        with shown, section():
            xy = analyses.run(project, found.path, found.set_id, "trajectory.map", X=staged.vectors).coordinates
    except FlexiCTError as error:
        st.info(plain(error))
        return
    if result is None:
        return
    if xy is not None:
        with shown:
            _show(found, staged, result, xy)
    if chosen:
        with followed, section():
            _covariates(found, staged, result, chosen)


def _show(found: Context, staged: Staged, result: Pseudotime, xy) -> None:  # type: ignore[no-untyped-def]
    st.markdown(f"#### {plain(verdicts.trajectory(result))}")
    for warning in result.warnings:
        st.warning(plain(warning))
    shown = st.columns(5)
    shown[0].metric("ρ with stage", f"{result.rho:z.2f}", help="Spearman correlation of pseudotime with stage")
    shown[1].metric("ρ of PC 1 with stage", f"{result.pc1_rho:z.2f}", help="The simple alternative to beat")
    shown[2].metric(
        "ρ of a supervised axis",
        f"{result.supervised_rho:z.2f}" if np.isfinite(result.supervised_rho) else "not fitted",
        help="A stage axis, scored on patients it was not fitted to: what knowing the stage can reach",
    )
    stability = result.stability
    shown[3].metric("Stability, subsamples", f"{stability.subsamples:z.2f}", help="Mean ρ over 80 % of the patients")
    shown[4].metric(
        "Stability, other starts", f"{stability.roots:z.2f}", help="Mean ρ from other cases of the start's stage"
    )
    names = {float(code): name for code, name in enumerate(staged.order)}
    item_ids = staged.frame["item_id"].tolist()
    figure = trajectory_figure.screen(result, xy, item_ids, stage_names=names, footer=found.footer)
    selecting_chart(
        figure,
        staged.frame,
        "trajectory.chart",
        "Map coloured by pseudotime, and pseudotime by stage",
        "the trajectory",
    )
    figure_downloads(
        "trajectory",
        lambda: trajectory_figure.print_figure(result, xy, item_ids, stage_names=names, footer=found.footer),
        lambda: trajectory_figure.data(result, xy, item_ids, stage_names=names),
        {"Simple axes": lambda: trajectory_figure.axes_data(result)},
    )
    with st.expander("How is this computed?"):
        st.markdown(
            f"n = {of_patients(result.n, result.n_patients, 'scan')}. A graph joins each case with its "
            f"{result.n_neighbours} nearest; pseudotime is the diffusion distance (Haghverdi et al. 2016, "
            f"{result.n_components} components) from the start, {plain(result.root_rule)}. p is one-sided over "
            f"{result.n_permutations} permutations of stage, each with its own start. The interval of ρ is a "
            "bootstrap over patients with the pseudotime kept as it is, so that it and the p answer different "
            "questions. An order "
            "that changes with the subsample or the start is no trajectory. The first principal component, turned "
            "towards stage in every permutation too, and the out-of-fold stage axis of the Gradient page, refitted in "
            f"every permutation, are the alternatives that it has to beat. Seed {result.seed}. The map is drawn for "
            "orientation; pseudotime does not use it."
        )
    st.caption(f"The order of *{plain(columns.label(staged.column))}*: " + plain(" < ".join(staged.order)))


def _followable(frame: pd.DataFrame, stage: str) -> list[str]:
    """Columns of numbers and of two groups, one size first; the stage itself is what the start was chosen by."""
    sizes = columns.sizes(frame)
    allowed = columns.covariates(frame)
    others = [c for c in columns.numeric(frame) if c in allowed and c not in sizes and frame[c].nunique() > 2]
    two_groups = [c for c in allowed if frame[c].nunique() == 2]
    return [c for c in dict.fromkeys([*sizes[:1], *others, *two_groups, *sizes]) if c != stage]


def _pick_covariates(staged: Staged) -> list[str]:
    """The columns to follow; says what to do where there is none."""
    st.subheader("Covariates along the course")
    options = _followable(staged.frame, staged.column)
    notices.censored_left_out(staged.frame)
    if not options:
        st.info("No column of numbers or of two groups to follow. Add one to the CSV (age, sex, a measurement).")
        return []
    chosen = st.multiselect(
        "Covariates",
        options,
        default=options[:N_COVARIATES],
        format_func=columns.label,
        key="trajectory.covariates",
        persist_state=SESSION,
        help="Columns of numbers, or of two groups, whose share is followed",
    )
    notices.caveat(caveats.t_stage_and_size(staged.frame, staged.column, chosen))
    if not chosen:
        st.info("Choose a covariate to follow along the pseudotime.")
    return chosen


def _covariates(found: Context, staged: Staged, result: Pseudotime, chosen: list[str]) -> None:
    courses = analyses.run(
        along_each,
        found.path,
        found.set_id,
        "courses",
        pseudotime=result.pseudotime,
        covariates={name: staged.frame[name] for name in chosen},
        patient=staged.patients,
        seed=0,
    )
    for _, reason in courses.left_out:
        st.info(plain(reason))
    if not courses.smooths:
        return
    labels = {name: columns.label(name) for name in chosen}
    st.markdown(f"**{plain(verdicts.courses(courses, labels))}**")
    chart(
        courses_figure.screen(courses, labels=labels, footer=found.footer),
        "trajectory.courses",
        "Each covariate against pseudotime, with a smooth and its band",
    )
    figure_downloads(
        "covariates-along-pseudotime",
        lambda: courses_figure.print_figure(courses, labels=labels, footer=found.footer),
        lambda: courses_figure.data(courses),
        {"Cases": lambda: courses_figure.cases_data(courses)},
    )
    table = courses_figure.summary(courses, labels=labels)
    st.dataframe(as_text(table, {"p": "p, two-sided"}), hide_index=True)
    table_download("covariates-along-pseudotime-tests", lambda: table, "Tests")
    first = courses.smooths[0]
    with st.expander("How are these computed?"):
        st.markdown(
            "Line: least squares on a restricted cubic spline of the pseudotime, of a covariate of two groups the "
            "share of one of them. Band: 95 % at each pseudotime by itself, from a bootstrap over patients "
            f"({first.n_bootstrap} draws); the pseudotime is taken as known. ρ: Spearman, which sees a course that "
            "only rises or only falls; p: two-sided over "
            f"{first.n_permutations} permutations of the patients, adjusted by Benjamini and Hochberg over the "
            "covariates shown. A covariate that changes along the course may be what orders the cases: compare the "
            f"Gradient page with it removed. Seed {first.seed}."
        )


st.title("Trajectory")
_page(require())
