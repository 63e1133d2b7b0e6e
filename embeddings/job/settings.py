"""What a job is asked to do, and everything that follows from it before the store is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embeddings.cohort.read import Case, CohortReport, read_cohort
from embeddings.job.engines.choice import ChosenEngine, EncoderOptions, EngineChoice, choose_engine
from embeddings.job.planning.plan import shard_of
from embeddings.job.planning.views import Encoder, JobError, Recipe, choose_recipes
from embeddings.job.preparation.prepare import Preparation
from embeddings.records import Failure, shortened


@dataclass(frozen=True)
class JobSettings:
    """What a job is asked to do.

    Attributes:
        encoder: a name of `flexict.hub.encoders.REGISTRY`, loaded with `weights` on `device`, or an encoder.
        views: of `volume`, `slices` and `lesion`; each scan is read once for all.
        device: `auto` (every GPU there is, else the CPU), `cpu`, `cuda`, `cuda:1`, or several joined by commas.
        batch_size: items through the encoder at once (default by device and view).
        workers: threads that read and preprocess, and on a CPU as many that encode (default: one a core).
        data_root, mapping, mask_label: see `embeddings.cohort.read.read_cohort`.
        preset: of the view that has it (default: the encoder's; lesions by mask where the cohort has any, else by
            seed).
        scale: side of a `lesion_mask` crop in lesion sizes; several make a set each.
        seed_side_mm: side of a `lesion_seed` crop; several make a set each.
        slice_step: embed every n-th axial slice.
        thumbnails: keep a small picture of every item.
        cache: a folder that keeps prepared input, so that another encoder need not read the scans again.
        retry_failed: try cases again that failed before and whose files have not changed.
        limit: at most so many cases.
        shard: (i, n), the i-th of n parts of the cohort, counted from 1.
        engine: `local`, or `ray` with the cluster's `address`.
        pooling, patch, precision, backend: kind of vector, run-time patch and way to compute it; see
            `flexict.load_encoder`. Of no effect on an encoder that is loaded already.
    """

    encoder: str | Encoder
    views: Sequence[str]
    weights: Path | str | None = None
    device: str = "auto"
    batch_size: int | None = None
    workers: int | None = None
    data_root: Path | None = None
    mapping: Mapping[str, str | None] | None = None
    preset: str | None = None
    scale: float | Sequence[float] = 1.5
    seed_side_mm: float | Sequence[float] = 64.0
    slice_step: int = 1
    thumbnails: bool = True
    cache: Path | None = None
    retry_failed: bool = False
    limit: int | None = None
    shard: tuple[int, int] | None = None
    engine: str = "local"
    address: str | None = None
    pooling: str | None = None
    patch: int | tuple[int, ...] | None = None
    precision: str = "float32"
    backend: str = "auto"
    mask_label: str | None = None

    @property
    def encoder_options(self) -> EncoderOptions:
        """How the encoder is to be loaded."""
        return EncoderOptions(self.weights, self.pooling, self.patch, self.precision, self.backend)


@dataclass(frozen=True)
class OpenJob:
    """A job that can start.

    Attributes:
        refused: rows of the CSV that are no case, and why.
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
    """Read the CSV, load the encoder, and settle what is to be embedded how.

    Raises:
        CohortError: the CSV cannot be read.
        JobError: no row can be used, or the views, preset or parameters do not fit.
        FlexiCTError: an unknown encoder or device.
        flexict.CheckpointError: the weights cannot be used.
    """
    root, mapping = settings.data_root, settings.mapping
    label = settings.mask_label
    report = read_cohort(Path(cohort_csv), data_root=root, mapping=mapping, check_images=False, mask_label=label)
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
    chosen = choose_engine(
        EngineChoice(
            settings.engine,
            settings.address,
            settings.encoder,
            settings.encoder_options,
            settings.device,
            settings.batch_size,
            settings.workers,
            tuple(settings.views),
        ),
        preparation,
    )
    recipes = choose_recipes(
        chosen.encoder,
        settings.views,
        report.cases,
        preset=settings.preset,
        scale=settings.scale,
        seed_side_mm=settings.seed_side_mm,
        slice_step=settings.slice_step,
    )
    return OpenJob(settings, report, refused, cases, preparation, chosen, recipes)


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
    return [Failure(name, "validate", shortened("; ".join(found))) for name, found in reasons.items()]
