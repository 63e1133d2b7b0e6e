"""Does an axis through the embedding follow tumour stage, beyond chance and beyond size?"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.components import notices
from dashboard.components.choices import pick_columns, pick_optional_column, pick_permutations, pick_seed
from dashboard.components.context import Context, Staged, pick_stage, stage_options
from dashboard.components.downloads import figure_downloads
from dashboard.components.page import explanation, page
from dashboard.components.selection.chart_selection import selecting_chart
from dashboard.components.stage_axis import NO_SIZE, Choices, StageAxis, covariate_options, stage_axis
from dashboard.components.tables import result_table
from dashboard.data import caveats, columns, loading
from dashboard.data.case_columns import Design
from dashboard.figures import gradient as gradient_figure
from dashboard.wording.escaping import plain
from embeddings.analysis import StageGradient, p_words, verdicts
from embeddings.formatting import of_patients


def _gradient(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    stages = stage_options(table)
    left, middle, right = st.columns(3)
    staged = pick_stage(table, stages, left, "gradient")
    size = pick_optional_column(
        middle,
        "Tumour size",
        columns.sizes(staged.frame),
        "gradient.size",
        none=NO_SIZE,
        index=1,
        help="Measured from the mask where there is one; or a column of the CSV.",
    )
    others = covariate_options(staged, size)
    covariates = pick_columns(right, "Also adjust for", others, "gradient.covariates", placeholder="Nothing else")
    noted = st.container()
    with st.expander("Settings"):
        chosen = Choices(
            size, tuple(covariates), pick_permutations("gradient", (200, 1000, 5000, 10_000)), pick_seed("gradient")
        )
    with noted:
        notices.censored_left_out(staged.frame)
        notices.caveat(caveats.t_stage_and_size(staged.frame, staged.column, covariates, size=size))
        kept = chosen.complete(staged)
        notices.left_out(int((~kept).sum()), len(kept), "no value for size or a covariate")
    axis = stage_axis(found, staged, chosen)
    _say_covariates(axis.covariates)
    _show(found, staged, axis)


def _say_covariates(extra: Design | None) -> None:
    if extra is not None and extra.terms:
        st.caption(f"Also adjusted for: {plain(', '.join(extra.terms))}.")
    if extra is not None and extra.constant:
        names = ", ".join(columns.label(c) for c in extra.constant)
        st.caption(f"Not adjusted for, because all of these scans have the same value: {plain(names)}.")


def _show(found: Context, staged: Staged, axis: StageAxis) -> None:
    result, size_column, taken_out = axis.result, axis.size, axis.taken_out
    item_ids = axis.rows["item_id"].tolist()
    without_size = (
        "choose a size above"
        if columns.sizes(staged.frame)
        else "this cohort has no size; add one to the CSV and embed again"
    )
    st.markdown(f"#### {plain(verdicts.gradient(result, taken_out, without_size=without_size))}")
    for warning in result.warnings:
        st.warning(plain(verdicts.warning(warning, staged.order)))
    shown = st.columns(4)
    shown[0].metric("Out of fold ρ", f"{result.rho:z.2f}", help="Spearman correlation of the axis with stage")
    shown[1].metric("In sample ρ", f"{result.rho_in_sample:z.2f}", help="Too optimistic: do not report it")
    after, matched = result.residual, result.size_matched
    shown[2].metric(f"ρ after {taken_out}", f"{after.rho:z.2f}" if after else "not tested")
    shown[3].metric("ρ at similar size", f"{matched.rho:z.2f}" if matched else "not tested")
    st.markdown(plain(_second_opinion(result, taken_out)))
    names = {float(code): name for code, name in enumerate(staged.order)}
    size: dict[str, str] = {
        "size_name": columns.name_only(size_column).capitalize() if size_column else "Size",
        "size_unit": (columns.unit(size_column) or "") if size_column else "",
    }
    words: dict[str, Any] = {"stage_names": names, "taken_out": taken_out, "footer": found.footer, **size}
    selecting_chart(
        gradient_figure.screen(result, item_ids=item_ids, **words),
        staged.frame,
        "gradient.chart",
        "Score by stage, score against size, and the correlation with stage in several tests",
        "the stage gradient",
    )
    figure_downloads(
        "stage-gradient",
        lambda: gradient_figure.print_figure(result, **words),
        lambda: gradient_figure.data(result, stage_names=names, item_ids=item_ids, **size),
        {"Intervals": lambda: gradient_figure.evidence_data(result, taken_out)},
    )
    result_table(gradient_figure.evidence_data(result, taken_out))
    st.caption(f"p one-sided; adjusted: {result.adjusted.words}. {verdicts.TWO_QUESTIONS}")
    explanation(
        f"n = {of_patients(result.n, result.n_patients, 'scan')}. The axis is an ordinal ridge regression, fitted in "
        f"{result.n_folds}-fold cross-validation by patient, repeated {result.n_repeats} times; a scan is scored only "
        "by axes fitted without any scan of its patient. ρ is Spearman's; its interval is a 95 % bootstrap over "
        f"patients ({result.n_bootstrap} draws). p is one-sided: the whole cross-validation is repeated under "
        f"{result.n_permutations} permutations of stage between patients; it is adjusted over the {result.n_tests} "
        "tests of this page by Holm's method. Trend across stages: "
        f"Jonckheere-Terpstra z = {result.trend.z:z.2f}, "
        f"{p_words(result.trend_p_permutation, 'one-sided')} from the same permutations, not adjusted. "
        "Size and covariates: a spline of log size, and the covariates untransformed, are regressed out of the vectors "
        "with coefficients of the training folds. At similar size: scans are compared, and stages permuted, only "
        f"within bins of about three patients of similar size. Seed {result.seed}."
    )


def _second_opinion(result: StageGradient, taken_out: str) -> str:
    """The discriminant's figures, unadjusted and after adjustment."""
    text = f"For comparison, a shrinkage discriminant (LDA): {verdicts.axis_words(result.lda)}"
    after = result.lda_residual
    if after is not None:
        text += f"; after {taken_out} {verdicts.axis_words(after)}"
    return f"{text}."


page("Stage gradient", _gradient)
