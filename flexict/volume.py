"""A voxel array together with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray


@dataclass(frozen=True)
class Volume:
    """Voxels on a regular grid in LPS space (x to the patient's left, y to posterior, z to superior).

    Attributes:
        array: `[z, y, x]`; HU for a CT, 0 and 1 for a mask.
        spacing: millimetres between voxel centres along the array's x, y and z index.
        origin: LPS mm of the centre of voxel `array[0, 0, 0]`.
        direction: `[3, 3]`; column j is the LPS direction in which index j (x, y, z) grows.
    """

    array: NDArray[np.generic]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: NDArray[np.float64]

    @staticmethod
    def from_sitk(image: sitk.Image) -> Volume:
        """Copy a 3D SimpleITK image (which is LPS already)."""
        if image.GetDimension() != 3:
            raise ValueError(f"expected a 3D image, got {image.GetDimension()}D")
        return Volume(
            array=sitk.GetArrayFromImage(image),
            spacing=_triple(image.GetSpacing()),
            origin=_triple(image.GetOrigin()),
            direction=np.array(image.GetDirection(), dtype=np.float64).reshape(3, 3),
        )

    def to_sitk(self) -> sitk.Image:
        """The same voxels and geometry as a SimpleITK image."""
        image = sitk.GetImageFromArray(self.array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction.ravel().tolist())
        return image

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along z, y, x."""
        z, y, x = self.array.shape
        return z, y, x

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    def lps_of(self, index_zyx: NDArray[np.floating] | tuple[float, float, float]) -> NDArray[np.float64]:
        """LPS mm `[..., 3]` of (fractional) indices `[..., 3]` given as z, y, x.

        >>> ct = Volume(np.zeros((4, 5, 6)), (0.5, 0.5, 2.0), (-10.0, 0.0, 100.0), np.eye(3))
        >>> ct.lps_of((1, 0, 2)).tolist()
        [-9.0, 0.0, 102.0]
        """
        index_xyz = np.asarray(index_zyx, dtype=np.float64)[..., ::-1]
        offset = (index_xyz * np.asarray(self.spacing)) @ self.direction.T
        return np.asarray(offset + np.asarray(self.origin))

    def index_of(self, lps: NDArray[np.floating] | tuple[float, float, float]) -> NDArray[np.float64]:
        """Fractional index `[..., 3]` (z, y, x) of LPS points `[..., 3]` in mm.

        >>> ct = Volume(np.zeros((4, 5, 6)), (0.5, 0.5, 2.0), (-10.0, 0.0, 100.0), np.eye(3))
        >>> ct.index_of((-9.0, 0.0, 103.0)).tolist()
        [1.5, 0.0, 2.0]
        """
        offset = np.asarray(lps, dtype=np.float64) - np.asarray(self.origin)
        index_xyz = (offset @ np.linalg.inv(self.direction).T) / np.asarray(self.spacing)
        return np.asarray(index_xyz[..., ::-1])

    def same_grid(self, other: Volume, tolerance_mm: float = 0.05) -> bool:
        """Whether both grids have the same shape and every corner voxel lies within `tolerance_mm`."""
        if self.shape != other.shape:
            return False
        z, y, x = (n - 1 for n in self.shape)
        corners = np.array([(a, b, c) for a in (0, z) for b in (0, y) for c in (0, x)], dtype=float)
        gap = np.linalg.norm(self.lps_of(corners) - other.lps_of(corners), axis=1)
        return bool(gap.max() <= tolerance_mm)


def _triple(values: tuple[float, ...]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
