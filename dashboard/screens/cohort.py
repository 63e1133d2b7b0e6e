"""Open a cohort file, or make one from a CSV of CT scans."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.components.cohort_form.job_progress import job_progress
from dashboard.components.cohort_form.new_cohort import new_cohort
from dashboard.components.tables import data_table
from dashboard.components.tour import tour
from dashboard.data import loading
from dashboard.session import state
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings.store.store import Store, StoreError

settings: Settings = st.session_state["settings"]

# Wide enough for a sentence that names a file.
REASON_PX = 640
SET_COLUMNS = {
    "encoder": "Encoder",
    "view": "View",
    "preset": "Preset",
    "pooling": "Pooling",
    "width": "Dimensions",
    "n_items": "Vectors",
    "n_cases": "Scans",
    "created": "Created (UTC)",
    "weights_sha256": "Weights (SHA-256)",
}
FAILURE_COLUMNS = {
    "case_id": "Case",
    "reason": "Reason",
    "stage_of_work": "Step",
    "set_id": "Embedding sets",
    "attempts": "Attempts",
    "last_at": "Last attempt (UTC)",
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
    # A case may fail in several sets.
    counts = {"Scans": info.n_cases, "Patients": info.n_patients, "Embedding sets": len(sets)}
    counts["Failures"] = failures["case_id"].nunique()
    for place, (label, count) in zip(st.columns(4), counts.items(), strict=True):
        place.metric(label, count)
    if not sets.empty:
        st.markdown("**Embedding sets**")
        listed = sets[list(SET_COLUMNS)]
        shown = listed.assign(weights_sha256=listed["weights_sha256"].str[:12])
        data_table(shown, f"{path.stem}-embedding-sets", SET_COLUMNS, csv=listed)
    if not failures.empty:
        st.markdown("**Failures**")
        reason = {"reason": st.column_config.TextColumn("Reason", width=REASON_PX)}
        data_table(
            _once_a_case(failures)[list(FAILURE_COLUMNS)], f"{path.stem}-failures", {**FAILURE_COLUMNS, **reason}
        )
    if not doubts.empty:
        st.markdown("**Embedded, but the values may not be in HU**")
        data_table(doubts, f"{path.stem}-doubts", {"doubt": st.column_config.TextColumn(width="large")})
    st.markdown("**Scans**")
    if "stage" in cases and cases["stage"].notna().any():
        per_stage = cases["stage"].fillna("no stage").value_counts()
        others = sorted(set(per_stage.index) - {*info.stage_order, "no stage"})
        order = [*info.stage_order, *others, "no stage"]
        words = [f"{stage}: {per_stage[stage]}" for stage in order if stage in per_stage]
        st.caption("Scans of each stage: " + plain(", ".join(words)))
    empty = [c for c in cases if cases[c].isna().all()]
    hidden = {"image_path", "mask_path", *empty}
    data_table(cases.drop(columns=[c for c in cases if c in hidden]), f"{path.stem}-scans", height=320)
    with st.expander(f"Runs of the job ({len(runs)})"):
        data_table(runs.drop(columns=["settings"]), f"{path.stem}-runs", csv=runs)


def _once_a_case(failures: pd.DataFrame) -> pd.DataFrame:
    """One row for a case that failed in several sets for the same reason."""
    return failures.groupby(["case_id", "reason", "stage_of_work"], sort=False, as_index=False).agg(
        set_id=("set_id", lambda ids: ", ".join(dict.fromkeys(ids))),
        attempts=("attempts", "max"),
        last_at=("last_at", "max"),
    )


def _open_form() -> None:
    found = sorted(settings.workspace.glob("*.duckdb")) if settings.workspace.is_dir() else []
    options = [str(p) for p in dict.fromkeys([*([settings.cohort] if settings.cohort else []), *found])]
    left, right = st.columns(2)
    picked = left.selectbox("Cohort files in the workspace", options, index=None, placeholder="Choose a file")
    typed = right.text_input("Or the path of a .duckdb file", placeholder="/data/cohort.duckdb")
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
        f"{plain(path)} is outside the data root. To allow it, start the app with `-- --data-root FOLDER`, where "
        "FOLDER contains it."
    )


st.title("Cohort")
current = state.cohort()
if current is None:
    st.markdown(
        "Explore how tumour stage is represented in the embeddings of a CT foundation model. **Open a cohort file** "
        "that the embedding job wrote, or **make one from a CSV** of your CT scans. No data yet? `make demo` writes a "
        "simulated cohort."
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
