"""From a cohort CSV to vectors in its store in one call."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from embeddings.cohort.images import read_headers
from embeddings.cohort.read import Case, CohortReport
from embeddings.exit_codes import exit_code_of_error
from embeddings.imaging.acquisition import acquisition_of
from embeddings.imaging.image_header import ImageHeader
from embeddings.job.collector import Collector
from embeddings.job.engines.engine import Engine
from embeddings.job.faults import reason_of
from embeddings.job.interruption import interruptible
from embeddings.job.open_job import OpenJob, open_job
from embeddings.job.planning.plan import Plan, missing
from embeddings.job.planning.views import Encoder, Recipe, identity_of
from embeddings.job.run_record import RunRecord
from embeddings.job.settings import JobSettings
from embeddings.job.summary import RunSummary, exit_code_of
from embeddings.records import RunProgress
from embeddings.store.store import Store, StoreError

# A commit may wait this long for readers or for another job on the same file.
PATIENCE_S = 600.0
HEADERS_AT_ONCE = 64
SIMULATED_MARKER = "SIMULATED.txt"


def run(
    cohort_csv: Path | str,
    db: Path | str,
    *,
    encoder: str | Encoder,
    view: str,
    commit_s: float = 3.0,
    simulated: bool | None = None,
    progress: Callable[[RunProgress], None] | None = None,
    **options: Any,
) -> RunSummary:
    """Embed the cases of a cohort that the store lacks in one view; `options` are fields of `JobSettings`.

    See `run_views`.
    """
    settings = JobSettings(encoder=encoder, views=(view,), **options)
    return run_views(cohort_csv, db, settings, commit_s=commit_s, simulated=simulated, progress=progress)[0]


def run_views(
    cohort_csv: Path | str,
    db: Path | str,
    settings: JobSettings,
    *,
    commit_s: float = 3.0,
    simulated: bool | None = None,
    progress: Callable[[RunProgress], None] | None = None,
) -> list[RunSummary]:
    """Embed the cases of a cohort that the store lacks, each scan read once for all views; one summary per set.

    A bad scan is recorded, and the others continue. In the main thread Ctrl-C and SIGTERM end the run after the current
    batch; what is finished is stored, and the next run does the rest.

    Args:
        db: the store, created if missing.
        commit_s: seconds between two commits.
        simulated: whether the scans are simulated; by default as the cohort says.
        progress: called with the counts at the start, and as items and cases end; a case counts once, however many
            views it is embedded in.

    Raises:
        CohortError: the CSV cannot be read.
        JobError: no row can be used, or the views, preset or parameters do not fit.
        StoreError: the store cannot be used.
        flexict.CheckpointError: the weights cannot be used.
    """
    began = time.monotonic()
    job = open_job(cohort_csv, settings)
    store = Store(db, read_only=False, patience_s=PATIENCE_S)
    store.register_cohort(job.report, simulated=is_simulated(job.report) if simulated is None else simulated)
    by_set = {store.open_set(identity_of(job.chosen.encoder, recipe)): recipe for recipe in job.recipes}
    for set_id in by_set:
        store.record_refused_rows(set_id, job.refused)
    plan = missing(store, by_set, job.cases, retry_failed=settings.retry_failed, limit=settings.limit)
    runs = {set_id: _start(store, set_id, recipe, job, plan) for set_id, recipe in by_set.items()}
    summaries = list(runs.values())
    record = _record(store, summaries, job)
    record.start()

    def report(counts: RunProgress) -> None:
        record.update()
        if progress is not None:
            progress(counts)

    try:
        with interruptible() as stop:
            n_sets = {task.case.case_id: len(task.wanted) for task in plan.tasks}
            collector = Collector(store, runs, n_sets, commit_s, report, record.note)
            if plan.tasks:
                _work_through(plan, job.chosen.engine, collector, stop)
            if not stop.is_set():
                read = {task.case.case_id for task in plan.tasks}
                _fill_acquisitions(store, summaries[0].set_id, job.cases, read, stop)
            state = "interrupted" if stop.is_set() else "finished"
            for summary in summaries:
                store.finish_run(summary.run_id, state)
    except BaseException as error:
        state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        # The error that broke the run may also prevent closing it, and is the one to report.
        with suppress(StoreError):
            for summary in summaries:
                store.finish_run(summary.run_id, state)
        record.finish(state, exit_code=exit_code_of_error(error), error=reason_of(error))
        raise
    for summary in summaries:
        summary.state, summary.seconds = state, time.monotonic() - began
        summary.vanished, summary.pace = collector.vanished, job.chosen.engine.pace
        summary.changed, summary.doubtful = tuple(sorted(summary.changed)), tuple(sorted(summary.doubtful))
    record.finish(state, exit_code=exit_code_of(summaries), pace=job.chosen.engine.pace)
    return summaries


def is_simulated(report: CohortReport) -> bool:
    """Whether a file beside the CSV, or every row, marks the scans as simulated."""
    if (report.path.parent / SIMULATED_MARKER).is_file():
        return True
    marks = [case.covariates.get("simulated") for case in report.cases]
    return bool(marks) and all(str(mark).casefold() in ("true", "yes", "1") for mark in marks)


def _work_through(plan: Plan, engine: Engine, collector: Collector, stop: threading.Event) -> None:
    """Store all messages of the engine until it ends, is stopped, or a folder disappears."""
    with closing(engine.messages(plan.tasks, stop)) as messages:
        for message in messages:
            collector.take(message)
            if collector.vanished is not None:
                stop.set()
    collector.commit()


def _record(store: Store, summaries: Sequence[RunSummary], job: OpenJob) -> RunRecord:
    """The record of a run, not yet written."""
    names = ("slice_step", "shard", "limit", "retry_failed")
    settings = {"encoder": job.chosen.encoder.name, "views": list(job.settings.views)}
    return RunRecord(
        store.path,
        summaries,
        job.cases,
        cohort_csv=job.report.path,
        cohort_sha256=store.info().cohort_sha256,
        settings=job.chosen.settings | settings | {name: getattr(job.settings, name) for name in names},
        devices=str(job.chosen.settings["device"]).split(","),
        command=sys.argv,
    )


def _start(store: Store, set_id: str, recipe: Recipe, job: OpenJob, plan: Plan) -> RunSummary:
    """A new run of one set."""
    shard = job.settings.shard
    settings = job.chosen.settings | {
        "cohort_csv": str(job.report.path),
        "view": recipe.view,
        "preset": recipe.label,
        "slice_step": recipe.slice_step,
        "thumbnails": job.settings.thumbnails,
        "shard": None if shard is None else f"{shard[0]}/{shard[1]}",
    }
    tally = plan.tallies[set_id]
    return RunSummary(
        set_id,
        store.start_run(set_id, settings, tally.n_planned),
        slice_step=recipe.slice_step,
        n_left_out=plan.n_left_out,
        n_refused=len(job.refused),
        **vars(tally),
    )


def _fill_acquisitions(
    store: Store, set_id: str, cases: Sequence[Case], read: Collection[str], stop: threading.Event
) -> None:
    """Read the acquisition from the headers of scans that were embedded before the store recorded it."""
    known = {*store.acquisitions()["case_id"], *read}
    lacking = [case for case in cases if case.case_id not in known]
    for start in range(0, len(lacking), HEADERS_AT_ONCE):
        if stop.is_set():
            return
        some = lacking[start : start + HEADERS_AT_ONCE]
        headers = read_headers(case.image_path for case in some)
        described = [(case.case_id, headers[case.image_path]) for case in some]
        # A header that cannot be read now costs no vector; the next plan handles a changed file.
        found = [acquisition_of(name, header) for name, header in described if isinstance(header, ImageHeader)]
        if found:
            store.commit(set_id, acquisitions=found)
