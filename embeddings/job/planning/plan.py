"""What is left to do: the difference between a cohort and its store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embeddings.job.planning.sources import stamp_of
from embeddings.job.planning.views import JobError, Recipe
from embeddings.records import Source
from embeddings.store.store import Store

if TYPE_CHECKING:
    from embeddings.cohort.read import Case


@dataclass(frozen=True)
class Wanted:
    """What one set lacks of a case.

    Attributes:
        held: its items that the set already contains.
        content: digest of what these items were made from; None if there are none.
    """

    set_id: str
    recipe: Recipe
    held: frozenset[str] = frozenset()
    content: str | None = None


@dataclass(frozen=True)
class Task:
    """A case to work on, once for all sets that lack something of it.

    Attributes:
        stamp: sizes and times of its files when the plan was made.
    """

    case: Case
    stamp: str
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True)
class Tally:
    """Cases of one set, named as in `RunSummary`: planned, already complete, and failed before and not tried again."""

    n_planned: int = 0
    n_done_before: int = 0
    n_failed_before: int = 0


@dataclass(frozen=True)
class Plan:
    """Tasks in the order of the cohort, the tally of each set, and the cases that a limit leaves for another run."""

    tasks: list[Task]
    tallies: Mapping[str, Tally]
    n_left_out: int = 0


def missing(
    store: Store | None,
    recipes: Mapping[str, Recipe],
    cases: Sequence[Case],
    *,
    retry_failed: bool = False,
    limit: int | None = None,
) -> Plan:
    """Cases that are not complete in a set, changed on disk, or have a mask that was not measured.

    A case that failed is tried again if its files have changed since, or with `retry_failed`. A case with every slice
    embedded is complete for any slice step.

    Args:
        store: None if it does not exist yet; it may lack some of the sets.
        recipes: by the id that the set has or will have.
        limit: the largest number of tasks.
    """
    known = set() if store is None else set(store.sets()["set_id"])
    lacking = {
        set_id: _Lacking(store if set_id in known else None, set_id, recipe, retry_failed)
        for set_id, recipe in recipes.items()
    }
    tasks = []
    for case in cases:
        stamp = stamp_of(case)
        wanted = tuple(one for one in (of_set.of(case, stamp) for of_set in lacking.values()) if one is not None)
        if wanted:
            tasks.append(Task(case, stamp, wanted))
    kept = tasks if limit is None else tasks[:limit]
    tallies = {
        set_id: Tally(
            n_planned=sum(any(w.set_id == set_id for w in task.wanted) for task in kept),
            n_done_before=of_set.n_done,
            n_failed_before=of_set.n_failed,
        )
        for set_id, of_set in lacking.items()
    }
    return Plan(kept, tallies, len(tasks) - len(kept))


class _Lacking:
    """What one set lacks, case by case."""

    def __init__(self, store: Store | None, set_id: str, recipe: Recipe, retry_failed: bool) -> None:
        self._set_id, self._recipe, self._retry_failed = set_id, recipe, retry_failed
        self.n_done = self.n_failed = 0
        self._complete: set[str] = set()
        self._measured: set[str] = set()
        self._failed: dict[str, str | None] = {}
        self._held: dict[str, frozenset[str]] = {}
        self._sources: dict[str, Source] = {}
        if store is None:
            return
        done = store.completed(set_id)
        self._complete.update(done.loc[done["slice_step"].isin([1, recipe.slice_step]), "case_id"])
        failures = store.failures(set_id)
        failures = failures[failures["stage_of_work"] != "validate"]
        # Failures recorded before stamps were stored have none, and are tried once more.
        self._failed.update(zip(failures["case_id"], failures["stamp"], strict=True))
        lesions = store.lesions()
        self._measured.update(lesions.loc[lesions["source"] == "mask", "case_id"])
        items = store.items(set_id)
        self._held.update({str(case_id): frozenset(ids) for case_id, ids in items.groupby("case_id")["item_id"]})
        self._sources.update(store.sources(set_id))

    def of(self, case: Case, stamp: str) -> Wanted | None:
        source = self._sources.get(case.case_id)
        failed = case.case_id in self._failed
        if failed and self._failed[case.case_id] == stamp and not self._retry_failed:
            # A mask that cannot be measured need not cost the case its vector.
            complete = case.case_id in self._complete
            self.n_done += complete
            self.n_failed += not complete
            return None
        touched = source is None or source.stamp != stamp
        unmeasured = case.mask_path is not None and case.case_id not in self._measured
        if case.case_id in self._complete and not (failed or touched or unmeasured):
            self.n_done += 1
            return None
        held = self._held.get(case.case_id, frozenset())
        return Wanted(self._set_id, self._recipe, held, None if source is None else source.content)


def shard_of(cases: Sequence[Case], shard: tuple[int, int] | None) -> list[Case]:
    """The cases of shard i of n (from 1), by a digest of the case id, so that new rows move no other case.

    Raises:
        JobError: a shard that does not exist.
    """
    if shard is None:
        return list(cases)
    number, count = shard
    if not 1 <= number <= count:
        raise JobError(f"there is no shard {number} of {count}: give I/N with I from 1 to N")
    return [case for case in cases if _digest(case.case_id) % count == number - 1]


def _digest(case_id: str) -> int:
    return int.from_bytes(hashlib.sha256(case_id.encode("utf-8", "surrogatepass")).digest()[:8])
