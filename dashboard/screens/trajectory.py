"""Diffusion pseudotime through the embedding, against stage."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.components import notices
from dashboard.components.choices import pick_column, pick_columns
from dashboard.components.context import Context, Staged, pick_stage, say_order, stage_options
from dashboard.components.downloads import figure_downloads, table_download
from dashboard.components.page import explanation, page, result_section
from dashboard.components.result_figure import result_figure
from dashboard.components.selection.chart_selection import selecting_chart
from dashboard.components.tables import result_table
from dashboard.compute import analyses
from dashboard.data import caveats, columns, defaults, loading
from dashboard.figures import courses as courses_figure
from dashboard.figures import trajectory as trajectory_figure
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings.analysis import Pseudotime, along_each, project, pseudotime, verdicts
from embeddings.formatting import of_patients

BY_STAGE = "(medoid of the lowest stage)"
N_COVARIATES = 3


def _trajectory(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    stages = stage_options(table)
    left, middle, right = st.columns(3)
    staged = pick_stage(table, stages, left, "trajectory")
    case_ids = staged.frame["case_id"].tolist()
    start = pick_column(middle, "Start of the trajectory", [BY_STAGE, *case_ids], "trajectory.root", words=str)
    neighbours = right.slider(
        "Neighbours in the graph", 5, 50, defaults.GRAPH_NEIGHBOURS, key="trajectory.k", persist_state=SESSION
    )
    root = None if start == BY_STAGE else case_ids.index(start)
    shown, followed = st.container(), st.container()
    # Drawn before the first analysis: Streamlit forgets a choice that a run leaves out.
    with followed:
        chosen = _pick_covariates(staged)
    result = xy = None
    with shown, result_section():
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
    with shown, result_section():
        xy = analyses.run(project, found.path, found.set_id, "trajectory.map", X=staged.vectors).coordinates
    if result is None:
        return
    if xy is not None:
        with shown:
            _show(found, staged, result, xy)
    if chosen:
        with followed, result_section():
            _covariates(found, staged, result, chosen)


def _show(found: Context, staged: Staged, result: Pseudotime, xy: NDArray[np.float64]) -> None:
    st.markdown(f"#### {plain(verdicts.trajectory(result))}")
    for warning in result.warnings:
        st.warning(plain(warning))
    stability = result.stability
    for place, (label, rho, help_text) in zip(
        st.columns(5),
        (
            ("ρ with stage", result.rho, "Spearman correlation of pseudotime with stage"),
            ("ρ of PC 1 with stage", result.pc1_rho, "The simple alternative that pseudotime has to beat"),
            ("ρ of a supervised axis", result.supervised_rho, "Of a stage axis on patients it was not fitted to"),
            ("Stability, subsamples", stability.subsamples, "Mean ρ over subsamples of 80 % of the patients"),
            ("Stability, other starts", stability.roots, "Mean ρ when other cases of the same stage are the start"),
        ),
        strict=True,
    ):
        place.metric(label, f"{rho:z.2f}" if np.isfinite(rho) else "not fitted", help=help_text)
    names = {float(code): name for code, name in enumerate(staged.order)}
    item_ids = staged.frame["item_id"].tolist()
    selecting_chart(
        trajectory_figure.screen(result, xy, item_ids, stage_names=names, footer=found.footer),
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
    explanation(
        f"n = {of_patients(result.n, result.n_patients, 'scan')}. A graph joins each scan with its "
        f"{result.n_neighbours} nearest neighbours; pseudotime is the diffusion distance (Haghverdi et al. 2016, "
        f"{result.n_components} components) from the start, {plain(result.root_rule)}. p is one-sided over "
        f"{result.n_permutations} permutations of stage; a start chosen by stage is chosen again in each. "
        "The interval of ρ is a bootstrap over patients with the pseudotime fixed, so interval and p answer different "
        "questions. An order that changes with the subsample or the start is not a trajectory. Pseudotime has to beat "
        "two alternatives: the first principal component, its sign set by stage in every permutation too, and the "
        "out-of-fold stage axis of the **Stage gradient** page, refitted in every permutation. Seed "
        f"{result.seed}. The map is for orientation only; pseudotime does not use it."
    )
    say_order(staged)


def _pick_covariates(staged: Staged) -> list[str]:
    """Columns to follow along the pseudotime: numbers, and columns of two groups; one size first, never the stage."""
    st.subheader("Covariates along the pseudotime")
    frame = staged.frame
    sizes, allowed = columns.sizes(frame), columns.covariates(frame)
    others = [c for c in columns.numeric(frame) if c in allowed and c not in sizes and frame[c].nunique() > 2]
    two_groups = [c for c in allowed if frame[c].nunique() == 2]
    options = [c for c in dict.fromkeys([*sizes[:1], *others, *two_groups, *sizes]) if c != staged.column]
    notices.censored_left_out(frame)
    if not options:
        st.info("There is no column of numbers or of two groups to follow. Add one to the CSV (age, sex, a size).")
        return []
    chosen = pick_columns(
        st,
        "Covariates",
        options,
        "trajectory.covariates",
        default=options[:N_COVARIATES],
        help="Columns of numbers, or of two groups (the share of one of them is followed)",
    )
    notices.caveat(caveats.t_stage_and_size(frame, staged.column, chosen))
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
    result_figure(
        courses_figure,
        courses,
        key="trajectory.courses",
        name="covariates-along-pseudotime",
        alt="Each covariate against pseudotime, with a smooth curve and its band",
        panels={"Cases": lambda: courses_figure.cases_data(courses)},
        labels=labels,
        footer=found.footer,
    )
    table = courses_figure.summary(courses, labels=labels)
    result_table(table, {"p": "p, two-sided"})
    table_download("covariates-along-pseudotime-tests", lambda: table, "Tests")
    first = courses.smooths[0]
    explanation(
        "Line: least squares on a restricted cubic spline of the pseudotime; of a covariate of two groups, the share "
        "of one of them. Band: 95 %, pointwise, from a bootstrap over patients "
        f"({first.n_bootstrap} draws) that takes the pseudotime as known. ρ: Spearman's, which detects only a steady "
        f"rise or fall; p: two-sided over {first.n_permutations} permutations of the patients, adjusted by Benjamini "
        "and Hochberg over the covariates shown. A covariate that changes along the pseudotime may be what orders the "
        f"scans: compare the **Stage gradient** page with the covariate adjusted for. Seed {first.seed}.",
        "How are these computed?",
    )


page("Trajectory", _trajectory)
