"""The running embedding job, refreshed while it runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from dashboard import jobs, state
from embeddings.command_line import DONE, SOME_FAILED
from embeddings.store import Store, StoreError

_REFRESH_S = 2.0


def job_progress() -> None:
    """Progress of the job that this session started, and a button that opens its result."""
    job: jobs.Job | None = st.session_state.get("job")
    if job is None:
        return
    st.subheader("Embedding job")
    if job.running:
        _watch()
    else:
        _result(job)


@st.fragment(run_every=_REFRESH_S)
def _watch() -> None:
    job: jobs.Job = st.session_state["job"]
    _progress_bar(job)
    if st.button("Stop the job", icon=":material/stop:", key="job.stop"):
        job.process.terminate()
    if not job.running:
        st.rerun()


def _progress_bar(job: jobs.Job) -> None:
    try:
        run = _run(job)
    except StoreError as error:
        st.caption(f"Waiting for the file: {error}")
        return
    if run is None:
        st.progress(0.0, text="Loading the encoder ...")
        return
    done, planned = int(run["n_done"] + run["n_failed"]), max(1, int(run["n_planned"]))
    elapsed = (datetime.now(UTC).replace(tzinfo=None) - run["started"].to_pydatetime()).total_seconds()
    left = f", about {elapsed / done * (planned - done):.0f} s left" if done else ""
    st.progress(
        min(1.0, done / planned),
        text=f"{done} of {planned} scans, {int(run['n_failed'])} failed, {elapsed:.0f} s{left}",
    )


def _run(job: jobs.Job) -> pd.Series | None:
    """The job's own row among the runs of its file, once it has one."""
    if not job.request.db.exists():
        return None
    runs = Store(job.request.db, patience_s=3.0).runs()
    own = runs[runs["pid"] == job.process.pid]
    return None if own.empty else own.iloc[0]


def _counts(job: jobs.Job) -> str:
    try:
        run = _run(job)
    except StoreError as error:
        return f"Its counts cannot be read now: {error}"
    if run is None:
        return ""
    failed = f" {run['n_failed']} could not be, and the cohort says why." if run["n_failed"] else ""
    return f"{run['n_done']} of {run['n_planned']} scans are embedded.{failed}"


def _result(job: jobs.Job) -> None:
    finished = job.process.returncode in (DONE, SOME_FAILED)
    if finished:
        st.success(f"The job is finished. {_counts(job)}")
    else:
        st.error(
            f"The job ended with exit code {job.process.returncode}. What it said is below; all that it stored is kept."
        )
    with st.expander("What the job said", expanded=not finished):
        st.code(job.output() or "nothing", language=None, wrap_lines=True)
    if job.request.db.exists() and st.button("Open this cohort", type="primary", key="job.open"):
        state.open_cohort(job.request.db)
        del st.session_state["job"]
        st.rerun()
