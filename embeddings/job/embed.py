"""One call from a cohort CSV to vectors in its store."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from embeddings.acquisition import acquisition_of
from embeddings.cohort import Case, CohortReport, read_cohort
from embeddings.cohort_images import read_headers
from embeddings.image_header import ImageHeader
from embeddings.job.engine import Engine
from embeddings.job.plan import missing
from embeddings.job.views import Encoder, JobError, choose_recipe, identity_of
from embeddings.records import Failure, RunProgress
from embeddings.store import Store, StoreError
from flexict.encoders import load_encoder

# A commit may wait this long for readers, or for another job on the same file.
PATIENCE_S = 600.0
MOST_NAMED = 5
HEADERS_AT_ONCE = 64
SIMULATED_MARKER = "SIMULATED.txt"


@dataclass(frozen=True)
class RunSummary:
    """What a run did; counts are cases, except `n_items` (vectors) and `n_refused` (rows of the CSV).

    Attributes:
        state: `finished`, or `interrupted` after Ctrl-C or a request to end.
        n_planned: cases that lacked something; `n_done_before` lacked nothing.
        n_failed: cases without all their vectors, with the reason in the store's failures.
        n_refused: rows that never became a case, with the reason in the failures too.
        n_unmeasured: cases whose lesion mask cannot be used, which matters to no vector of this view.
        changed: cases embedded anew because their files or seed are no longer those of their vectors.
        doubtful: cases of this run whose voxels may not be HU, with the reason in the store's doubts.
    """

    set_id: str
    run_id: str
    state: str
    n_planned: int
    n_done_before: int
    n_embedded: int
    n_failed: int
    n_refused: int
    n_items: int
    seconds: float
    n_unmeasured: int = 0
    changed: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """The run in plain words."""
        rate = f" ({self.n_items / self.seconds:.2g} vectors/s)" if self.n_items and self.seconds > 0 else ""
        looked_at = self.n_embedded > 0 and self.n_items == 0
        done = "read again, no new vector needed," if looked_at else "embedded"
        parts = [f"{self.n_embedded} of {self.n_planned} cases {done} in {self.seconds:.0f} s{rate}"]
        if self.n_done_before:
            parts.append(f"{self.n_done_before} were there before")
        if self.n_failed:
            parts.append(f"{self.n_failed} failed")
        if self.n_refused:
            parts.append(f"{self.n_refused} row{'s' if self.n_refused > 1 else ''} of the CSV could not be used")
        if self.n_unmeasured:
            parts.append(f"{self.n_unmeasured} lesion mask{'s' if self.n_unmeasured > 1 else ''} could not be measured")
        if self.changed:
            parts.append(
                f"{len(self.changed)} of them anew because their files or seeds changed ({_named(self.changed)})"
            )
        if self.doubtful:
            parts.append(f"{len(self.doubtful)} with values that may not be HU ({_named(self.doubtful)})")
        end = "; run the same command again to go on" if self.state == "interrupted" else ""
        return f"{', '.join(parts)}{end}. Set: {self.set_id}"


def run(
    cohort_csv: Path | str,
    db: Path | str,
    *,
    encoder: str | Encoder,
    view: str,
    weights: Path | str | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    data_root: Path | None = None,
    mapping: Mapping[str, str | None] | None = None,
    preset: str | None = None,
    scale: float = 1.5,
    seed_side_mm: float = 64.0,
    slice_step: int = 1,
    thumbnails: bool = True,
    commit_s: float = 3.0,
    simulated: bool | None = None,
    progress: Callable[[RunProgress], None] | None = None,
) -> RunSummary:
    """Embed what the store lacks of a cohort; a bad scan is recorded and the others go on.

    Ctrl-C and SIGTERM, where this runs in the main thread, end the run after the batch at hand; what is
    finished is stored, and the next run does the rest.

    Args:
        cohort_csv: see `embeddings.cohort.read_cohort`, as for `data_root` and `mapping`.
        db: the store, made where missing.
        encoder: a name of `flexict.encoders.REGISTRY`, loaded with `weights` on `device`, or an encoder.
        view: `volume`, `slices` or `lesion`.
        batch_size: items through the encoder at once (default by device and view).
        workers: threads that read and preprocess (default: one a core, at most 4).
        preset: of the view (default: the encoder's; lesions by mask where the cohort has any, else by seed).
        scale: side of a `lesion_mask` crop in lesion sizes.
        seed_side_mm: side of a `lesion_seed` crop.
        slice_step: embed every n-th axial slice.
        thumbnails: keep a small picture of every item.
        commit_s: seconds between two commits.
        simulated: whether the scans are; by default, whether the cohort says so of itself.
        progress: called with the counts at the start, and as batches and cases end.

    Raises:
        CohortError: the CSV cannot be read.
        JobError: no row can be used, or the view, preset or parameters do not fit.
        StoreError: the store cannot be used.
        flexict.CheckpointError: the weights cannot be used.
    """
    began = time.monotonic()
    report = read_cohort(Path(cohort_csv), data_root=data_root, mapping=mapping, check_images=False)
    refused = _refused(report)
    if not report.cases:
        first = refused[0].reason if refused else "it has no rows"
        raise JobError(f"no row of {report.path.name} can be embedded: {first}")
    for name, value in (("batch size", batch_size), ("number of workers", workers)):
        if value is not None and value < 1:
            raise JobError(f"the {name} must be 1 or more, not {value}")
    model: Encoder = load_encoder(encoder, weights=weights, device=device) if isinstance(encoder, str) else encoder
    recipe = choose_recipe(
        model,
        view,
        report.cases,
        preset=preset,
        scale=scale,
        seed_side_mm=seed_side_mm,
        slice_step=slice_step,
    )
    store = Store(db, read_only=False, patience_s=PATIENCE_S)
    store.register_cohort(report, simulated=is_simulated(report) if simulated is None else simulated)
    set_id = store.open_set(identity_of(model, recipe))
    store.record_refused_rows(set_id, refused)
    plan = missing(store, set_id, report.cases, recipe)
    batch_size = batch_size or _default_batch(model.device, view)
    workers = workers or min(4, os.cpu_count() or 1)
    settings = {
        "cohort_csv": str(report.path),
        "view": view,
        "preset": recipe.label,
        "slice_step": slice_step,
        "device": model.device,
        "batch_size": batch_size,
        "workers": workers,
        "thumbnails": thumbnails,
    }
    run_id = store.start_run(set_id, settings, len(plan.tasks))
    try:
        with _interruptible() as stop:
            engine = Engine(
                store=store,
                set_id=set_id,
                run_id=run_id,
                encoder=model,
                recipe=recipe,
                plan=plan,
                batch_size=batch_size,
                workers=workers,
                commit_s=commit_s,
                thumbnails=thumbnails,
                stop=stop,
                report=progress or (lambda _: None),
            )
            if plan.tasks:
                engine.go()
            _fill_acquisitions(store, set_id, report.cases, {task.case.case_id for task in plan.tasks}, stop)
            state = "interrupted" if stop.is_set() else "finished"
    except BaseException:
        # Whatever broke the run may keep it from being closed too, and is what the reader has to see.
        with suppress(StoreError):
            store.finish_run(run_id, "failed")
        raise
    store.finish_run(run_id, state)
    return RunSummary(
        set_id=set_id,
        run_id=run_id,
        state=state,
        n_planned=len(plan.tasks),
        n_done_before=plan.n_done_before,
        n_embedded=engine.n_done,
        n_failed=engine.n_failed,
        n_refused=len(refused),
        n_items=engine.n_items,
        seconds=time.monotonic() - began,
        n_unmeasured=engine.n_unmeasured,
        changed=tuple(sorted(engine.changed)),
        doubtful=tuple(sorted(engine.doubtful)),
    )


def is_simulated(report: CohortReport) -> bool:
    """Whether a cohort says of itself that its scans are simulated, beside its CSV or in every row."""
    if (report.path.parent / SIMULATED_MARKER).is_file():
        return True
    marks = [case.covariates.get("simulated") for case in report.cases]
    return bool(marks) and all(str(mark).casefold() in ("true", "yes", "1") for mark in marks)


def _named(case_ids: Sequence[str]) -> str:
    rest = len(case_ids) - MOST_NAMED
    return ", ".join(case_ids[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _refused(report: CohortReport) -> list[Failure]:
    """The rows with errors, one failure a row; a file that lacks a column altogether counts as one."""
    good = {case.case_id for case in report.cases}
    reasons: dict[str, list[str]] = {}
    for problem in report.problems:
        if problem.severity == "error":
            row = "the whole file" if problem.row is None else f"row {problem.row}"
            # A repeated case id names the row that came first, which may well be embedded.
            name = row if problem.case_id is None or problem.case_id in good else problem.case_id
            reasons.setdefault(name, []).append(f"{row}: {problem.reason}")
    return [Failure(name, "validate", "; ".join(found)) for name, found in reasons.items()]


def _fill_acquisitions(
    store: Store, set_id: str, cases: Sequence[Case], read: Collection[str], stop: threading.Event
) -> None:
    """Note how the scans were acquired that were embedded before the store kept it, from their headers alone."""
    known = {*store.acquisitions()["case_id"], *read}
    lacking = [case for case in cases if case.case_id not in known]
    for start in range(0, len(lacking), HEADERS_AT_ONCE):
        if stop.is_set():
            return
        some = lacking[start : start + HEADERS_AT_ONCE]
        headers = read_headers(case.image_path for case in some)
        described = [(case.case_id, headers[case.image_path]) for case in some]
        # A header that cannot be read now costs no vector; a changed file is the next plan's affair.
        found = [acquisition_of(name, header) for name, header in described if isinstance(header, ImageHeader)]
        if found:
            store.commit(set_id, acquisitions=found)


def _default_batch(device: str, view: str) -> int:
    slices = view == "slices"
    return (32 if slices else 8) if device.startswith("cuda") else (4 if slices else 1)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the program as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
