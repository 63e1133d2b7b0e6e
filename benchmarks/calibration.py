"""How often each test says yes where nothing is there, where only size is, and where there is more than size.

    python -m benchmarks.calibration --out calibration.json [--cohorts 2000] [--slow-cohorts 400] [--processes 2]

Simulated cohorts (`benchmarks.simulated_cohorts`) of 864-wide vectors. A test that is right fires in 5 % of
cohorts without an effect. The last column is the published way: the correlation of a discriminant axis with the
stage of the very cases it was fitted to, by the usual table of Spearman's rho.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import beta, spearmanr

from benchmarks.simulated_cohorts import draw_cohort
from embeddings.analysis import Gram, linear_probe, pseudotime, stage_gradient
from embeddings.analysis.gradient.crossfit import discriminant_scores

WIDTH = 864
# With 200 permutations p < 0.05 is at most 9 of them at or beyond the observed value, due in 4.98 % of cohorts.
PERMUTATIONS = 200
ALPHA = 0.05


@dataclass(frozen=True)
class Setting:
    """One row of the table."""

    name: str
    n: int
    scans_per_patient: int
    effect: str
    strength: float
    has_slow_tests: bool
    """Whether probe and pseudotime, which take most of the time, are tested on the first of the cohorts."""


SETTINGS = (
    *(
        Setting(f"nothing, n = {n}, {scans} scan{'s' * (scans > 1)} a patient", n, scans, "none", 0.0, True)
        for n in (70, 140)
        for scans in (1, 2)
    ),
    *(Setting(f"only size, n = {n}", n, 1, "size", strength, False) for n, strength in ((70, 10.0), (140, 6.0))),
    *(
        Setting(f"beyond size, n = {n}, strength {strength:g}", n, 1, "beyond", strength, False)
        for n, strength in ((70, 6.0), (140, 4.0))
    ),
)


def p_values(setting: Setting, slow_cohorts: int, seed: int) -> dict[str, float]:
    """The p-value of every test on the cohort of this seed; the slow tests only of the first `slow_cohorts`."""
    cohort = draw_cohort(
        setting.n,
        WIDTH,
        effect=setting.effect,
        strength=setting.strength,
        scans_per_patient=setting.scans_per_patient,
        seed=seed,
    )
    gram = Gram.of(cohort.vectors, "calibration")
    found = stage_gradient(
        gram,
        cohort.stage,
        patient=cohort.patient,
        size=cohort.size,
        n_permutations=PERMUTATIONS,
        n_bootstrap=1,
        seed=seed,
    )
    p = {"gradient": found.p_permutation, "trend": found.trend_p_permutation, "discriminant": found.lda.p_permutation}
    if found.residual is not None and found.lda_residual is not None:
        p |= {"residual": found.residual.p_permutation, "residual discriminant": found.lda_residual.p_permutation}
    if found.size_matched is not None:
        p["size-matched"] = found.size_matched.p_permutation
    if setting.has_slow_tests and seed < slow_cohorts:
        late = (cohort.stage >= 2).astype(int)
        probe = linear_probe(
            gram,
            late,
            patient=cohort.patient,
            n_repeats=1,
            n_permutations=PERMUTATIONS,
            n_bootstrap=1,
            seed=seed,
        )
        p["probe"] = probe.p_chance
        course = pseudotime(
            cohort.vectors,
            cohort.stage,
            patient=cohort.patient,
            n_permutations=PERMUTATIONS,
            n_resamples=1,
            seed=seed,
        )
        p["pseudotime"] = course.p_permutation
    everyone = np.arange(len(gram))
    axis = discriminant_scores(lambda train: gram, cohort.stage[None].astype(float), [(everyone, everyone)])[:, 0]
    p["published way"] = float(spearmanr(axis, cohort.stage).pvalue)
    return p


def exact_interval(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Clopper and Pearson 1934)."""
    low = beta.ppf(0.025, count, of - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, of - count) if count < of else 1.0
    return float(low), float(high)


def table(
    settings: tuple[Setting, ...], cohorts: int, slow_cohorts: int, processes: int
) -> Iterator[dict[str, object]]:
    """One row a setting, as it is finished."""
    with ProcessPoolExecutor(processes) as pool:
        for setting in settings:
            fired: dict[str, list[bool]] = defaultdict(list)
            for p in pool.map(partial(p_values, setting, slow_cohorts), range(cohorts), chunksize=5):
                for test, value in p.items():
                    fired[test].append(value < ALPHA)
            shares = {
                test: {
                    "fired": sum(one),
                    "cohorts": len(one),
                    "share": sum(one) / len(one),
                    "interval": exact_interval(sum(one), len(one)),
                }
                for test, one in fired.items()
            }
            yield {"setting": setting.name, "tests": shares}


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cohorts", type=int, default=2000)
    parser.add_argument("--slow-cohorts", type=int, default=400)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    rows = []
    for row in table(SETTINGS, arguments.cohorts, arguments.slow_cohorts, arguments.processes):
        rows.append(row)
        print(row["setting"], flush=True)
        for test, found in dict(row["tests"]).items():  # type: ignore[call-overload]
            low, high = found["interval"]
            print(f"  {test:22s} {found['share']:.3f} [{low:.3f}, {high:.3f}] of {found['cohorts']}", flush=True)
        arguments.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
