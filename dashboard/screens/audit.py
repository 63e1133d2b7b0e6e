"""Does something else explain the stage axis: the site, the scanner, the size? One sentence a column."""

from __future__ import annotations

import streamlit as st

from dashboard.components import notices
from dashboard.components.choices import pick_columns, pick_permutations, pick_seed
from dashboard.components.context import Context, Staged, pick_stage, say_order, stage_options
from dashboard.components.downloads import table_download
from dashboard.components.page import explanation, page
from dashboard.components.result_figure import result_figure
from dashboard.components.stage_axis import choices, stage_axis
from dashboard.components.tables import result_table
from dashboard.compute import analyses
from dashboard.data import caveats, columns, defaults, loading
from dashboard.data.audited_columns import audited
from dashboard.figures import audit as audit_figure
from dashboard.wording.escaping import plain
from embeddings.analysis import ShortcutAudit, StageGradient, shortcuts, verdicts
from embeddings.formatting import counted, of_patients
from flexict.errors import FlexiCTError

MANY_COLUMNS = 12
# So that all columns fit side by side on a small screen.
TABLE_PX = {
    "column": 130,
    "n": 42,
    "associated with stage": 160,
    "predicts stage, AUC": 200,
    "predicted by the vectors": 226,
    "stage axis without it, rho": 206,
}


def _shortcuts(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    stages = stage_options(table)
    staged = pick_stage(table, stages, st.columns(3)[0], "audit")
    options = [c for c in columns.covariates(staged.frame) if c != staged.column]
    if not options:
        st.info(
            f"There are no other columns to test: apart from *{plain(columns.label(staged.column))}* no column "
            "of this cohort has more than one value. Add site, scanner, kernel, slice thickness, sex, age or tumour "
            f"size to the CSV {notices.EMBED_AGAIN}"
        )
        return
    chosen = pick_columns(
        st,
        "Which columns could explain the stage axis?",
        options,
        f"audit.columns.{staged.column}",
        default=columns.suspects(staged.frame, staged.column, staged.codes),
        help="By default all columns except the stage, columns that restate it, and the outcome",
    )
    notices.censored_left_out(staged.frame)
    notices.caveat(caveats.t_stage_and_size(staged.frame, staged.column, chosen))
    unrecorded = columns.unrecorded(table.frame)
    if unrecorded:
        st.caption(f"Not recorded in this cohort, so not audited: {', '.join(unrecorded)}.")
    with st.expander("Settings"):
        n_permutations, seed = pick_permutations("audit"), pick_seed("audit")
    if not chosen:
        st.info("Choose at least one column to test whether it explains the stage axis.")
        return
    result = analyses.run(
        shortcuts,
        found.path,
        found.set_id,
        "audit",
        X=staged.vectors,
        stage=staged.codes,
        covariates=audited(staged.frame, chosen),
        patient=staged.patients,
        n_permutations=n_permutations,
        n_bootstrap=defaults.BOOTSTRAP,
        seed=seed,
    )
    axis = _axis(found, staged)
    _show(found, staged, result if axis is None else result.with_axis(axis))


def _axis(found: Context, staged: Staged) -> StageGradient | None:
    """The stage axis of the Stage gradient page, so that both pages give the same verdict; or None, and why."""
    try:
        return stage_axis(found, staged, choices(staged), slot="audit.axis").result
    except FlexiCTError as error:
        st.info(f"The stage gradient cannot be computed, so the stage axis is tested on this page only: {plain(error)}")
        return None


def _show(found: Context, staged: Staged, result: ShortcutAudit) -> None:
    st.markdown(f"#### {plain(verdicts.audit(result))}")
    axis = result.axis
    st.caption(f"Stage axis, {of_patients(axis.n, axis.n_patients, 'scan')}: {plain(verdicts.axis_words(axis))}.")
    _verdicts(result)
    name = f"vectors ({found.embedding_set['encoder']})"
    result_figure(
        audit_figure,
        result,
        key="audit.chart",
        name="shortcuts",
        alt="Concordance with stage of the vectors and of each column alone; how well the vectors predict the column",
        data=lambda: audit_figure.data(result, vectors_name=name),
        panels={"Left out": lambda: audit_figure.left_out_data(result)},
        vectors_name=name,
        footer=found.footer,
    )
    st.dataframe(
        audit_figure.summary(result),
        hide_index=True,
        column_config={name: st.column_config.Column(width=px) for name, px in TABLE_PX.items()},
    )
    table_download("shortcuts-table", lambda: audit_figure.summary(result))
    st.caption(f"{audit_figure.about_p(result)} {verdicts.TWO_QUESTIONS}")
    _left_out(result)
    explanation(
        f"n = {of_patients(result.n, result.n_patients, 'scan')}; a scan without a value is left out of that column's "
        "row. *Associated with stage*: Cramér's V (categories) or correlation ratio η (numbers). *Predicts stage*: "
        "concordance with stage (with two stages the area under the ROC curve) of a prediction from the column, out of "
        "fold and by patient. The tick in the figure is chance: the mean over permuted stages. It lies below 0.5 for a "
        "column of few levels, because whatever such a column seems to predict by chance in the training folds is "
        "wrong on the scans left out. *Predicted by the vectors*: area under the ROC curve (categories, mean over "
        "levels) or Spearman's ρ (numbers) of the column's out-of-fold prediction from the vectors. *Stage axis "
        "without it*: ρ of the out-of-fold stage axis with stage, the column regressed out of the vectors with "
        f"coefficients of the training folds. Each p is one-sided over {result.n_permutations} permutations of "
        "patients, adjusted over the columns for the false discovery rate (Benjamini and Hochberg); intervals are 95 % "
        f"bootstraps over patients ({result.n_bootstrap} draws). A column explains the stage axis if that axis follows "
        "stage (by the adjusted p of the Stage gradient page, with its settings), the column is associated "
        "with stage, the vectors predict it, and the axis is not shown to follow stage once it is removed (or if the "
        "column and the stage divide the scans in the same way). A column that is not shown to matter may still matter "
        f"in a larger cohort, and what the CSV does not record cannot be audited. Seed {result.seed}."
    )
    say_order(staged)


def _verdicts(result: ShortcutAudit) -> None:
    """A sentence a column; of many columns those that explain the stage axis first, the others folded."""
    warning = verdicts.audit_resolution(result)
    if warning:
        st.warning(plain(warning))
    few = len(result.columns) <= MANY_COLUMNS
    first = [one.verdict for one in result.columns if few or one.explains_axis]
    rest = [one for one in result.verdicts if one not in first]
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in first))
    if rest:
        explanation("\n".join(f"- {plain(sentence)}" for sentence in rest), counted(len(rest), "other column"))


def _left_out(result: ShortcutAudit) -> None:
    table = audit_figure.left_out_data(result)
    st.subheader("Does the stage axis generalise to new sites or scanners?")
    if table.empty:
        st.caption(
            "Cannot be tested: no level of a category (such as a site) has five or more scans of at least two stages "
            "from patients without scans at another level, with two stages left to train on."
        )
        return
    st.caption(
        "Each level, such as one site, is left out of the training in turn. The table shows the concordance with stage "
        "on its scans with other scans of the level in the training, without any, and the drop. A clear drop means "
        "that the axis does not generalise to a new level."
    )
    result_table(table)
    table_download("shortcuts-left-out-table", lambda: table)


page("Shortcuts", _shortcuts)
