"""Results of real analyses of a small simulated cohort, made once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embeddings.analysis import linear_probe, pseudotime, stage_gradient


@pytest.fixture(scope="session")
def cohort() -> dict[str, Any]:
    """Vectors, stage codes, size (ml) and item ids of 60 cases; one id and one name try to be markup."""
    rng = np.random.default_rng(0)
    severity = rng.normal(size=60)
    return {
        "X": rng.normal(size=(60, 12)) + np.outer(severity, rng.normal(size=12)),
        "stage": np.digitize(severity, [-0.5, 0.5]) + 1.0,
        "size": np.exp(severity + rng.normal(size=60)) * 10,
        "ids": ["<b>C000</b>/lesion", *(f"C{i:03d}/lesion" for i in range(1, 60))],
        "names": {1.0: "T1", 2.0: "T2", 3.0: "T<3>"},
        "coordinates": rng.normal(size=(60, 2)),
    }


@pytest.fixture(scope="session")
def gradient_result(cohort: dict[str, Any]) -> Any:
    return stage_gradient(cohort["X"], cohort["stage"], size=cohort["size"], n_permutations=19, n_bootstrap=20)


@pytest.fixture(scope="session")
def trajectory_result(cohort: dict[str, Any]) -> Any:
    return pseudotime(cohort["X"], cohort["stage"], n_permutations=19, n_resamples=2)


@pytest.fixture(scope="session")
def probe_result(cohort: dict[str, Any]) -> Any:
    return linear_probe(cohort["X"], cohort["stage"] > 1, baseline=cohort["size"], n_repeats=1, n_bootstrap=20)
