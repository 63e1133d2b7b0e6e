"""How often two equally good embedding sets are called different, and how often the overlap's interval holds.

    python -m benchmarks.compare_calibration --out compare.json [--cohorts 400] [--processes 2]

Both sets carry the same severity along a direction of the same length and five shared nuisances, in noise of their
own: neither is better, so a test that is right fires in 5 % of cohorts. "given the fits" are the tests that take
axes, models and gallery as they were fitted. The last lines count the cohorts whose interval holds the mean of all
cohorts' values.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ortho_group

from benchmarks.calibration import exact_interval
from embeddings.analysis.compare import compare_sets

ALPHA = 0.05
SHARED = 5


@dataclass(frozen=True)
class Setting:
    """One row of the table: scans, scans a patient, columns of each set, and length of the direction of severity."""

    n: int
    scans: int
    width: int
    strength: float

    @property
    def name(self) -> str:
        """What the row is called."""
        return f"n = {self.n}, {self.scans} a patient, width {self.width}, strength {self.strength:g}"


SETTINGS = (
    Setting(80, 1, 100, 2.0),
    Setting(80, 1, 100, 0.0),
    Setting(80, 2, 100, 2.0),
    Setting(200, 1, 100, 1.5),
    Setting(200, 1, 20, 0.7),
)


def two_copies(setting: Setting, seed: int) -> tuple[list[NDArray[np.float64]], NDArray[np.intp], NDArray[np.intp]]:
    """Two sets [n, width] of the same severity, the stage [n] in 0..3 that it is cut into, and patients [n]."""
    rng = np.random.default_rng(seed)
    n_patients = setting.n // setting.scans
    patient = np.repeat(np.arange(n_patients), setting.scans)
    severity = rng.normal(size=n_patients)[patient]
    shared = rng.normal(size=(n_patients, SHARED))[patient]
    sets = []
    for number in range(2):
        noise = np.sqrt(0.5) * rng.normal(size=(n_patients, setting.width))[patient]
        noise += np.sqrt(0.5) * rng.normal(size=(setting.n, setting.width))
        noise[:, 0] += setting.strength * severity
        noise[:, 1 : SHARED + 1] += 3.0 * shared
        # Turned, each set its own way and the same way in every cohort.
        sets.append(noise @ ortho_group.rvs(setting.width, random_state=number))
    return sets, np.digitize(severity, [-0.5, 0.3, 1.0]), patient


def found(setting: Setting, seed: int) -> dict[str, float]:
    """The p-values of every test, and the overlap and CKA with their intervals."""
    sets, stage, patient = two_copies(setting, seed)
    result = compare_sets(
        sets, ("one", "other"), stage=stage, label=stage >= 2, patient=patient, k=(5, 10), n_permutations=199,
        n_bootstrap=399, seed=seed,
    )  # fmt: skip
    values = {}
    for part in (result.gradient, result.probe, result.retrieval):
        if part is not None:
            values[f"p {part.measure}"] = part.differences[0].p
            values[f"p {part.measure}, given the fits"] = part.differences[0].p_given_fits
    if result.similarity is not None:
        similar = (*(("overlap " + str(one.k), one) for one in result.similarity.overlaps),)
        for name, one in (*similar, ("CKA", result.similarity.alignments[0])):
            values |= {f"value {name}": one.value, f"low {name}": one.low, f"high {name}": one.high}
    return values


def shares(rows: list[dict[str, float]]) -> dict[str, dict[str, object]]:
    """How often each test fired, and how often each interval held the mean."""
    counted: dict[str, NDArray[np.bool_]] = {}
    for key in rows[0]:
        kind, name = key.split(" ", 1)
        column = np.array([row.get(key, np.nan) for row in rows])
        if kind == "p":
            counted[name] = column[np.isfinite(column)] < ALPHA
        elif kind == "value":
            low, high = (np.array([row[f"{end} {name}"] for row in rows]) for end in ("low", "high"))
            counted[f"{name} held"] = (low <= column.mean()) & (column.mean() <= high)
    return {
        name: {
            "count": int(one.sum()),
            "cohorts": len(one),
            "share": float(one.mean()),
            "interval": exact_interval(int(one.sum()), len(one)),
        }
        for name, one in counted.items()
    }


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cohorts", type=int, default=400)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    table = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for setting in SETTINGS:
            rows = list(pool.map(partial(found, setting), range(arguments.cohorts), chunksize=5))
            table.append({"setting": setting.name, "tests": shares(rows)})
            print(setting.name, flush=True)
            for name, one in shares(rows).items():
                low, high = one["interval"]  # type: ignore[misc]
                print(f"  {name:28s} {one['share']:.3f} [{low:.3f}, {high:.3f}]", flush=True)
            arguments.out.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
