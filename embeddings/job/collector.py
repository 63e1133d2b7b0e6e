"""Takes the messages of an engine, in any order, and stores them in short transactions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from embeddings.job.messages import CaseEnd, Encoded, Message
from embeddings.job.summary import RunSummary
from embeddings.records import AcquisitionRecord, CaseOutcome, EmbeddedItem, Failure, LesionRecord, RunProgress, Source
from embeddings.store.store import Store

_LOG = logging.getLogger(__name__)
ITEMS_A_COMMIT = 512
HEARTBEAT_S = 15.0


@dataclass
class _OpenCase:
    """A case that is not finished: which of its items came, and whether any of them has no vector."""

    seen: set[str] = field(default_factory=set)
    lost: bool = False
    end: CaseEnd | None = None
    sourced: bool = False


@dataclass
class _Pending:
    """What the next commit of one set will store, by the names of `Store.commit`."""

    items: list[EmbeddedItem] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    outcomes: list[CaseOutcome] = field(default_factory=list)
    lesions: list[LesionRecord] = field(default_factory=list)
    acquisitions: list[AcquisitionRecord] = field(default_factory=list)


class _CaseCounts:
    """Cases counted once, however many sets lack something of them.

    Args:
        n_sets: how many, by case.
    """

    def __init__(self, n_sets: Mapping[str, int]) -> None:
        self._left = dict(n_sets)
        self._failed: set[str] = set()
        self._n_done = 0

    def end(self, case_id: str, complete: bool) -> None:
        """Note that a case is complete in one of its sets, or will not be."""
        self._left[case_id] -= 1
        if not complete:
            self._failed.add(case_id)
        self._n_done += self._left[case_id] == 0 and case_id not in self._failed

    def progress(self, n_items: int) -> RunProgress:
        """A case is done with the last of its sets, and failed with the first that it is not complete in."""
        return RunProgress(len(self._left), self._n_done, len(self._failed), n_items)


class Collector:
    """Gathers messages by set, case and item id; they may come in any order and more than once.

    Args:
        summaries: by set; their counts grow with the messages.
        n_sets: how many of the sets lack something of a case, by case.
        commit_s: seconds between two commits.
        report: called with the counts as items and cases end, each case counted once.
        note: called with every failure.

    Attributes:
        vanished: the folder that disappeared during the run; the case that revealed it does not count as failed.
    """

    def __init__(
        self,
        store: Store,
        summaries: Mapping[str, RunSummary],
        n_sets: Mapping[str, int],
        commit_s: float,
        report: Callable[[RunProgress], None],
        note: Callable[[Failure], None] = lambda _: None,
    ) -> None:
        self._store, self._summaries, self._commit_s = store, summaries, commit_s
        self._report, self._note = report, note
        self._cases = _CaseCounts(n_sets)
        self._open: dict[tuple[str, str], _OpenCase] = {}
        self._settled: set[tuple[str, str]] = set()
        self._faults: set[tuple[str, str]] = set()
        self._pending = {set_id: _Pending() for set_id in summaries}
        self._committed_at = time.monotonic()
        self.vanished: str | None = None
        self._report(self.progress)

    @property
    def progress(self) -> RunProgress:
        """How far the run has come: each case counted once, vectors over all sets."""
        return self._cases.progress(sum(summary.n_items for summary in self._summaries.values()))

    def take(self, message: Message | None) -> None:
        """Take a message, and commit if that is due."""
        if message is not None:
            key = (message.set_id, message.case_id)
            if key not in self._settled:
                case = self._open.setdefault(key, _OpenCase())
                if isinstance(message, Encoded):
                    self._take_item(case, message)
                else:
                    self._take_end(case, message)
                self._settle(key, case)
        self._commit_if_due()

    def commit(self) -> None:
        """Store what is finished, with a heartbeat of every set."""
        for set_id, summary in self._summaries.items():
            pending, self._pending[set_id] = self._pending[set_id], _Pending()
            self._store.commit(set_id, run_id=summary.run_id, progress=summary.progress, **vars(pending))
        self._committed_at = time.monotonic()

    def _take_item(self, case: _OpenCase, item: Encoded) -> None:
        if item.item_id in case.seen:
            return
        case.seen.add(item.item_id)
        self._note_source(case, item.set_id, item.source)
        pending, summary = self._pending[item.set_id], self._summaries[item.set_id]
        if isinstance(item.outcome, str):
            case.lost = True
            stamp = item.source.stamp
            self._take_failure(
                Failure(item.case_id, "encode", item.outcome, item.item_id, fault=item.fault), item.set_id, stamp
            )
        else:
            summary.n_items += 1
            pending.items.append(
                EmbeddedItem(item.item_id, item.case_id, item.outcome, item.slice_index, item.z_lps_mm, item.thumbnail)
            )
        self._report(self.progress)

    def _take_end(self, case: _OpenCase, end: CaseEnd) -> None:
        if case.end is not None:
            return
        if end.vanished is not None:
            self.vanished = self.vanished or end.vanished
            return
        case.end = end
        if end.source is not None:
            self._note_source(case, end.set_id, end.source)
        pending, summary = self._pending[end.set_id], self._summaries[end.set_id]
        pending.lesions.extend(end.lesions)
        if end.acquisition is not None:
            pending.acquisitions.append(end.acquisition)
        for failure in end.failures:
            self._take_failure(failure, end.set_id, end.stamp)
        summary.n_unmeasured += any(failure.stage_of_work == "measure" for failure in end.failures)

    def _take_failure(self, failure: Failure, set_id: str, stamp: str) -> None:
        """Record it; a fault of the program is logged in full and gets no stamp, so that the next run tries again."""
        if failure.fault is None:
            failure = replace(failure, stamp=stamp)
        elif (failure.case_id, failure.reason) not in self._faults:  # one fault may affect all sets of a case
            self._faults.add((failure.case_id, failure.reason))
            _LOG.error("case %s: %s\n%s", failure.case_id, failure.reason, failure.fault)
        self._pending[set_id].failures.append(failure)
        self._note(failure)

    def _note_source(self, case: _OpenCase, set_id: str, source: Source) -> None:
        if case.sourced:
            return
        case.sourced = True
        self._pending[set_id].sources.append(source)
        if source.doubt is not None:
            self._summaries[set_id].doubtful += (source.case_id,)

    def _settle(self, key: tuple[str, str], case: _OpenCase) -> None:
        """Close a case once its end and all its items have arrived."""
        end = case.end
        if end is None or not case.seen.issuperset(end.item_ids):
            return
        summary = self._summaries[end.set_id]
        complete = not end.broken and not case.lost
        summary.n_embedded += complete
        summary.n_failed += not complete
        self._cases.end(end.case_id, complete)
        if complete and end.changed:
            summary.changed += (end.case_id,)
        self._pending[end.set_id].outcomes.append(CaseOutcome(end.case_id, complete, summary.slice_step))
        self._settled.add(key)
        del self._open[key]
        self._report(self.progress)

    def _commit_if_due(self) -> None:
        waited = time.monotonic() - self._committed_at
        pending = self._pending.values()
        finished = any(one.items or one.outcomes for one in pending)
        full = any(len(one.items) >= ITEMS_A_COMMIT for one in pending)
        if full or (finished and waited >= self._commit_s) or waited >= HEARTBEAT_S:
            self.commit()
