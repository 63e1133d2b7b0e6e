"""Where the voxels of an input lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Placement:
    """An input's voxels in LPS space, and the box of the patient that it was made from.

    Attributes:
        shape: voxels of the input along z, y, x; a slice has one along z.
        spacing: mm between its voxel centres along x, y, z.
        origin: LPS mm of the centre of its first voxel.
        direction: `[3, 3]`, as of a `Volume`: that of the scan in LPS order.
        box_corner: LPS mm of the outer corner of the box, where x, y and z begin.
        box_mm: edges of the box along x, y, z.
    """

    shape: tuple[int, int, int]
    spacing: Triple
    origin: Triple
    direction: NDArray[np.float64]
    box_corner: Triple
    box_mm: Triple

    def lps_of(self, index_zyx: NDArray[np.floating] | Triple) -> NDArray[np.float64]:
        """LPS mm `[..., 3]` of (fractional) indices `[..., 3]` of the input, given as z, y, x."""
        along = np.asarray(index_zyx, dtype=np.float64)[..., ::-1] * np.asarray(self.spacing)
        return np.asarray(along @ self.direction.T + np.asarray(self.origin))
