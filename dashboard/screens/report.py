"""The report of the open cohort: the settings of the command line, the figure, and everything as one zip."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import links
from dashboard.components import notices
from dashboard.components.context import Context, require, stage_options
from dashboard.compute.waiting import obtain, run_again, section
from dashboard.data import caveats, columns, defaults, embedding_sets, loading
from dashboard.data.case_columns import is_numeric
from dashboard.data.staging import group_of, names_in
from dashboard.report.arguments import MAX_RESAMPLES, ReportSettings, command_line
from dashboard.report.process import report_task
from dashboard.report.write import Report
from dashboard.session import state
from dashboard.session.widget_state import SESSION
from dashboard.wording.escaping import plain
from embeddings import disclosure
from embeddings.cohort.stages import read_column
from embeddings.formatting import counted
from embeddings.store.connections import StoreError
from flexict.errors import FlexiCTError

NONE = "(none)"


def _page(found: Context) -> None:
    table = loading.case_table(found.path, found.set_id)
    settings = _settings(found, table.frame)
    if settings is None:
        return
    out = f"{found.path.stem}-report"
    st.markdown("The same report from a terminal:")
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


def _settings(found: Context, frame: pd.DataFrame) -> ReportSettings | None:
    """What the form asks for, or None where it cannot be read (and says why)."""
    options = _partly_staged(frame) or stage_options(loading.case_table(found.path, found.set_id))
    current = state.stage_column()
    left, middle, right = st.columns(3)
    stage = left.selectbox(
        "Stage",
        options,
        index=options.index(current) if current in options else 0,
        format_func=columns.label,
        key="report.stage",
    )
    state.choose_stage_column(stage)
    numbers = [column for column in columns.numeric(frame) if column != stage]
    sizes = [NONE, *[column for column in columns.sizes(frame) if column != stage]]
    size = middle.selectbox(
        "Tumour size", sizes, index=min(1, len(sizes) - 1), format_func=_shown, key="report.size", persist_state=SESSION
    )
    others = [column for column in columns.covariates(frame) if column not in (stage, size)]
    covariates = right.multiselect(
        "Also account for",
        others,
        format_func=columns.label,
        key="report.covariates",
        persist_state=SESSION,
        placeholder="Nothing else",
    )
    seen = [str(value) for value in frame[stage].dropna().unique()]
    order = left.text_input(
        "Order, lowest first",
        key="report.order",
        persist_state=SESSION,
        placeholder=", ".join(read_column(seen, header=str(stage)).order or sorted(seen)),
        help="Stages, or the groups below; empty to sort them by meaning.",
    )
    groups = middle.text_area(
        "Groups, one a line",
        key="report.groups",
        persist_state=SESSION,
        placeholder="Early=Tis,T1a,T1b\nAdvanced=T3,T4",
        height=100,
        help="Stages taken together, lowest group first; empty to take every stage by itself.",
    )
    baseline = right.multiselect(
        "Clinical baseline",
        others,
        format_func=columns.label,
        key="report.baseline",
        persist_state=SESSION,
        placeholder="None" if size == NONE else "The size",
    )
    sized = None if size == NONE else size
    notices.censored_left_out(frame)
    notices.caveat(caveats.t_stage_and_size(frame, stage, [*covariates, *baseline], size=sized))
    selection = _selection(found)
    with st.expander("Survival, further sets, settings"):
        time_place, event_place = st.columns(2)
        time = time_place.selectbox(
            "Survival time", [NONE, *numbers], format_func=_shown, key="report.time", persist_state=SESSION
        )
        event = event_place.selectbox(
            "Event", [NONE, *others], format_func=_shown, key="report.event", persist_state=SESSION
        )
        sets = embedding_sets.ranked(loading.embedding_sets(found.path))
        words = {str(row["set_id"]): embedding_sets.words(row) for _, row in sets.iterrows()}
        rest = [set_id for set_id in words if set_id != found.set_id]
        compare = st.multiselect(
            "Compare with", rest, format_func=words.__getitem__, key="report.compare", persist_state=SESSION
        )
        first, second, third = st.columns(3)
        permutations = first.number_input(
            "Permutations", 19, MAX_RESAMPLES, defaults.PERMUTATIONS, key="report.permutations", persist_state=SESSION
        )
        bootstrap = second.number_input(
            "Bootstrap resamples", 19, MAX_RESAMPLES, defaults.BOOTSTRAP, key="report.bootstrap", persist_state=SESSION
        )
        seed = third.number_input("Seed", 0, 10_000, defaults.SEED, key="report.seed", persist_state=SESSION)
    listed = names_in(order) or (() if groups.strip() else state.stage_orders().get(str(stage), ()))
    if not listed and not groups.strip() and stage not in columns.stages(frame) and not read_column(seen).order:
        named = plain(", ".join(sorted(seen)))
        st.info(f"The order of the stages is not known ({named}). Type it into **Order, lowest first**.")
        return None
    try:
        return ReportSettings(
            cohort=Path(found.path),
            stage=str(stage),
            order=listed,
            groups=tuple(group_of(line) for line in groups.splitlines() if line.strip()),
            size=sized,
            covariates=tuple(covariates),
            baseline=tuple(baseline),
            time=None if time == NONE else time,
            event=None if event == NONE else event,
            set_id=found.set_id,
            compare=tuple(compare),
            selection=selection,
            permutations=int(permutations),
            bootstrap=int(bootstrap),
            seed=int(seed),
        )
    except FlexiCTError as error:
        st.error(plain(error))
        return None


def _selection(found: Context) -> str | None:
    """Name of the selection that is reported alone, kept in the cohort file so that the command finds it, or None."""
    chosen = state.selected()
    if not chosen or not st.toggle(
        f"Only the {counted(len(chosen.cases), 'selected scan')}",
        key="report.selected",
        persist_state=SESSION,
        help="The command names the selection, which is kept in the cohort file",
    ):
        return None
    try:
        return links.kept_name(found.path, found.set_id, chosen)
    except (StoreError, OSError) as error:
        st.error(f"The selection cannot be kept in the cohort file, so the report is of all scans: {plain(error)}")
        return None


def _partly_staged(frame: pd.DataFrame) -> list[str]:
    """Columns that read as a stage, then text columns in which at least two stages are (the rest is counted), and the
    cohort's own stage where its order has to be typed."""
    options = columns.stages(frame)
    for column in columns.describing(frame):
        if column not in options and not is_numeric(frame[column]):
            seen = [str(value) for value in frame[column].dropna().unique()]
            read = read_column(seen, header=column)
            waits_for_order = column == columns.STAGE and read.odd and len(seen) <= columns.MAX_STAGES
            options += [column] if len(read.order) > 1 or waits_for_order else []
    return options


def _shown(column: str) -> str:
    return column if column == NONE else columns.label(column)


def _show(report: Report, name: str) -> None:
    st.success(f"{plain(report.sentence)} {disclosure.RESEARCH_ONLY}.")
    for analysis, sentence in report.refused.items():
        st.warning(f"Not done, {plain(analysis)}: {plain(sentence)}")
    if report.warnings:
        with st.expander(f"What the analyses warn of ({len(report.warnings)})"):
            st.markdown("\n".join(f"- {plain(sentence)}" for sentence in report.warnings))
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
        "The zip holds every figure as SVG, PDF and PNG, every table as CSV, the methods, and `report.json`: cohort "
        "and weights by SHA-256, versions, seed, the cases, every number, and the command that makes it again."
    )
    st.image(report.files["figure.png"], width="stretch", caption="figure.png of the zip")
    with st.expander("Methods"):
        st.markdown(report.files["methods.md"].decode("utf-8").removeprefix("# Methods\n").translate(_STREAMLIT_SIGNS))


# The Markdown file escapes what any reader of Markdown would take for markup; these two are Streamlit's own.
_STREAMLIT_SIGNS = str.maketrans({"$": r"\$", ":": r"\:"})

st.title("Report")
with section():
    _page(require())
