"""Two tabs, people or programs that start the same job: one runs, the other watches."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.compute import jobs
from dashboard.compute.jobs import FileInUseError, Job, JobRequest, RunElsewhere, running_below, start, start_or_join
from dashboard.session.settings import Settings
from embeddings.store.store import Store

APP = Path(__file__).resolve().parents[3] / "dashboard" / "app.py"
ROOT = APP.parents[1]


@pytest.fixture
def request_of(cohort_csv: Path, tmp_path: Path) -> JobRequest:
    """The volumes of the test cohort, into a workspace of its own."""
    return JobRequest(
        cohort_csv, tmp_path / "workspace" / "c.duckdb", "flexict-nano", "volume", cohort_csv.parent, mapping={}
    )


def ended(job: Job) -> None:
    job.process.terminate()
    job.process.wait()


def running_row(path: Path, host: str, pid: int, silent_minutes: int = 0) -> None:
    """A run in the file that says it runs, on this or another machine."""
    set_id = Store(path).sets()["set_id"][0]
    run_id = Store(path, read_only=False).start_run(set_id, {}, 42)
    with duckdb.connect(path) as con:
        con.execute(
            "UPDATE runs SET host = ?, pid = ?, heartbeat = heartbeat - to_minutes(?::INT) WHERE run_id = ?",
            [host, pid, silent_minutes, run_id],
        )


def test_the_second_request_for_a_file_is_answered_with_the_job_that_runs(request_of: JobRequest) -> None:
    first, joined = start_or_join(request_of, ROOT)
    assert isinstance(first, Job)
    try:
        assert not joined
        again, joined = start_or_join(dataclasses.replace(request_of, view="slices"), ROOT)
        assert joined
        assert again is first
        assert running_below(request_of.db.parent) is first
        assert running_below(request_of.db.parent.parent) is None
    finally:
        ended(first)
    assert running_below(request_of.db.parent) is None


def test_another_program_that_was_just_started_on_the_file_keeps_a_second_one_out(request_of: JobRequest) -> None:
    first = start(request_of, ROOT)
    try:
        with pytest.raises(FileInUseError, match="started a moment ago"):
            start(request_of, ROOT)
    finally:
        ended(first)
    # The claim ends with the process that has it.
    ended(start(request_of, ROOT))


def test_a_run_of_a_process_that_lives_is_joined_and_one_that_died_is_not(
    request_of: JobRequest, store_path: Path
) -> None:
    request_of.db.parent.mkdir()
    request_of.db.write_bytes(store_path.read_bytes())
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        running_row(request_of.db, socket.gethostname(), sleeper.pid)
        found, joined = start_or_join(request_of, ROOT)
        assert joined
        assert isinstance(found, RunElsewhere)
        assert (found.pid, found.running) == (sleeper.pid, True)
    finally:
        sleeper.kill()
        sleeper.wait()
    assert not found.running
    assert jobs.running_elsewhere(request_of.db) is None


def test_a_run_on_another_machine_counts_until_it_has_been_silent_for_long(
    request_of: JobRequest, store_path: Path
) -> None:
    request_of.db.parent.mkdir()
    request_of.db.write_bytes(store_path.read_bytes())
    running_row(request_of.db, "another-machine", 1, silent_minutes=60)
    assert jobs.running_elsewhere(request_of.db) is None
    running_row(request_of.db, "another-machine", 2)
    found = jobs.running_elsewhere(request_of.db)
    assert found is not None
    assert found.pid == 2


def open_tab(settings: Settings, content: bytes) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = settings
    app.run()
    app.file_uploader[0].set_value(("same.csv", content, "text/csv")).run()
    return app


def test_the_second_tab_says_so_and_watches_the_first(settings: Settings, cohort_csv: Path) -> None:
    content = cohort_csv.read_bytes()
    first, second = open_tab(settings, content), open_tab(settings, content)
    for app in (first, second):
        app.selectbox(key="new.view").select("volume").run()
    first.button(key="new.start").click().run()
    job = first.session_state["job"]
    try:
        second.button(key="new.start").click().run()
        assert second.session_state["job"] is job
        assert any("no second one was started" in i.value for i in second.info)
        assert not any("no second one was started" in i.value for i in first.info)
        third = AppTest.from_file(str(APP), default_timeout=600)
        third.session_state["settings"] = settings
        third.run()
        assert third.session_state["job"] is job
        started = [p for p in Path("/proc").glob("[0-9]*/cmdline") if _names(p, job.db)]
        assert len(started) <= 1
    finally:
        ended(job)


def _names(path: Path, db: Path) -> bool:
    try:
        return os.fsencode(db) in path.read_bytes().split(b"\0")
    except OSError:
        return False


def test_the_page_says_when_the_job_has_ended(settings: Settings, cohort_csv: Path) -> None:
    app = open_tab(settings, cohort_csv.read_bytes())
    app.selectbox(key="new.view").select("volume").run()
    app.button(key="new.start").click().run()
    job = app.session_state["job"]
    ended(job)
    app.run()
    assert not app.exception
    assert any("The job" in e.value for e in [*app.error, *app.success])
