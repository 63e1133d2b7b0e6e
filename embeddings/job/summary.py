"""What a run did, in numbers and in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from embeddings.exit_codes import DONE, INTERRUPTED, NOTHING_DONE, SOME_FAILED, TEMPORARY
from embeddings.formatting import counted, first_few
from embeddings.job.engines.engine import Pace


@dataclass(frozen=True)
class RunSummary:
    """What a run did for one set; counts are cases, except `n_items` (vectors) and `n_refused` (rows of the CSV).

    Attributes:
        state: `finished`, or `interrupted` after Ctrl-C, a request to end, or a folder that went away.
        n_planned: cases that lacked something; `n_done_before` lacked nothing.
        n_failed: cases without all their vectors, with the reason in the store's failures.
        n_failed_before: cases that failed in an earlier run, whose files are unchanged, and were left alone.
        n_left_out: cases that a limit left for another run.
        n_refused: rows that never became a case, with the reason in the failures too.
        n_unmeasured: cases whose lesion mask cannot be used, which matters to no vector of this view.
        changed: cases embedded anew because their files or seed are no longer those of their vectors.
        doubtful: cases of this run whose voxels may not be HU, with the reason in the store's doubts.
        vanished: the folder whose loss ended the run.
        pace: how busy readers and encoders were, where the engine can tell; of all sets of the run together.
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
    n_failed_before: int = 0
    n_left_out: int = 0
    changed: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    vanished: str | None = None
    pace: Pace | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """The run in plain words."""
        rate = f" ({self.n_items / self.seconds:.2g} vectors/s)" if self.n_items and self.seconds > 0 else ""
        looked_at = self.n_embedded > 0 and self.n_items == 0
        done = "read again, no new vector needed," if looked_at else "embedded"
        parts = [f"{self.n_embedded} of {counted(self.n_planned, 'case')} {done} in {self.seconds:.0f} s{rate}"]
        if self.n_done_before:
            parts.append(f"{self.n_done_before} were there before")
        if self.n_failed:
            parts.append(f"{self.n_failed} failed")
        if self.n_failed_before:
            were = "was" if self.n_failed_before == 1 else "were"
            parts.append(f"{self.n_failed_before} failed before and {were} not tried again (--retry-failed does)")
        if self.n_left_out:
            parts.append(f"{self.n_left_out} left for another run")
        if self.n_refused:
            parts.append(f"{counted(self.n_refused, 'row')} of the CSV could not be used")
        if self.n_unmeasured:
            parts.append(f"{counted(self.n_unmeasured, 'lesion mask')} could not be measured")
        if self.changed:
            parts.append(
                f"{len(self.changed)} of them anew because their files or seeds changed ({first_few(self.changed)})"
            )
        if self.doubtful:
            parts.append(f"{len(self.doubtful)} with values that may not be HU ({first_few(self.doubtful)})")
        end = "; run the same command again to go on" if self.state == "interrupted" else ""
        gone = f". The folder {self.vanished} has gone away: bring it back" if self.vanished else ""
        return f"{', '.join(parts)}{gone}{end}. Set: {self.set_id}"


def exit_code_of(summaries: Sequence[RunSummary]) -> int:
    """The exit code of a run, from what it did for each of its sets.

    A scan that failed in an earlier run and was left alone counts as failed: a run that is repeated ends as before.
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
