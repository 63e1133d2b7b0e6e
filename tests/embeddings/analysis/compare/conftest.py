"""Pairs of embedding sets whose difference is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass(frozen=True)
class Copies:
    """Sets [n, width] that carry the same severity with the given strengths, the stage [n] and the patients [n]."""

    sets: list[NDArray[np.float64]]
    stage: NDArray[np.intp]
    patient: NDArray[np.intp]


@pytest.fixture(scope="session")
def copies() -> Callable[..., Copies]:
    """One set for each strength, each in noise of its own; two scans of every other patient."""

    def make(*strengths: float, n: int = 90, width: int = 40, seed: int = 0) -> Copies:
        rng = np.random.default_rng(seed)
        patient = np.arange(n) * 2 // 3
        severity = rng.normal(size=n)[patient]
        sets = []
        for strength in strengths:
            direction = rng.normal(size=width)
            sets.append(
                rng.normal(size=(n, width)) + strength * np.outer(severity, direction / np.linalg.norm(direction))
            )
        return Copies(sets, np.digitize(severity, [-0.5, 0.5]), patient)

    return make
