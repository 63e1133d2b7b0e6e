"""A smooth curve as columns of a linear model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def restricted_cubic_spline(x: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intercept, x and the k - 2 curved columns of a restricted cubic spline `[n, k]`.

    Harrell 2015, eq. 2.25: truncated cubes that cancel beyond the last knot, over the squared span of the
    knots. With fewer than three knots the straight line alone, `[n, 2]`.
    """
    columns = [np.ones_like(x), x]
    if len(knots) >= 3:
        last, before = knots[-1], knots[-2]
        cubes = [np.clip(x - knot, 0.0, None) ** 3 for knot in knots]
        columns += [
            (cube - cubes[-2] * (last - knot) / (last - before) + cubes[-1] * (before - knot) / (last - before))
            / (last - knots[0]) ** 2
            for knot, cube in zip(knots[:-2], cubes, strict=False)
        ]
    return np.column_stack(columns)
