"""Size and position of a lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from flexict.errors import FlexiCTError
from flexict.volume import Volume

_FLAT_MM = 1e-6


@dataclass(frozen=True)
class Lesion:
    """A lesion's size and position; lengths in mm.

    Attributes:
        volume_ml: number of voxels times the voxel volume.
        equivalent_diameter_mm: diameter of the sphere of equal volume.
        max_extent_mm: largest distance between the centres of two of its voxels, in any direction (about one
            voxel less than between its outer faces).
        centroid_lps: mean of its voxel centres, LPS mm.
        bounding_box_mm: sides of the smallest box along the array's x, y and z that contains its voxels.
        n_voxels: voxels in the mask.
        n_components: connected parts; voxels connect by faces, edges and corners.
    """

    volume_ml: float
    equivalent_diameter_mm: float
    max_extent_mm: float
    centroid_lps: tuple[float, float, float]
    bounding_box_mm: tuple[float, float, float]
    n_voxels: int
    n_components: int


def measure(mask: Volume) -> Lesion:
    """Measure the non-zero voxels of a mask, all parts together.

    Raises:
        FlexiCTError: a mask without voxels.
    """
    inside = mask.array != 0
    box = ndimage.find_objects(inside.astype(np.uint8))
    if not box:
        raise FlexiCTError("the mask has no voxels: draw the lesion, or leave the mask out")
    part = inside[box[0]]
    start = np.array([axis.start for axis in box[0]])
    n_voxels = int(part.sum())
    volume_ml = n_voxels * mask.voxel_ml
    _, n_components = ndimage.label(part, structure=np.ones((3, 3, 3)))
    centroid = mask.lps_of(np.argwhere(part).mean(axis=0) + start)
    z, y, x = (n * mm for n, mm in zip(part.shape, mask.spacing[::-1], strict=True))
    return Lesion(
        volume_ml=volume_ml,
        equivalent_diameter_mm=float(np.cbrt(6.0 * volume_ml * 1000.0 / np.pi)),
        max_extent_mm=_largest_distance(mask.lps_of((_row_ends(part) + start).astype(np.float64))),
        centroid_lps=(float(centroid[0]), float(centroid[1]), float(centroid[2])),
        bounding_box_mm=(x, y, z),
        n_voxels=n_voxels,
        n_components=int(n_components),
    )


def _row_ends(part: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices `[n, 3]` of the first and last voxel of every row along x, the only possible vertices of the hull."""
    z, y = np.nonzero(part.any(axis=2))
    first = part[z, y].argmax(axis=1)
    last = part.shape[2] - 1 - part[z, y, ::-1].argmax(axis=1)
    return np.concatenate([np.column_stack([z, y, first]), np.column_stack([z, y, last])])


def _largest_distance(points: NDArray[np.float64]) -> float:
    """Largest distance between two of the points `[n, 3]`, which lie at vertices of their convex hull."""
    centred = points - points.mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    # The hull needs the dimensions that the points span: a lesion in one slice has a flat hull.
    spanned = centred @ axes[lengths > _FLAT_MM].T
    if spanned.shape[1] == 0:
        return 0.0
    if spanned.shape[1] == 1:
        return float(np.ptp(spanned))
    return float(pdist(spanned[ConvexHull(spanned).vertices]).max())
