"""Does something else explain the stage axis: the site, the scanner, the size? One sentence a column."""

from __future__ import annotations

import streamlit as st

from dashboard.components import notices
from dashboard.components.chart import chart
from dashboard.components.context import Context, Staged, pick_stage, require, stage_options
from dashboard.components.downloads import figure_downloads, table_download
from dashboard.components.stage_axis import choices, stage_axis
from dashboard.compute import analyses
from dashboard.compute.waiting import section
from dashboard.data import caveats, columns, defaults, loading
from dashboard.data.audited_columns import audited
from dashboard.figures import audit as audit_figure
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from dashboard.wording.result_tables import as_text
from embeddings.analysis import ShortcutAudit, StageGradient, shortcuts, verdicts
from embeddings.formatting import counted, of_patients
from flexict.errors import FlexiCTError

MANY_COLUMNS = 12
# So that all columns stand side by side on a small screen.
TABLE_PX = {
    "column": 130,
    "n": 42,
    "associated with stage": 160,
    "predicts stage, AUC": 200,
    "predicted by the vectors": 226,
    "stage axis without it, rho": 206,
}


def _page(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    place = st.columns(3)[0]
    with place:
        staged = pick_stage(table, stage_options(table), "audit")
    options = [c for c in columns.covariates(staged.frame) if c != staged.column]
    if not options:
        st.info(
            f"This cohort has no column beside *{plain(columns.label(staged.column))}* whose values differ, so that "
            "there is nothing to audit. Add site, scanner, kernel, slice thickness, sex, age or tumour size "
            "to the CSV and embed again: vectors that are there already are kept."
        )
        return
    chosen = st.multiselect(
        "Which columns could explain the stage axis?",
        options,
        default=columns.suspects(staged.frame, staged.column, staged.codes),
        format_func=columns.label,
        key=f"audit.columns.{staged.column}",
        persist_state=SESSION,
        help="All columns but the stage, other spellings of it, and the outcome",
    )
    notices.censored_left_out(staged.frame)
    notices.caveat(caveats.t_stage_and_size(staged.frame, staged.column, chosen))
    unrecorded = columns.unrecorded(table.frame)
    if unrecorded:
        st.caption(f"Not recorded in this cohort, and so not audited: {', '.join(unrecorded)}.")
    with st.expander("Settings"):
        n_permutations = st.select_slider(
            "Permutations", [200, 1000, 5000], defaults.PERMUTATIONS, key="audit.permutations", persist_state=SESSION
        )
        seed = st.number_input("Seed", 0, 10_000, defaults.SEED, key="audit.seed", persist_state=SESSION)
    if not chosen:
        st.info("Choose at least one column to test whether it explains the stage axis.")
        return
    try:
        axis = _axis(found, staged)
        result = analyses.run(
            shortcuts,
            found.path,
            found.set_id,
            "audit",
            X=staged.vectors,
            stage=staged.codes,
            covariates=audited(staged.frame, chosen),
            patient=staged.patients,
            n_permutations=int(n_permutations),
            n_bootstrap=defaults.BOOTSTRAP,
            seed=int(seed),
        )
    except FlexiCTError as error:
        st.info(plain(error))
        return
    _show(found, staged, result if axis is None else result.with_axis(axis))


def _axis(found: Context, staged: Staged) -> StageGradient | None:
    """The stage axis as the Stage gradient page has it, so that both pages say the same of it; or None, and why."""
    try:
        return stage_axis(found, staged, choices(staged), slot="audit.axis").result
    except FlexiCTError as error:
        st.info(f"The stage gradient cannot be computed, so that the stage axis is tested here alone: {plain(error)}")
        return None


def _show(found: Context, staged: Staged, result: ShortcutAudit) -> None:
    st.markdown(f"#### {plain(verdicts.audit(result))}")
    axis = result.axis
    st.caption(f"Stage axis, {of_patients(axis.n, axis.n_patients, 'scan')}: {plain(verdicts.axis_words(axis))}.")
    _verdicts(result)
    name = f"vectors ({found.embedding_set['encoder']})"
    chart(
        audit_figure.screen(result, vectors_name=name, footer=found.footer),
        "audit.chart",
        "Concordance with stage of the vectors and of each column alone, and how well the vectors predict the column",
    )
    figure_downloads(
        "shortcuts",
        lambda: audit_figure.print_figure(result, vectors_name=name, footer=found.footer),
        lambda: audit_figure.data(result, vectors_name=name),
        {"Left out": lambda: audit_figure.left_out_data(result)},
    )
    st.dataframe(
        audit_figure.summary(result),
        hide_index=True,
        column_config={name: st.column_config.Column(width=px) for name, px in TABLE_PX.items()},
    )
    table_download("shortcuts-table", lambda: audit_figure.summary(result))
    st.caption(f"{audit_figure.about_p(result)} {verdicts.TWO_QUESTIONS}")
    _left_out(result)
    with st.expander("How is this computed?"):
        st.markdown(
            f"n = {of_patients(result.n, result.n_patients, 'scan')}; a case without a value is left out of that "
            "column's row. *Associated with stage*: Cramér's V (categories) or the correlation ratio η (numbers). "
            "*Predicts stage*: concordance with stage (with two stages the area under the ROC curve) of a prediction "
            "from the column, out of fold and by patient. Its chance, the tick in the figure, is the mean over "
            "permuted stages, and lies below 0.5 for a column of few levels: what such a column seems to predict by "
            "chance in the training folds is wrong the other way on the cases left out. *Predicted by the vectors*: "
            "area under the ROC curve (categories, mean over levels) or Spearman's ρ (numbers) of the column's "
            "out-of-fold prediction from the vectors. *Stage axis without it*: ρ of the out-of-fold stage axis with "
            "stage after the column is regressed out of the vectors with coefficients of the training folds. Each p is "
            f"one-sided over {result.n_permutations} permutations of patients, adjusted over the columns for the false "
            "discovery rate (Benjamini and Hochberg); intervals are 95 % bootstraps over patients "
            f"({result.n_bootstrap} draws). A column is said to explain the stage axis where that axis follows stage "
            "(by the adjusted p of the Stage gradient page, with the settings chosen there), the column is associated "
            "with stage, the vectors predict it, and the axis is not shown to follow stage once it is removed (or the "
            "two divide the cases alike). A column that is not shown to matter may still matter in a larger cohort, "
            f"and what the CSV does not record cannot be audited. Seed {result.seed}."
        )
    st.caption(f"The order of *{plain(columns.label(staged.column))}*: " + plain(" < ".join(staged.order)))


def _verdicts(result: ShortcutAudit) -> None:
    """A sentence a column; of many columns those that explain the stage axis, the others behind a click."""
    warning = verdicts.audit_resolution(result)
    if warning:
        st.warning(plain(warning))
    few = len(result.columns) <= MANY_COLUMNS
    first = [one.verdict for one in result.columns if few or one.explains_axis]
    rest = [one for one in result.verdicts if one not in first]
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in first))
    if rest:
        with st.expander(f"{counted(len(rest), 'other column')}, a sentence each"):
            st.markdown("\n".join(f"- {plain(sentence)}" for sentence in rest))


def _left_out(result: ShortcutAudit) -> None:
    table = audit_figure.left_out_data(result)
    st.subheader("The stage axis where it was never trained")
    if table.empty:
        st.caption(
            "No level of a category (such as a site) has five patients' scans or more of two stages, with two stages "
            "left to train on elsewhere."
        )
        return
    st.caption(
        "Each level, such as one site, is left out of the training in turn: concordance with stage on its cases when "
        "others of the level were trained on, when none was, and the drop. A clear drop says that the axis does not "
        "carry over to a new level."
    )
    st.dataframe(as_text(table), hide_index=True)
    table_download("shortcuts-left-out-table", lambda: table)


st.title("Shortcuts")
with section():
    _page(require())
