"""What is left to do: the difference between a cohort and what its store holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embeddings.job.sources import stamp_of
from embeddings.job.views import Recipe
from embeddings.store import Store

if TYPE_CHECKING:
    from embeddings.cohort import Case


@dataclass(frozen=True)
class Task:
    """A case to work through.

    Attributes:
        held: those of its items that the set holds already.
        stamp: sizes and times of its files, taken before they are read.
        content: digest of what the items held were made from; None where nothing was.
    """

    case: Case
    held: frozenset[str]
    stamp: str
    content: str | None


@dataclass(frozen=True)
class Plan:
    """Tasks in the order of the cohort, and the number of cases that need nothing."""

    tasks: list[Task]
    n_done_before: int


def missing(store: Store, set_id: str, cases: Sequence[Case], recipe: Recipe) -> Plan:
    """Cases that are not complete in the set, failed before, changed on disk, or have a mask not measured yet.

    A case with every slice embedded is complete for any slice step.
    """
    done = store.completed(set_id)
    complete = set(done.loc[done["slice_step"].isin([1, recipe.slice_step]), "case_id"])
    failures = store.failures(set_id)
    failed = set(failures.loc[failures["stage_of_work"] != "validate", "case_id"])
    lesions = store.lesions()
    measured = set(lesions.loc[lesions["source"] == "mask", "case_id"])
    items = store.items(set_id)
    held = {case_id: frozenset(group) for case_id, group in items.groupby("case_id")["item_id"]}
    sources = store.sources(set_id)
    tasks = []
    for case in cases:
        stamp, source = stamp_of(case), sources.get(case.case_id)
        touched = source is None or source.stamp != stamp
        unmeasured = case.mask_path is not None and case.case_id not in measured
        if case.case_id not in complete or case.case_id in failed or unmeasured or touched:
            content = None if source is None else source.content
            tasks.append(Task(case, held.get(case.case_id, frozenset()), stamp, content))
    return Plan(tasks, len(cases) - len(tasks))
