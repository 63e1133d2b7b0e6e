"""What a run would do, and an estimate of its time and size, without writing anything: `--dry-run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from embeddings.job.engines.local_engine import LocalEngine, cores
from embeddings.job.estimate import EngineSize, Estimate, estimate
from embeddings.job.open_job import open_job
from embeddings.job.planning.plan import Plan, Task, Wanted, missing
from embeddings.job.planning.sources import stamp_of
from embeddings.job.planning.views import Recipe, identity_of
from embeddings.job.settings import JobSettings
from embeddings.store.store import Store

if TYPE_CHECKING:
    from embeddings.cohort.read import Case


def dry_run(cohort_csv: Path | str, db: Path | str, settings: JobSettings) -> Estimate:
    """What a run with these settings would take on this machine, also if they name a Ray cluster.

    Raises:
        CohortError, JobError, StoreError, flexict.CheckpointError: as `run_views` does.
    """
    job = open_job(cohort_csv, replace(settings, engine="local", address=None))
    engine = job.chosen.engine
    assert isinstance(engine, LocalEngine)
    recipes = {identity_of(job.chosen.encoder, recipe).set_id: recipe for recipe in job.recipes}
    tasks = dry_plan(Path(db), recipes, job.cases, retry_failed=job.settings.retry_failed, limit=job.settings.limit)
    size = EngineSize(
        readers=engine.readers,
        encoders=len(engine.encoders),
        batch_size=engine.batch_size,
        cores=cores(),
        on_gpu=job.chosen.encoder.device.startswith("cuda"),
    )
    sets = Store(db).sets() if Path(db).exists() else None
    kept = {} if sets is None else dict(zip(sets["set_id"], sets["number_type"], strict=True))
    return estimate(tasks, job.preparation, job.chosen.encoder, size, number_types=kept)


def dry_plan(
    db: Path,
    recipes: Mapping[str, Recipe],
    cases: Sequence[Case],
    *,
    retry_failed: bool = False,
    limit: int | None = None,
) -> list[Task]:
    """The tasks of `plan.missing`, although the store or some of its sets may not exist yet.

    Args:
        recipes: by the id that the set has or will have.

    Raises:
        StoreError: the file exists but is not a store.
    """
    there: set[str] = set()
    known: dict[str, Task] = {}
    if db.exists():
        store = Store(db)
        there = set(store.sets()["set_id"]) & set(recipes)
        if there:
            plan: Plan = missing(store, {set_id: recipes[set_id] for set_id in there}, cases, retry_failed=retry_failed)
            known = {task.case.case_id: task for task in plan.tasks}
    absent = tuple(Wanted(set_id, recipe) for set_id, recipe in recipes.items() if set_id not in there)
    tasks = []
    for case in cases:
        task = known.get(case.case_id)
        if task is not None:
            tasks.append(Task(case, task.stamp, task.wanted + absent))
        elif absent:
            tasks.append(Task(case, stamp_of(case), absent))
    return tasks if limit is None else tasks[:limit]
