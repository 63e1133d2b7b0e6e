"""Simulated embeddings whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Simulated = tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]


@pytest.fixture
def simulate() -> Callable[..., Simulated]:
    """Vectors [n, d], stage 0..3 and tumour size (ml); vectors follow severity, size alone, or nothing."""

    def make(n: int = 90, d: int = 60, *, follows: str = "severity", strength: float = 0.6, seed: int = 0) -> Simulated:
        rng = np.random.default_rng(seed)
        severity = rng.normal(size=n)
        stage = np.digitize(severity, [-0.5, 0.3, 1.0])
        size_follows_stage = follows == "size"
        log_size = (severity if size_follows_stage else rng.normal(size=n)) + 0.4 * rng.normal(size=n)
        driver = {"severity": severity, "size": log_size, "nothing": np.zeros(n)}[follows]
        nuisance = rng.normal(size=(n, 5)) @ rng.normal(size=(5, d))
        signal = np.outer(driver, rng.normal(size=d)) + np.outer(driver**2, rng.normal(size=d)) / 3
        return rng.normal(size=(n, d)) + 0.5 * nuisance + strength * signal, stage, 10 * np.exp(log_size)

    return make
