"""The tests a report rests on, in one table; a p is adjusted over the tests of its own analysis, as on its page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.report.analysis_plan import Findings
from dashboard.report.cohort_selection import AnalysedCohort
from dashboard.report.panels.axis import taken_out
from embeddings.analysis import Adjusted, Probe, StageGradient

COLUMNS = ["test", "measure", "value", "low", "high", "sides", "p", "p adjusted", "adjusted by", "n", "n patients"]
Row = tuple[object, ...]


def main_tests(findings: Findings, cohort: AnalysedCohort) -> pd.DataFrame:
    """One row a test with interval, p and n. Where an analysis makes several tests, Holm's p over them stands beside
    the raw one; a test by itself has no adjusted p.
    """
    rows: list[Row] = []
    if findings.gradient is not None:
        rows += _gradient_rows(findings.gradient, taken_out(cohort))
    if findings.probe is not None:
        rows += _probe_rows(findings.probe, cohort.baseline_name)
    if findings.trajectory is not None:
        time = findings.trajectory
        measured = ("Spearman's rho", time.rho, time.rho_low, time.rho_high)
        rows.append(("Pseudotime", *measured, *_p("one-sided", time.p_permutation), time.n, time.n_patients))
    if findings.survival is not None:
        survival = findings.survival
        interval = (survival.c_index, survival.c_index_low, survival.c_index_high)
        p = _p("two-sided", survival.logrank_p)
        rows.append(("Survival by tertile, log-rank", "C-index", *interval, *p, survival.n, survival.n))
    return pd.DataFrame(rows, columns=COLUMNS)


def _gradient_rows(result: StageGradient, removed: str) -> Sequence[Row]:
    asked = (
        ("Stage axis, out of fold", result),
        (f"Stage axis after {removed}", result.residual),
        ("Stage axis at similar size", result.size_matched),
        ("Discriminant, out of fold", result.lda),
        (f"Discriminant after {removed}", result.lda_residual),
    )
    return [
        (
            *(name, "Spearman's rho", part.rho, part.rho_low, part.rho_high),
            *_p("one-sided", part.p_permutation, part.adjusted),
            *(part.n, part.n_patients),
        )
        for name, part in asked
        if part is not None
    ]


def _probe_rows(result: Probe, baseline_name: str) -> Sequence[Row]:
    auc, sizes = result.embedding.auc, (result.n, result.n_patients)
    measure = "AUC" if len(result.classes) == 2 else "macro AUC"
    rows: list[Row] = []
    if np.isfinite(result.p_chance):
        p = _p("one-sided", result.p_chance, result.chance_adjusted)
        rows.append(("Probe against chance", measure, auc.value, auc.low, auc.high, *p, *sizes))
    names = {"embedding": "embedding", "combined": f"embedding with {baseline_name}"}
    for one, adjusted in result.adjusted_differences:
        name = f"Probe, {names[one.better]} minus {baseline_name} alone"
        p = _p("two-sided", one.p, adjusted)
        rows.append((name, f"difference of {measure}", one.value, one.low, one.high, *p, *sizes))
    return rows


def _p(sides: str, p: float, adjusted: Adjusted | None = None) -> tuple[str, float, float, str]:
    """Sides, p, adjusted p and how it was adjusted."""
    if adjusted is None or adjusted.n < 2:
        return sides, p, float("nan"), ""
    return sides, p, adjusted.p, adjusted.words
