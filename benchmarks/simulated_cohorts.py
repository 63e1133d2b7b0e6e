"""Cohorts of vectors with a stage and a tumour size whose connection is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STAGE_SHARES = (0.35, 0.30, 0.20, 0.15)
SHARED_DIRECTIONS = 20


@dataclass(frozen=True)
class SimulatedCohort:
    """Vectors [n, d], stage [n] in 0..3, tumour size [n] in mm, patient [n]."""

    vectors: NDArray[np.float64]
    stage: NDArray[np.intp]
    size: NDArray[np.float64]
    patient: NDArray[np.str_]


def draw_cohort(
    n: int, d: int, *, effect: str, strength: float, scans_per_patient: int = 1, seed: int = 0
) -> SimulatedCohort:
    """n scans of n / scans_per_patient patients.

    Tumour size (log-normal about 25 mm) is correlated with the stage's latent severity at 0.6 in every cohort.
    The vectors are 20 shared directions of falling variance and noise, a third of it the patient's own. On top,
    one direction of length `strength` (in deviations of a column's noise, over all columns) carries by `effect`:
    "none" nothing, "size" the log of the size and its square, "beyond" the part of severity that size does not
    hold.
    """
    rng = np.random.default_rng(seed)
    n_patients = n // scans_per_patient
    patient = np.repeat(np.arange(n_patients), scans_per_patient)
    severity = rng.normal(size=n_patients)
    stage = np.digitize(severity, np.quantile(severity, np.cumsum(STAGE_SHARES)[:-1]))
    own = rng.normal(size=n_patients)
    log_size = 0.6 * severity + 0.8 * own
    driver = {
        "none": np.zeros(n_patients),
        "size": log_size + 0.3 * (log_size**2 - 1.0),
        "beyond": severity - 0.6 * log_size,
    }[effect]
    shared = rng.normal(size=(n_patients, SHARED_DIRECTIONS)) * np.geomspace(2.0, 0.5, SHARED_DIRECTIONS)
    of_patient = shared @ rng.normal(size=(SHARED_DIRECTIONS, d)) / np.sqrt(SHARED_DIRECTIONS)
    of_patient += np.sqrt(1 / 3) * rng.normal(size=(n_patients, d))
    direction = rng.normal(size=d)
    of_patient += strength * np.outer(driver, direction / np.linalg.norm(direction))
    vectors = of_patient[patient] + np.sqrt(2 / 3) * rng.normal(size=(len(patient), d))
    size = 25.0 * np.exp(0.5 * log_size)
    return SimulatedCohort(vectors, stage[patient], size[patient], patient.astype(str))
