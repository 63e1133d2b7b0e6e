"""The tests a report rests on, in one table, their p adjusted for being several."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dashboard.report.analysis_plan import Findings
from dashboard.report.axis_panels import taken_out
from dashboard.report.cohort_selection import AnalysedCohort
from embeddings.analysis.resampling import benjamini_hochberg

COLUMNS = ["test", "measure", "value", "low", "high", "p", "p adjusted", "n", "n patients"]


def main_tests(findings: Findings, cohort: AnalysedCohort) -> pd.DataFrame:
    """One row a test with interval, p and n; p adjusted over the rows (Benjamini and Hochberg 1995)."""
    rows: list[tuple[object, ...]] = []
    gradient, probe = findings.gradient, findings.probe
    if gradient is not None:
        adjusted = f"after {taken_out(cohort)}"
        for name, part in (
            ("Stage axis, out of fold", gradient),
            (f"Stage axis {adjusted}", gradient.residual),
            ("Stage axis at like size", gradient.size_matched),
            ("Discriminant, out of fold", gradient.lda),
            (f"Discriminant {adjusted}", gradient.lda_residual),
        ):
            if part is not None:
                measured = ("Spearman's rho", part.rho, part.rho_low, part.rho_high, part.p_permutation)
                rows.append((name, *measured, part.n, part.n_patients))
    if probe is not None:
        auc = probe.embedding.auc
        sizes = (probe.n, probe.n_patients)
        measure = "AUC" if len(probe.classes) == 2 else "macro AUC"
        if np.isfinite(probe.p_chance):
            rows.append(("Probe against chance", measure, auc.value, auc.low, auc.high, probe.p_chance, *sizes))
        for one in probe.differences:
            name = f"Probe, {one.better} less {cohort.baseline_name}"
            rows.append((name, f"difference of {measure}", one.value, one.low, one.high, one.p, *sizes))
    if findings.trajectory is not None:
        time = findings.trajectory
        measured = ("Spearman's rho", time.rho, time.rho_low, time.rho_high, time.p_permutation)
        rows.append(("Pseudotime", *measured, time.n, time.n_patients))
    if findings.survival is not None:
        survival = findings.survival
        interval = (survival.c_index, survival.c_index_low, survival.c_index_high)
        rows.append(("Survival by tertile, log-rank", "C-index", *interval, survival.logrank_p, survival.n, survival.n))
    p = np.array([row[5] for row in rows], dtype=np.float64)
    adjusted_p, known = p.copy(), np.isfinite(p)
    adjusted_p[known] = benjamini_hochberg(p[known])
    return pd.DataFrame([(*row[:6], q, *row[6:]) for row, q in zip(rows, adjusted_p, strict=True)], columns=COLUMNS)
