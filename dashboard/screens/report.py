"""The report of the open cohort: its settings and command, the figure, and everything as one zip."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import links
from dashboard.components import notices
from dashboard.components.choices import pick_columns, pick_number, pick_optional_column, pick_seed
from dashboard.components.context import Context, pick_stage_column, stage_options
from dashboard.components.page import explanation, page
from dashboard.compute.waiting import obtain, run_again
from dashboard.data import caveats, columns, defaults, embedding_sets, loading
from dashboard.data.case_columns import is_numeric
from dashboard.data.staging import group_of, names_in
from dashboard.report.arguments import MAX_RESAMPLES, ReportSettings, command_line
from dashboard.report.process import report_task
from dashboard.report.write import Report
from dashboard.session import state
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import file_for_streamlit, plain
from embeddings import disclosure
from embeddings.cohort.stages import read_column
from embeddings.formatting import counted
from embeddings.store.connections import StoreError
from flexict.errors import FlexiCTError

NONE = "(none)"


def _report(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    settings = _settings(found, table)
    if settings is None:
        return
    out = f"{found.path.stem}-report"
    st.markdown("The same report from the command line:")
    st.code(command_line(settings, out), language="bash", wrap_lines=True)
    task = report_task(settings, out, loading.revision(found.path))
    if st.button("Build the report", type="primary", icon=":material/description:"):
        st.session_state["report.asked"] = task.key
        run_again(task, "report")
    if st.session_state.get("report.asked") != task.key:
        st.caption("Building takes from half a minute to a few minutes; every analysis is run once.")
        return
    try:
        report = obtain(task, "report")
    except FlexiCTError as error:
        st.error(plain(error))
        return
    _show(report, out)


def _settings(found: Context, table: loading.EmbeddingTable) -> ReportSettings | None:
    """The settings in the form, or None where they cannot be read (and says why)."""
    frame = table.frame
    options = _partly_staged(frame) or stage_options(table)
    left, middle, right = st.columns(3)
    stage = pick_stage_column(options, left, "report") or options[0]
    numbers = [column for column in columns.numeric(frame) if column != stage]
    sizes = [column for column in columns.sizes(frame) if column != stage]
    size = pick_optional_column(middle, "Tumour size", sizes, "report.size", none=NONE, index=1)
    others = [column for column in columns.covariates(frame) if column not in (stage, size)]
    covariates = pick_columns(right, "Also adjust for", others, "report.covariates", placeholder="Nothing else")
    seen = [str(value) for value in frame[stage].dropna().unique()]
    order = left.text_input(
        "Order, lowest first",
        key="report.order",
        persist_state=SESSION,
        placeholder=", ".join(read_column(seen, header=stage).order or sorted(seen)),
        help="Stages, or the groups below. Leave empty to sort them by meaning.",
    )
    groups = middle.text_area(
        "Groups, one per line",
        key="report.groups",
        persist_state=SESSION,
        placeholder="Early=Tis,T1a,T1b\nAdvanced=T3,T4",
        height=100,
        help="Stages to combine, lowest group first. Leave empty to keep all stages.",
    )
    baseline = pick_columns(
        right,
        "Clinical baseline",
        others,
        "report.baseline",
        placeholder="None" if size is None else "The size",
    )
    notices.censored_left_out(frame)
    notices.caveat(caveats.t_stage_and_size(frame, stage, [*covariates, *baseline], size=size))
    selection = _selection(found)
    with st.expander("Survival, further sets, settings"):
        time_place, event_place = st.columns(2)
        time = pick_optional_column(time_place, "Survival time", numbers, "report.time", none=NONE)
        event = pick_optional_column(event_place, "Event", others, "report.event", none=NONE)
        sets = embedding_sets.ranked(loading.embedding_sets(found.path))
        words = {str(row["set_id"]): embedding_sets.words(row) for _, row in sets.iterrows()}
        rest = [set_id for set_id in words if set_id != found.set_id]
        compare = pick_columns(st, "Compare with", rest, "report.compare", words=words.__getitem__)
        first, second, third = st.columns(3)
        permutations = pick_number(
            first, "Permutations", 19, MAX_RESAMPLES, defaults.PERMUTATIONS, "report.permutations"
        )
        bootstrap = pick_number(
            second, "Bootstrap resamples", 19, MAX_RESAMPLES, defaults.BOOTSTRAP, "report.bootstrap"
        )
        seed = pick_seed("report", third)
    listed = names_in(order) or (() if groups.strip() else state.stage_orders().get(stage, ()))
    if not listed and not groups.strip() and stage not in columns.stages(frame) and not read_column(seen).order:
        named = plain(", ".join(sorted(seen)))
        st.info(f"The order of the stages is not known ({named}). Type it into **Order, lowest first**.")
        return None
    try:
        return ReportSettings(
            cohort=Path(found.path),
            stage=stage,
            order=listed,
            groups=tuple(group_of(line) for line in groups.splitlines() if line.strip()),
            size=size,
            covariates=tuple(covariates),
            baseline=tuple(baseline),
            time=time,
            event=event,
            set_id=found.set_id,
            compare=tuple(compare),
            selection=selection,
            permutations=permutations,
            bootstrap=bootstrap,
            seed=seed,
        )
    except FlexiCTError as error:
        st.error(plain(error))
        return None


def _selection(found: Context) -> str | None:
    """Name of the selection to report on, saved in the cohort file so that the command finds it, or None."""
    chosen = state.selected()
    if not chosen or not st.toggle(
        f"Only the {counted(len(chosen.cases), 'selected scan')}",
        key="report.selected",
        persist_state=SESSION,
        help="The command names the selection, which is saved in the cohort file",
    ):
        return None
    try:
        return links.saved_name(found.path, found.set_id, chosen)
    except (StoreError, OSError) as error:
        st.error(f"The selection cannot be saved in the cohort file, so the report covers all scans: {plain(error)}")
        return None


def _partly_staged(frame: pd.DataFrame) -> list[str]:
    """Columns that read as a stage, then text columns with at least two stages (the report counts the other values),
    and the cohort's own stage where its order has to be typed."""
    options = columns.stages(frame)
    for column in columns.describing(frame):
        if column not in options and not is_numeric(frame[column]):
            seen = [str(value) for value in frame[column].dropna().unique()]
            read = read_column(seen, header=column)
            waits_for_order = column == columns.STAGE and read.odd and len(seen) <= columns.MAX_STAGES
            options += [column] if len(read.order) > 1 or waits_for_order else []
    return options


def _show(report: Report, name: str) -> None:
    st.success(f"{plain(report.sentence)} {disclosure.RESEARCH_ONLY}.")
    for analysis, sentence in report.refused.items():
        st.warning(f"Not done, {plain(analysis)}: {plain(sentence)}")
    if report.warnings:
        warnings = "\n".join(f"- {plain(sentence)}" for sentence in report.warnings)
        explanation(warnings, f"Warnings of the analyses ({len(report.warnings)})")
    st.download_button(
        "Export everything (zip)",
        data=report.zipped,
        file_name=f"{name}.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="report.zip",
    )
    st.caption(
        "The zip contains every figure as SVG, PDF and PNG, every table as CSV, the methods, and `report.json`: cohort "
        "and weights by SHA-256, versions, seed, the scans, every number, and the command that repeats the report."
    )
    st.image(report.files["figure.png"], width="stretch", caption="figure.png of the zip")
    explanation(file_for_streamlit(report.files["methods.md"].decode("utf-8").removeprefix("# Methods\n")), "Methods")


page("Report", _report)
