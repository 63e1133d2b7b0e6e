"""Seconds for `stage_gradient` with 10,000 refitted permutations, beside a plain scikit-learn loop of the same.

    python -m benchmarks.gradient_speed --out speed.json

The plain loop (`benchmarks.plain_gradient`) refits every fold with scikit-learn for each labelling. A few
labellings are timed and multiplied up; on those the two are compared number by number. The ratio is of one run
on one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.plain_gradient import PlainAxes
from benchmarks.simulated_cohorts import draw_cohort
from embeddings.analysis import AxisEvidence, stage_gradient
from embeddings.analysis.gradient.adjustment import size_design
from embeddings.analysis.gradient.crossfit import FOLDS, fold_plan
from embeddings.analysis.resampling import permuted_given, permuted_labels

PERMUTATIONS = 10_000
LARGEST_DIFFERENCE = 1e-8


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=425)
    parser.add_argument("--width", type=int, default=1728)
    parser.add_argument("--plain-labellings", type=int, default=3, help="how many permutations the plain loop refits")
    arguments = parser.parse_args()
    n = arguments.cases
    cohort = draw_cohort(n, arguments.width, effect="beyond", strength=4.0, seed=0)
    stage = cohort.stage.astype(np.float64)
    ids = [f"{number:06}" for number in range(n)]

    begin = time.perf_counter()
    found = stage_gradient(cohort.vectors, stage, patient=ids, size=cohort.size, n_permutations=PERMUTATIONS)
    seconds = time.perf_counter() - begin
    everyone, few = np.arange(n), arguments.plain_labellings
    at_will = permuted_labels(stage, everyone, n_permutations=PERMUTATIONS)[:few]
    design = size_design(everyone, size=cohort.size, covariates=None, n=n)
    keeping = permuted_given(stage, design, everyone, n_permutations=PERMUTATIONS)[:few]
    splits = list(fold_plan(np.arange(n), n_folds=FOLDS, n_repeats=found.n_repeats, seed=0))
    assert found.residual is not None
    assert found.lda_residual is not None
    parts: list[tuple[str, AxisEvidence, NDArray[np.float64] | None, bool]] = [
        ("ordinal ridge", found, None, False),
        ("ordinal ridge after size", found.residual, cohort.size, False),
        ("discriminant", found.lda, None, True),
        ("discriminant after size", found.lda_residual, cohort.size, True),
    ]
    rows, plain_seconds = [], 0.0
    for name, evidence, size, is_discriminant in parts:
        plain = PlainAxes.of(cohort.vectors, splits, size)
        penalty, ridge = plain.penalties()
        worst = 0.0
        begin = time.perf_counter()
        for number, labels in enumerate(at_will if size is None else keeping):
            score = plain.discriminant(labels, ridge) if is_discriminant else plain.ridge(labels, penalty)
            worst = max(worst, abs(spearmanr(score, labels).statistic - evidence.null[number]))
        one = (time.perf_counter() - begin) / few
        if worst > LARGEST_DIFFERENCE:
            raise SystemExit(f"{name}: rho differs by {worst:.1e} from scikit-learn's, so the times mean nothing.")
        plain_seconds += one * PERMUTATIONS
        rows.append({"part": name, "plain_seconds_a_permutation": one, "largest_difference_of_rho": worst})
        print(f"{name:28s} plain {one:8.2f} s a permutation, largest difference of rho {worst:.1e}", flush=True)
    ridge_only = sum(row["plain_seconds_a_permutation"] for row in rows[:2]) * PERMUTATIONS  # type: ignore[misc]
    summary = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "cases": n,
        "width": arguments.width,
        "permutations": PERMUTATIONS,
        "seconds": seconds,
        "plain_seconds": plain_seconds,
        "ratio": plain_seconds / seconds,
        "ratio_to_the_ridge_part_alone": ridge_only / seconds,
        "parts": rows,
    }
    print(f"stage_gradient, n = {n}, d = {arguments.width}, {PERMUTATIONS} permutations: {seconds:.1f} s")
    print(f"plain loop: {plain_seconds:.0f} s, {summary['ratio']:.0f} times as long")
    print(f"plain loop of the ridge axes alone: {ridge_only:.0f} s, {ridge_only / seconds:.0f} times as long")
    arguments.out.write_text(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
