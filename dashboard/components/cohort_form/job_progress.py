"""The running embedding job, refreshed while it runs."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from dashboard.compute import jobs
from dashboard.session import state
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings.exit_codes import DONE, SOME_FAILED
from embeddings.formatting import counted, duration
from embeddings.store.store import StoreError

_REFRESH_S = 2.0
_JOB, _JOINED = "job", "job.joined"
AnyJob = jobs.Job | jobs.RunElsewhere


def start_job(request: jobs.JobRequest, project_root: Path) -> None:
    """Start the job, or watch the one that already writes the file; if it cannot start, a message says why."""
    try:
        st.session_state[_JOB], st.session_state[_JOINED] = jobs.start_or_join(request, project_root)
    except (OSError, StoreError) as error:
        st.error(f"The job could not be started: {plain(error)}")


def job_progress(settings: Settings) -> None:
    """Progress of the job that this session started or watches, and a button that opens its result.

    After a reload, or in a second tab, the running job of the workspace is found again.
    """
    job: AnyJob | None = st.session_state.get(_JOB) or jobs.running_below(settings.workspace)
    if job is None:
        return
    st.session_state[_JOB] = job
    st.subheader("Embedding job")
    try:
        running = job.running
    except StoreError as error:
        st.warning(f"The state of the job cannot be read now: {plain(error)}")
        return
    if st.session_state.get(_JOINED) and running:
        st.info(
            f"A job started from another window or program is already writing {plain(job.db.name)}, so no second one "
            "was started. Its progress is below. Start yours when it has ended; it will embed only what is missing."
        )
    if running:
        _watch()
    elif isinstance(job, jobs.Job):
        _result(job)
    else:
        st.success(f"The job of process {job.pid} on {plain(job.host)} has ended. {_counts(job)}")
        _open_button(job)


@st.fragment(run_every=_REFRESH_S)
def _watch() -> None:
    job: AnyJob = st.session_state[_JOB]
    _progress_bar(job)
    if isinstance(job, jobs.Job) and st.button("Stop the job", icon=":material/stop:", key="job.stop"):
        job.process.terminate()
    with suppress(StoreError):
        if not job.running:
            st.rerun()


def _progress_bar(job: AnyJob) -> None:
    try:
        run = job.run()
    except StoreError as error:
        st.caption(f"Waiting for the file: {plain(error)}")
        return
    if run is None:
        st.progress(0.0, text="Loading the encoder ...")
        return
    done, planned = int(run["n_done"] + run["n_failed"]), max(1, int(run["n_planned"]))
    elapsed = (datetime.now(UTC).replace(tzinfo=None) - run["started"].to_pydatetime()).total_seconds()
    left = f", about {duration(elapsed / done * (planned - done))} left" if done else ""
    st.progress(
        min(1.0, done / planned),
        text=f"{done} of {counted(planned, 'scan')}, {int(run['n_failed'])} failed, {duration(elapsed)}{left}",
    )


def _counts(job: AnyJob) -> str:
    try:
        run = job.run()
    except StoreError as error:
        return f"Its counts cannot be read now: {plain(error)}"
    if run is None:
        return ""
    failed = f" {run['n_failed']} failed; see **Failures** on this page." if run["n_failed"] else ""
    return f"{run['n_done']} of {counted(int(run['n_planned']), 'scan')} embedded.{failed}"


def _result(job: jobs.Job) -> None:
    finished = job.process.returncode in (DONE, SOME_FAILED)
    if finished:
        st.success(f"The job has finished. {_counts(job)}")
    else:
        st.error(
            f"The job ended with exit code {job.process.returncode}. Its output is below; everything it stored is kept."
        )
    with st.expander("Output of the job", expanded=not finished):
        st.code(job.output() or "no output", language=None, wrap_lines=True)
    _open_button(job)


def _open_button(job: AnyJob) -> None:
    if job.db.exists() and st.button("Open this cohort", type="primary", key="job.open"):
        state.open_cohort(job.db)
        del st.session_state[_JOB]
        st.rerun()
