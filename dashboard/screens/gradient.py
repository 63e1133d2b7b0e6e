"""Does an axis through the embedding follow tumour stage, beyond chance and beyond size?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard.components import notices
from dashboard.components.context import Context, Staged, pick_stage, require, stage_options
from dashboard.components.downloads import figure_downloads
from dashboard.components.selection.chart_selection import selecting_chart
from dashboard.compute import analyses
from dashboard.compute.waiting import section
from dashboard.data import caveats, columns, defaults, loading
from dashboard.data.case_columns import MAX_LEVELS, Design, design
from dashboard.figures import gradient as gradient_figure
from dashboard.session.widget_state import SESSION
from dashboard.wording import verdicts
from dashboard.wording.escaping import plain
from dashboard.wording.result_tables import as_text
from embeddings.analysis import StageGradient, p_words, stage_gradient
from embeddings.formatting import counted, of_patients
from flexict.errors import FlexiCTError

NO_SIZE = "(do not test size)"


def _page(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    options = stage_options(table)
    left, middle, right = st.columns(3)
    with left:
        staged = pick_stage(table, options, "gradient")
    size_options = [NO_SIZE, *columns.sizes(staged.frame)]
    size = middle.selectbox(
        "Tumour size",
        size_options,
        index=1 if len(size_options) > 1 else 0,
        format_func=lambda c: c if c == NO_SIZE else columns.label(c),
        key="gradient.size",
        persist_state=SESSION,
        help="Measured from the mask where there is one; or a column of the CSV.",
    )
    others = [c for c in _adjustable(staged.frame) if c != size and c != staged.column]
    covariates = right.multiselect(
        "Also account for",
        others,
        format_func=columns.label,
        key="gradient.covariates",
        persist_state=SESSION,
        placeholder="Nothing else",
    )
    size_column = None if size == NO_SIZE else size
    notices.censored_left_out(staged.frame)
    notices.caveat(caveats.t_stage_and_size(staged.frame, staged.column, covariates, size=size_column))
    needed = [c for c in (size_column, *covariates) if c]
    kept = staged.frame[needed].notna().all(axis=1).to_numpy(dtype=bool)
    if not kept.all():
        st.caption(f"Left out, as they lack the size or a covariate: {counted(int((~kept).sum()), 'staged scan')}.")
    rows = staged.frame[kept].reset_index(drop=True)
    with st.expander("Settings"):
        n_permutations = st.select_slider(
            "Permutations",
            [200, 1000, 5000, 10_000],
            defaults.PERMUTATIONS,
            key="gradient.permutations",
            persist_state=SESSION,
        )
        seed = st.number_input("Seed", 0, 10_000, defaults.SEED, key="gradient.seed", persist_state=SESSION)
    try:
        extra = design(rows, covariates, "Also account for") if covariates else None
        result = analyses.run(
            stage_gradient,
            found.path,
            found.set_id,
            "gradient",
            X=staged.vectors[kept],
            stage=staged.codes[kept],
            patient=staged.patients[kept],
            size=rows[size_column].to_numpy(dtype=float) if size_column else None,
            covariates=extra.matrix if extra and extra.terms else None,
            n_permutations=int(n_permutations),
            seed=int(seed),
        )
    except FlexiCTError as error:
        st.info(plain(error))
        return
    _say_covariates(extra)
    taken_out = gradient_figure.taken_out_words(size=size_column is not None, covariates=bool(extra and extra.terms))
    _show(found, staged, result, rows["item_id"].tolist(), size_column, taken_out)


def _adjustable(frame: pd.DataFrame) -> list[str]:
    """Columns that can be regressed out: numbers, and categories of few levels."""
    numbers = columns.numeric(frame)
    return [c for c in columns.covariates(frame) if c in numbers or frame[c].nunique() <= MAX_LEVELS]


def _say_covariates(extra: Design | None) -> None:
    if extra is not None and extra.terms:
        st.caption(f"Accounted for beside size: {plain(', '.join(extra.terms))}.")
    if extra is not None and extra.constant:
        names = ", ".join(columns.label(c) for c in extra.constant)
        st.caption(f"Not accounted for, as all of these cases share one value: {plain(names)}.")


def _show(
    found: Context,
    staged: Staged,
    result: StageGradient,
    item_ids: list[str],
    size_column: str | None,
    taken_out: str,
) -> None:
    without_size = (
        "choose a size above"
        if columns.sizes(staged.frame)
        else "this cohort has none; add one to the CSV and embed again"
    )
    st.markdown(f"#### {plain(verdicts.gradient(result, taken_out, without_size=without_size))}")
    for warning in result.warnings:
        st.warning(plain(verdicts.warning(warning, staged.order)))
    shown = st.columns(4)
    shown[0].metric("Out of fold ρ", f"{result.rho:z.2f}", help="Spearman correlation of the axis with stage")
    shown[1].metric("In sample ρ", f"{result.rho_in_sample:z.2f}", help="The optimistic, published way; not to report")
    after, matched = result.residual, result.size_matched
    shown[2].metric(f"ρ after {taken_out}", f"{after.rho:z.2f}" if after else "not tested")
    shown[3].metric("ρ at similar size", f"{matched.rho:z.2f}" if matched else "not tested")
    st.markdown(plain(_second_opinion(result, taken_out)))
    names = {float(code): name for code, name in enumerate(staged.order)}
    unit = (columns.unit(size_column) or "") if size_column else ""
    size_name = columns.name_only(size_column).capitalize() if size_column else "Size"
    figure = gradient_figure.screen(
        result,
        stage_names=names,
        item_ids=item_ids,
        size_name=size_name,
        size_unit=unit,
        taken_out=taken_out,
        footer=found.footer,
    )
    selecting_chart(
        figure,
        staged.frame,
        "gradient.chart",
        "Score by stage, score against size, and the correlation with stage in several ways of asking",
        "the stage gradient",
    )
    figure_downloads(
        "stage-gradient",
        lambda: gradient_figure.print_figure(
            result,
            stage_names=names,
            size_name=size_name,
            size_unit=unit,
            taken_out=taken_out,
            footer=found.footer,
        ),
        lambda: gradient_figure.data(result, stage_names=names, item_ids=item_ids, size_name=size_name, size_unit=unit),
        {"Intervals": lambda: gradient_figure.evidence_data(result, taken_out)},
    )
    st.dataframe(as_text(gradient_figure.evidence_data(result, taken_out)), hide_index=True)
    st.caption(f"p one-sided; adjusted: {result.adjusted.words}. {verdicts.TWO_QUESTIONS}")
    with st.expander("How is this computed?"):
        st.markdown(
            f"n = {of_patients(result.n, result.n_patients, 'scan')}. The axis is ordinal ridge, fitted in "
            f"{result.n_folds}-fold cross-validation by patient, repeated {result.n_repeats} times; a case is scored "
            "only by axes that saw no scan of its patient. ρ is Spearman's, its interval a 95 % bootstrap over "
            f"patients ({result.n_bootstrap} draws). p is one-sided: the whole cross-fit is redone under "
            f"{result.n_permutations} permutations of stage between patients, and adjusted over the {result.n_tests} "
            "tests of this page by Holm's method. Trend across stages: "
            f"Jonckheere-Terpstra z = {result.trend.z:z.2f}, "
            f"{p_words(result.trend_p_permutation, 'one-sided')} by the same permutations, not adjusted. "
            "Size and covariates: a spline of log size, and the covariates as they are, are regressed out of the "
            "vectors with coefficients of the training folds. At similar size: cases are compared, and stages "
            "exchanged, only among three "
            f"patients of similar size. Seed {result.seed}."
        )


def _second_opinion(result: StageGradient, taken_out: str) -> str:
    """The discriminant's figures, plain and after adjustment."""
    said = f"A second opinion, the shrinkage discriminant (LDA): {verdicts.axis_words(result.lda)}"
    after = result.lda_residual
    if after is not None:
        said += f"; after {taken_out} {verdicts.axis_words(after)}"
    return f"{said}."


st.title("Stage gradient")
with section():
    _page(require())
