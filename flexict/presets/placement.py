"""Where the voxels of a preset's input lie in the patient: the geometry of `preprocess`, without its voxels.

Each function follows its namesake in `preprocess` step by step, and is tested against what that one cuts out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flexict.presets.preprocess import (
    CUBE,
    LESION_SEED_SPACING_MM,
    SLICE,
    SPACING_MM,
    Scan,
    lesion_box,
    mask_at,
    resampled_size,
    seed_cube,
)
from flexict.volume import Volume

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


def default(scan: Scan) -> Placement:
    """Of the input of `preprocess.default`; where the scan is smaller than the cube, the box holds the padding too."""
    size = np.array(resampled_size(scan.oriented, SPACING_MM))
    short = np.maximum(CUBE - size, 0)
    first = (size + short - CUBE) // 2 - short // 2
    return _resized(scan.oriented, [SPACING_MM] * 3, first, [CUBE] * 3, [CUBE] * 3)


def local_path(scan: Scan) -> Placement:
    """Of the input of `preprocess.local_path`: a cube as long as the scan's longest side, with the padding."""
    size = np.array(resampled_size(scan.oriented, SPACING_MM))
    side = int(size.max())
    return _resized(scan.oriented, [SPACING_MM] * 3, -((side - size) // 2), [side] * 3, [CUBE] * 3)


def axial_slice(scan: Scan, index: int) -> Placement:
    """Of the input of `preprocess.axial_slice`: one slice thick, padded to a square."""
    columns, rows, _ = scan.oriented.GetSize()
    side = max(columns, rows)
    first = [-((side - columns) // 2), -((side - rows) // 2), index]
    return _resized(scan.oriented, scan.oriented.GetSpacing(), first, [side, side, 1], [SLICE, SLICE, 1])


def lesion_seed(scan: Scan, seed_lps: Triple, side_mm: float) -> Placement:
    """Of the input of `preprocess.lesion_seed`, also where it reaches out of the scan."""
    first, side = seed_cube(scan, seed_lps, side_mm)
    return _resized(scan.oriented, [LESION_SEED_SPACING_MM] * 3, first, [side] * 3, [CUBE] * 3)


def lesion_mask(scan: Scan, mask: Volume, scale: float) -> Placement:
    """Of the input of `preprocess.lesion_mask`; the box ends where the scan does.

    Raises:
        PreprocessError: if the lesion is smaller than a 2 mm voxel.
    """
    size = resampled_size(scan.oriented, SPACING_MM)
    box = lesion_box(np.argwhere(mask_at(mask, SPACING_MM)), tuple(size[::-1]), scale)[::-1]
    first, counts = [axis.start for axis in box], [axis.stop - axis.start for axis in box]
    spread = _resized(scan.oriented, [SPACING_MM] * 3, first, counts, [CUBE] * 3)
    # First and last voxel of crop and input coincide there (`align_corners=True`); one voxel alone fills its axis.
    single = np.array(counts) == 1
    inner = SPACING_MM * np.where(single, 1 / CUBE, (np.array(counts) - 1) / (CUBE - 1))
    starts = SPACING_MM * (np.array(first) - np.where(single, 0.5 - 0.5 / CUBE, 0))
    origin = spread.direction @ starts + np.array(scan.oriented.GetOrigin())
    return Placement(spread.shape, _triple(inner), _triple(origin), spread.direction, spread.box_corner, spread.box_mm)


def _resized(
    image: sitk.Image,
    steps: Sequence[float],
    first: Sequence[int] | NDArray[np.int64],
    counts: Sequence[int],
    sizes: Sequence[int],
) -> Placement:
    """`counts` voxels from `first` of the image at `steps` mm, resized to `sizes` (x, y, z); outer faces coincide."""
    step, low = np.array(steps), np.array(first, dtype=np.float64)
    edges = step * np.array(counts)
    spacing = edges / np.array(sizes)
    direction = np.array(image.GetDirection(), dtype=np.float64).reshape(3, 3)
    begin = np.array(image.GetOrigin())
    corner = begin + direction @ (step * (low - 0.5))
    origin = corner + direction @ (spacing / 2)
    x, y, z = (int(n) for n in sizes)
    return Placement((z, y, x), _triple(spacing), _triple(origin), direction, _triple(corner), _triple(edges))


def _triple(values: NDArray[np.float64]) -> Triple:
    x, y, z = (float(v) for v in values)
    return x, y, z
