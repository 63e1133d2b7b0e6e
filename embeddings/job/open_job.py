"""A job ready to start: its CSV is read, its encoder is loaded, and its recipes are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from embeddings.cohort.read import Case, CohortReport, read_cohort
from embeddings.job.engines.choice import ChosenEngine, choose_engine
from embeddings.job.planning.plan import shard_of
from embeddings.job.planning.views import JobError, Recipe
from embeddings.job.preparation.prepare import Preparation
from embeddings.job.recipes import choose_recipes
from embeddings.job.settings import JobSettings
from embeddings.records import Failure, shortened


@dataclass(frozen=True)
class OpenJob:
    """A job ready to start.

    Attributes:
        refused: rows of the CSV that cannot be used, and why.
        cases: those of this job's shard.
    """

    settings: JobSettings
    report: CohortReport
    refused: list[Failure]
    cases: list[Case]
    preparation: Preparation
    chosen: ChosenEngine
    recipes: list[Recipe]


def open_job(cohort_csv: Path | str, settings: JobSettings) -> OpenJob:
    """Read the CSV, load the encoder and choose the recipes.

    Raises:
        CohortError: the CSV cannot be read.
        JobError: no row can be used, or the views, preset or parameters do not fit.
        FlexiCTError: an unknown encoder or device.
        flexict.CheckpointError: the weights cannot be used.
    """
    report = read_cohort(
        Path(cohort_csv), settings.data_root, settings.mapping, check_images=False, mask_label=settings.mask_label
    )
    refused = _refused(report)
    if not report.cases:
        first = refused[0].reason if refused else "it has no rows"
        raise JobError(f"no row of {report.path.name} can be embedded: {first}")
    for name, value in (
        ("batch size", settings.batch_size),
        ("number of workers", settings.workers),
        ("limit", settings.limit),
    ):
        if value is not None and value < 1:
            raise JobError(f"the {name} must be 1 or more, not {value}")
    cases = shard_of(report.cases, settings.shard)
    preparation = Preparation(settings.thumbnails, settings.cache)
    chosen = choose_engine(settings, preparation)
    recipes = choose_recipes(chosen.encoder, report.cases, settings)
    return OpenJob(settings, report, refused, cases, preparation, chosen, recipes)


def _refused(report: CohortReport) -> list[Failure]:
    """The rows with errors, one failure per row; a file that lacks a column counts as one."""
    good = {case.case_id for case in report.cases}
    reasons: dict[str, list[str]] = {}
    for problem in report.problems:
        if problem.severity == "error":
            row = "the whole file" if problem.row is None else f"row {problem.row}"
            # A repeated case id also names the first row with it, which may be embedded.
            name = row if problem.case_id is None or problem.case_id in good else problem.case_id
            reasons.setdefault(name, []).append(f"{row}: {problem.reason}")
    return [Failure(name, "validate", shortened("; ".join(found))) for name, found in reasons.items()]
