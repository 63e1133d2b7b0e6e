"""Open a cohort file, or make one from a CSV of CT scans."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.components.cohort_form.job_progress import job_progress
from dashboard.components.cohort_form.new_cohort import new_cohort
from dashboard.components.downloads import table_download
from dashboard.components.tour import tour
from dashboard.data import columns, loading
from dashboard.session import state
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings.store.store import Store, StoreError

settings: Settings = st.session_state["settings"]

# Room for a sentence that names a file.
REASON_PX = 640
SET_COLUMNS = {
    "encoder": "Encoder",
    "view": "View",
    "preset": "Preset",
    "pooling": "Pooling",
    "width": "Width",
    "n_items": "Vectors",
    "n_cases": "Scans",
    "created": "Made (UTC)",
    "weights_sha256": "Weights (SHA-256)",
}
FAILURE_COLUMNS = {
    "case_id": "Case",
    "reason": "Reason",
    "stage_of_work": "Step",
    "set_id": "Embedding sets",
    "attempts": "Attempts",
    "last_at": "Last at (UTC)",
}


def _overview(path: Path) -> None:
    try:
        info, sets = loading.cohort_info(path), loading.embedding_sets(path)
        store = Store(path)
        cases, failures, doubts, runs = store.cases(), store.failures(), store.doubts(), store.runs()
    except StoreError as error:
        st.error(plain(error))
        return
    st.subheader(plain(info.name))
    figures = st.columns(4)
    figures[0].metric("Scans", info.n_cases)
    figures[1].metric("Patients", info.n_patients)
    figures[2].metric("Embedding sets", len(sets))
    figures[3].metric("Failures", failures["case_id"].nunique())  # a case may fail in several sets
    if not sets.empty:
        st.markdown("**Embedding sets**")
        shown = sets[list(SET_COLUMNS)].assign(weights_sha256=sets["weights_sha256"].str[:12])
        st.dataframe(shown, hide_index=True, column_config=dict(SET_COLUMNS), placeholder="")
        table_download(f"{path.stem}-embedding-sets", lambda: sets[list(SET_COLUMNS)])
    if not failures.empty:
        failures = _once_a_case(failures)
        st.markdown("**What could not be embedded, and why**")
        st.dataframe(
            failures[list(FAILURE_COLUMNS)],
            hide_index=True,
            column_config={**FAILURE_COLUMNS, "reason": st.column_config.TextColumn("Reason", width=REASON_PX)},
        )
        table_download(f"{path.stem}-failures", lambda: failures[list(FAILURE_COLUMNS)])
    if not doubts.empty:
        st.markdown("**Embedded, but the values may not be HU**")
        st.dataframe(doubts, hide_index=True, column_config={"doubt": st.column_config.TextColumn(width="large")})
        table_download(f"{path.stem}-doubts", lambda: doubts)
    st.markdown("**Scans**")
    if "stage" in cases and cases["stage"].notna().any():
        counts = cases["stage"].fillna("no stage").value_counts()
        others = sorted(set(counts.index) - {*info.stage_order, "no stage"})
        order = [*info.stage_order, *others, "no stage"]
        words = [f"{stage}: {counts[stage]}" for stage in order if stage in counts]
        st.caption("Scans of each stage: " + plain(", ".join(words)))
    empty = [c for c in cases if cases[c].isna().all()]
    hidden = {"image_path", "mask_path", *empty}
    listed = cases.drop(columns=[c for c in cases if c in hidden])
    st.dataframe(listed, hide_index=True, height=320, column_config=dict(columns.headings(listed)), placeholder="")
    table_download(f"{path.stem}-scans", lambda: listed)
    with st.expander(f"Runs of the job ({len(runs)})"):
        shown = runs.drop(columns=["settings"])
        st.dataframe(shown, hide_index=True, column_config=dict(columns.headings(shown)), placeholder="")
        table_download(f"{path.stem}-runs", lambda: runs)


def _once_a_case(failures: pd.DataFrame) -> pd.DataFrame:
    """One row for what went wrong with a case in several sets for the same reason."""
    return failures.groupby(["case_id", "reason", "stage_of_work"], sort=False, as_index=False).agg(
        set_id=("set_id", lambda ids: ", ".join(dict.fromkeys(ids))),
        attempts=("attempts", "max"),
        last_at=("last_at", "max"),
    )


def _open_form() -> None:
    found = sorted(settings.workspace.glob("*.duckdb")) if settings.workspace.is_dir() else []
    options = [str(p) for p in dict.fromkeys([*([settings.cohort] if settings.cohort else []), *found])]
    left, right = st.columns(2)
    with left:
        picked = st.selectbox("Cohort files in the workspace", options, index=None, placeholder="Choose a file")
    with right:
        typed = st.text_input("Or the path of a .duckdb file", placeholder="/data/cohort.duckdb")
    choice = typed.strip() or picked
    if not st.button("Open", disabled=not choice, key="open.button"):
        return
    path = Path(str(choice)).expanduser().resolve()
    if not settings.allows(path):
        st.error(_refusal(path))
        return
    try:
        Store(path).info()
    except StoreError as error:
        st.error(plain(error))
        return
    state.open_cohort(path)
    st.rerun()


def _refusal(path: Path) -> str:
    if settings.workspaces is not None and path.is_relative_to(settings.workspaces):
        return f"{plain(path)} is not in your own workspace."
    return (
        f"{plain(path)} lies outside the data root: start the app with `-- --data-root FOLDER`, the folder it lies in, "
        "to allow it."
    )


st.title("Cohort")
current = state.cohort()
if current is None:
    st.markdown(
        "See how tumour stages lie in the embeddings of a CT foundation model. "
        "**Open a cohort file** that the embedding job has written, or **make one from a CSV** of your CT scans. "
        "No data yet? `make demo` writes a simulated cohort."
    )
tour.offer(settings)
names = ["This cohort", "New from a CSV", "Open a file"] if current is not None else ["New from a CSV", "Open a file"]
tabs = dict(zip(names, st.tabs(names), strict=True))
if current is not None:
    with tabs["This cohort"]:
        _overview(current)
with tabs["New from a CSV"]:
    new_cohort(settings)
    job_progress(settings)
with tabs["Open a file"]:
    _open_form()
st.caption("Research use only. Not a medical device; never for diagnosis or treatment.")
