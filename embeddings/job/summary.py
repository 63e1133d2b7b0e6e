"""What a run did: counts and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from embeddings.exit_codes import DONE, INTERRUPTED, NOTHING_DONE, SOME_FAILED, TEMPORARY
from embeddings.formatting import counted, first_few
from embeddings.job.engines.engine import Pace
from embeddings.records import RunProgress


@dataclass
class RunSummary:
    """What a run does for one set, counted while it works.

    Counts are cases, except `n_items` (vectors) and `n_refused` (rows of the CSV).

    Attributes:
        state: `running`, `finished`, or `interrupted` after Ctrl-C, a request to end, or the loss of a folder.
        slice_step: of the items that make a case complete.
        n_planned: cases that lacked something; `n_done_before` lacked nothing.
        n_failed: cases without all their vectors; the store has the reason.
        n_failed_before: cases that failed in an earlier run, have the same files still, and were not tried again.
        n_left_out: cases that a limit left for another run.
        n_refused: rows that never became a case; the store has the reason.
        n_unmeasured: cases whose lesion mask cannot be used, which no vector of this view needs.
        changed: cases embedded again because their files or seed changed.
        doubtful: cases of this run whose values may not be in HU; the store has the reason.
        vanished: the folder whose loss ended the run.
        pace: how busy readers and encoders were, if the engine knows; of all sets of the run together.
    """

    set_id: str
    run_id: str
    state: str = "running"
    slice_step: int = 1
    n_planned: int = 0
    n_done_before: int = 0
    n_embedded: int = 0
    n_failed: int = 0
    n_refused: int = 0
    n_items: int = 0
    seconds: float = 0.0
    n_unmeasured: int = 0
    n_failed_before: int = 0
    n_left_out: int = 0
    changed: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    vanished: str | None = None
    pace: Pace | None = None

    @property
    def progress(self) -> RunProgress:
        """The counts that the store keeps of a run."""
        return RunProgress(self.n_planned, self.n_embedded, self.n_failed, self.n_items)

    def sentence(self) -> str:
        """The run as a sentence."""
        rate = f" ({self.n_items / self.seconds:.2g} vectors/s)" if self.n_items and self.seconds > 0 else ""
        looked_at = self.n_embedded > 0 and self.n_items == 0
        done = "read again, no new vector needed," if looked_at else "embedded"
        parts = [f"{self.n_embedded} of {counted(self.n_planned, 'case')} {done} in {self.seconds:.0f} s{rate}"]
        if self.n_done_before:
            parts.append(f"{self.n_done_before} were already complete")
        if self.n_failed:
            parts.append(f"{self.n_failed} failed")
        if self.n_failed_before:
            were = "was" if self.n_failed_before == 1 else "were"
            parts.append(f"{self.n_failed_before} failed before and {were} not tried again (use --retry-failed)")
        if self.n_left_out:
            parts.append(f"{self.n_left_out} left for another run")
        if self.n_refused:
            parts.append(f"{counted(self.n_refused, 'row')} of the CSV could not be used")
        if self.n_unmeasured:
            parts.append(f"{counted(self.n_unmeasured, 'lesion mask')} could not be measured")
        if self.changed:
            why = "because their files or seeds changed"
            parts.append(f"{len(self.changed)} of them embedded again {why} ({first_few(self.changed)})")
        if self.doubtful:
            parts.append(f"{len(self.doubtful)} with values that may not be HU ({first_few(self.doubtful)})")
        end = "; run the same command again to continue" if self.state == "interrupted" else ""
        gone = f". The folder {self.vanished} is no longer there: restore or mount it" if self.vanished else ""
        return f"{', '.join(parts)}{gone}{end}. Set: {self.set_id}"


def total_progress(summaries: Iterable[RunSummary]) -> RunProgress:
    """The counts of all sets of a run together."""
    return RunProgress(*map(sum, zip(*(astuple(summary.progress) for summary in summaries), strict=True)))


def exit_code_of(summaries: Sequence[RunSummary]) -> int:
    """The exit code of a run, from what it did for each of its sets.

    A scan that failed in an earlier run and was not tried again counts as failed: a repeated run ends as before.
    """
    if any(summary.vanished for summary in summaries):
        return TEMPORARY
    if any(summary.state == "interrupted" for summary in summaries):
        return INTERRUPTED
    failed = sum(summary.n_failed + summary.n_failed_before + summary.n_refused for summary in summaries)
    embedded = sum(summary.n_embedded for summary in summaries)
    before = sum(summary.n_done_before for summary in summaries)
    planned = sum(summary.n_planned for summary in summaries)
    if failed and not embedded and (planned or not before):
        return NOTHING_DONE
    return SOME_FAILED if failed else DONE
