"""A measure with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .resampling import percentile_interval


@dataclass(frozen=True)
class Estimate:
    """A measure with its 95 % patient bootstrap interval, given the fitted models."""

    value: float
    low: float
    high: float


def estimate(values: NDArray[np.float64]) -> Estimate:
    """The estimate of values [1 + m]: the first is of all cases, the rest are of resamples."""
    return Estimate(float(values[0]), *percentile_interval(values[1:]))
