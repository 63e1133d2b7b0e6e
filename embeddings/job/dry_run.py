"""What a run would do, and an estimate of its time and size, without writing anything: `--dry-run`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from embeddings.job.engines.local_engine import LocalEngine, cores
from embeddings.job.estimate import EngineSize, Estimate, estimate
from embeddings.job.open_job import open_job
from embeddings.job.planning.plan import missing
from embeddings.job.planning.views import identity_of
from embeddings.job.settings import JobSettings
from embeddings.store.store import Store


def dry_run(cohort_csv: Path | str, db: Path | str, settings: JobSettings) -> Estimate:
    """What a run with these settings would take on this machine, also if they name a Ray cluster.

    Raises:
        CohortError, JobError, StoreError, flexict.CheckpointError: as `run_views` does.
    """
    job = open_job(cohort_csv, replace(settings, engine="local", address=None))
    engine = job.chosen.engine
    assert isinstance(engine, LocalEngine)
    recipes = {identity_of(job.chosen.encoder, recipe).set_id: recipe for recipe in job.recipes}
    store = Store(db) if Path(db).exists() else None
    plan = missing(store, recipes, job.cases, retry_failed=settings.retry_failed, limit=settings.limit)
    size = EngineSize(
        readers=engine.readers,
        encoders=len(engine.encoders),
        batch_size=engine.batch_size,
        cores=cores(),
        on_gpu=job.chosen.encoder.device.startswith("cuda"),
    )
    sets = [] if store is None else store.sets().to_dict("records")
    number_types = {str(row["set_id"]): str(row["number_type"]) for row in sets}
    return estimate(plan.tasks, job.preparation, job.chosen.encoder, size, number_types=number_types)
