"""The engine: prepared items into batches, through the encoder, and into the store in short commits."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from embeddings.job.encoding import encode
from embeddings.job.plan import Plan
from embeddings.job.prepare import CaseEnd, Prepared
from embeddings.job.reading import Message, read_ahead
from embeddings.job.views import Encoder, Recipe
from embeddings.records import AcquisitionRecord, CaseOutcome, EmbeddedItem, Failure, LesionRecord, RunProgress, Source
from embeddings.store import Store

ITEMS_A_COMMIT = 512
HEARTBEAT_S = 15.0


@dataclass
class Engine:
    """One run of a plan; `go` returns when it is done or `stop` is set, with all that is finished stored."""

    store: Store
    set_id: str
    run_id: str
    encoder: Encoder
    recipe: Recipe
    plan: Plan
    batch_size: int
    workers: int
    commit_s: float
    thumbnails: bool
    stop: threading.Event
    report: Callable[[RunProgress], None]

    n_done: int = 0
    n_failed: int = 0
    n_items: int = 0
    n_unmeasured: int = 0
    changed: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    _sources: list[Source] = field(default_factory=list)
    _batch: list[Prepared] = field(default_factory=list)
    _items: list[EmbeddedItem] = field(default_factory=list)
    _failures: list[Failure] = field(default_factory=list)
    _outcomes: list[CaseOutcome] = field(default_factory=list)
    _lesions: list[LesionRecord] = field(default_factory=list)
    _acquisitions: list[AcquisitionRecord] = field(default_factory=list)
    _encoded: Counter[str] = field(default_factory=Counter)
    _lost: set[str] = field(default_factory=set)
    _ended: dict[str, CaseEnd] = field(default_factory=dict)
    _committed_at: float = field(default_factory=time.monotonic)

    def go(self) -> None:
        """Work through the plan."""
        self.report(self.progress)
        messages = read_ahead(
            self.plan.tasks,
            self.recipe,
            workers=self.workers,
            depth=max(4, 2 * self.batch_size),
            thumbnails=self.thumbnails,
        )
        with closing(messages):
            for message in messages:
                if self.stop.is_set():
                    break
                self._take(message)
                self._commit_if_due()
        if not self.stop.is_set():
            self._encode()
        self._commit()

    @property
    def progress(self) -> RunProgress:
        """How far the run has come."""
        return RunProgress(len(self.plan.tasks), self.n_done, self.n_failed, self.n_items)

    def _take(self, message: Message | None) -> None:
        if isinstance(message, Prepared):
            self._batch.append(message)
            if len(self._batch) >= self.batch_size:
                self._encode()
        elif isinstance(message, Source):
            self._sources.append(message)
            if message.doubt is not None:
                self.doubtful.append(message.case_id)
        elif message is not None:
            self._lesions.extend(message.lesions)
            if message.acquisition is not None:
                self._acquisitions.append(message.acquisition)
            self._failures.extend(message.failures)
            self.n_unmeasured += any(failure.stage_of_work == "measure" for failure in message.failures)
            self._ended[message.case_id] = message
            self._settle(message.case_id)

    def _encode(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        for item, outcome in zip(batch, encode(self.encoder, batch), strict=True):
            self._encoded[item.case_id] += 1
            if isinstance(outcome, str):
                self._lost.add(item.case_id)
                self._failures.append(Failure(item.case_id, "encode", outcome, item.item_id))
            else:
                self.n_items += 1
                self._items.append(
                    EmbeddedItem(item.item_id, item.case_id, outcome, item.slice_index, item.z_lps_mm, item.thumbnail)
                )
        self.report(self.progress)
        for case_id in dict.fromkeys(item.case_id for item in batch):
            self._settle(case_id)

    def _settle(self, case_id: str) -> None:
        """Close a case once its last item has been through the encoder."""
        end = self._ended.get(case_id)
        if end is None or self._encoded[case_id] < end.n_prepared:
            return
        complete = not end.broken and case_id not in self._lost
        self.n_done += complete
        self.n_failed += not complete
        if complete and end.changed:
            self.changed.append(case_id)
        self._outcomes.append(CaseOutcome(case_id, complete, self.recipe.slice_step))
        del self._ended[case_id], self._encoded[case_id]
        self.report(self.progress)

    def _commit_if_due(self) -> None:
        waited = time.monotonic() - self._committed_at
        finished = bool(self._items or self._outcomes)
        if len(self._items) >= ITEMS_A_COMMIT or (finished and waited >= self.commit_s) or waited >= HEARTBEAT_S:
            self._commit()

    def _commit(self) -> None:
        self.store.commit(
            self.set_id,
            self._items,
            sources=self._sources,
            failures=self._failures,
            outcomes=self._outcomes,
            lesions=self._lesions,
            acquisitions=self._acquisitions,
            run_id=self.run_id,
            progress=self.progress,
        )
        self._items, self._failures, self._outcomes, self._sources = [], [], [], []
        self._lesions, self._acquisitions = [], []
        self._committed_at = time.monotonic()
