"""Every analysis of the report, once, on one Gram matrix; one that refuses leaves its sentence, the others run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from dashboard.data import defaults
from dashboard.data.audited_columns import Audited
from dashboard.data.columns import label
from dashboard.report.arguments import ReportSettings
from dashboard.report.cohort_selection import AnalysedCohort
from embeddings.analysis import (
    Probe,
    Pseudotime,
    Retrieval,
    StageGradient,
    StageLabel,
    linear_probe,
    progress,
    pseudotime,
    stage_gradient,
    verdicts,
)
from embeddings.analysis.audit.audit import ShortcutAudit, shortcuts
from embeddings.analysis.gram import Gram
from embeddings.analysis.retrieval.retrieval import PROTOCOLS, evaluate
from embeddings.analysis.survival.survival import SurvivalByScore, by_score
from flexict.errors import FlexiCTError

Result = TypeVar("Result")
# Every permutation of these redoes many fits; more would take minutes and change no verdict.
MAX_AUDIT_PERMUTATIONS = MAX_PSEUDOTIME_PERMUTATIONS = defaults.PERMUTATIONS
RECALL_AT = (1, 3)
FUSION_K = 60
FUSED = "fused"


@dataclass(frozen=True)
class NamedRetrieval:
    """Retrieval in one set (or in several, fused) by one protocol."""

    label: str
    result: Retrieval


@dataclass(frozen=True)
class Findings:
    """What the analyses found. What was not asked for or refused is None or empty; `refused` says why, by analysis.

    warnings: what the analyses warn of, each once.
    """

    retrieval: tuple[NamedRetrieval, ...]
    probe: Probe | None
    compared_probes: tuple[tuple[str, Probe], ...]
    gradient: StageGradient | None
    audit: ShortcutAudit | None
    survival: SurvivalByScore | None
    trajectory: Pseudotime | None
    refused: dict[str, str]
    warnings: tuple[str, ...]


def run_analyses(cohort: AnalysedCohort, settings: ReportSettings, say: Callable[[str], None]) -> Findings:
    """Run everything the settings ask for; `say` is told which analysis begins."""
    refused: dict[str, str] = {}
    searched = _searched(cohort)
    n_steps = 5 + len(cohort.compared) + (cohort.time is not None) + len(PROTOCOLS) * len(searched)
    steps = count()

    def attempt(name: str, words: str, analysis: Callable[[], Result]) -> Result | None:
        say(words)
        begun = next(steps)
        try:
            # The fits are many and small: with a thread a core they spend their time waiting for each other.
            with (
                threadpool_limits(limits=1, user_api="blas"),
                progress.part(begun / n_steps, (begun + 1) / n_steps, words),
            ):
                return analysis()
        except FlexiCTError as error:
            refused[name] = " ".join(str(error).split())
            return None

    stages = np.array([StageLabel(int(code), cohort.stage_names[code]) for code in cohort.stage], dtype=object)
    patients, seed = cohort.patients, settings.seed
    gram = attempt("vectors", "vectors", lambda: Gram.of(cohort.vectors, "report", at_least=2))
    vectors = cohort.vectors if gram is None else gram
    covariates = cohort.covariates.matrix if cohort.covariates else None
    baseline = cohort.baseline.matrix if cohort.baseline and cohort.baseline.terms else None

    gradient = attempt(
        "gradient",
        "stage gradient",
        lambda: stage_gradient(
            vectors,
            cohort.stage,
            patient=patients,
            size=cohort.size,
            covariates=covariates,
            n_permutations=settings.permutations,
            n_bootstrap=settings.bootstrap,
            seed=seed,
        ),
    )
    probe = attempt(
        "probe",
        "linear probe",
        lambda: linear_probe(
            vectors,
            stages,
            patient=patients,
            baseline=baseline,
            n_repeats=defaults.PROBE_REPEATS,
            n_permutations=min(settings.permutations, defaults.probe_permutations(len(cohort.present))),
            learning_shares=defaults.LEARNING_SHARES,
            n_bootstrap=settings.bootstrap,
            seed=seed,
        ),
    )
    compared_probes = []
    for other in cohort.compared:
        found = attempt(
            f"probe of {other.label}",
            f"linear probe of {other.label}",
            lambda other=other: linear_probe(  # type: ignore[misc]
                other.vectors,
                stages[other.rows],
                patient=patients[other.rows],
                n_repeats=defaults.PROBE_REPEATS,
                n_bootstrap=settings.bootstrap,
                seed=seed,
            ),
        )
        if found is not None:
            compared_probes.append((other.label, found))
    audit = attempt(
        "audit",
        "shortcut audit",
        lambda: shortcuts(
            vectors,
            cohort.stage,
            _known(cohort),
            patient=patients,
            n_permutations=min(settings.permutations, MAX_AUDIT_PERMUTATIONS),
            n_bootstrap=settings.bootstrap,
            seed=seed,
        ),
    )
    if audit is not None and gradient is not None:
        audit = audit.with_axis(gradient)
    survival = None
    if cohort.time is not None and cohort.event is not None:
        time, event = cohort.time, cohort.event
        survival = attempt("survival", "survival", lambda: _survival(gradient, cohort, time, event, settings))
    trajectory = attempt(
        "pseudotime",
        "pseudotime",
        lambda: pseudotime(
            cohort.vectors,
            cohort.stage,
            patient=patients,
            n_neighbours=defaults.GRAPH_NEIGHBOURS,
            n_permutations=min(settings.permutations, MAX_PSEUDOTIME_PERMUTATIONS),
            seed=seed,
        ),
    )
    retrieval = []
    for name, tables, rows in searched:
        for protocol in PROTOCOLS:
            one = attempt(
                f"retrieval in {name}, {protocol}",
                f"retrieval in {name}, {protocol}",
                lambda tables=tables, rows=rows, protocol=protocol: evaluate(  # type: ignore[misc]
                    tables[0] if len(tables) == 1 else tables,
                    cohort.stage[rows],
                    patient=patients[rows],
                    k=RECALL_AT,
                    protocol=protocol,
                    fusion_k=FUSION_K,
                    n_bootstrap=settings.bootstrap,
                    seed=seed,
                ),
            )
            if one is not None:
                retrieval.append(NamedRetrieval(name, one))
    parts = (gradient, survival, trajectory)
    warnings = dict.fromkeys(text for part in parts if part is not None for text in part.warnings)
    unseen = verdicts.audit_resolution(audit) if audit is not None else None
    if unseen:
        warnings[unseen] = None
    return Findings(
        retrieval=tuple(retrieval),
        probe=probe,
        compared_probes=tuple(compared_probes),
        gradient=gradient,
        audit=audit,
        survival=survival,
        trajectory=trajectory,
        refused=refused,
        warnings=tuple(verdicts.warning(text, cohort.stage_names) for text in warnings),
    )


def _searched(cohort: AnalysedCohort) -> list[tuple[str, list[NDArray], NDArray[np.intp]]]:
    """(label, vectors of each set, rows of the cases) of every search: each set alone, then all fused."""
    everyone = np.arange(cohort.n)
    found = [(cohort.label, [cohort.vectors], everyone)]
    found += [(other.label, [other.vectors], other.rows) for other in cohort.compared]
    if cohort.compared and all(len(other.rows) == cohort.n for other in cohort.compared):
        found.append((FUSED, [cohort.vectors, *(other.vectors for other in cohort.compared)], everyone))
    return found


def _known(cohort: AnalysedCohort) -> Audited:
    if not cohort.suspects:
        raise FlexiCTError(
            "The audit needs at least one column beside the stage, such as size, site, scanner, sex or age; "
            "the cohort names none: give --size or --covariates."
        )
    return cohort.suspects


def _survival(
    gradient: StageGradient | None, cohort: AnalysedCohort, time: NDArray, event: NDArray, settings: ReportSettings
) -> SurvivalByScore:
    if gradient is None:
        raise FlexiCTError("The survival analysis needs the scores of the stage gradient, which could not be computed.")
    columns = {label(c): cohort.frame[c].to_numpy(dtype=object) for c in cohort.covariate_columns}
    if cohort.size_column is not None:
        columns = {label(cohort.size_column): cohort.frame[cohort.size_column].to_numpy(dtype=object)} | columns
    return by_score(
        gradient.score,
        time,
        event,
        covariates=columns or None,
        patient=cohort.patients,
        n_bootstrap=settings.bootstrap,
        seed=settings.seed,
    )
