"""The lesion mask on the grid of a preset's input, for `mask_pooled` vectors.

Each function takes the same geometry as its namesake in `preprocess`, with nearest voxels in place of linear
interpolation (arXiv 2605.21906, mask-pooled vectors). Masks are uint8, 1 in the lesion, in LPS order.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from flexict.presets.preprocess import (
    CUBE,
    LESION_SEED_SPACING_MM,
    SLICE,
    SPACING_MM,
    Scan,
    in_lps_order,
    lesion_box,
    mask_at,
    seed_cube,
)
from flexict.volume import Volume

Mask = NDArray[np.uint8]


def default(mask: Volume) -> Mask:
    """The mask in the input of `preprocess.default`, `[160, 160, 160]`."""
    padded = _padded(mask_at(mask, SPACING_MM), CUBE)
    start = [(n - CUBE) // 2 for n in padded.shape]
    return np.ascontiguousarray(padded[tuple(slice(s, s + CUBE) for s in start)])


def local_path(mask: Volume) -> Mask:
    """The mask in the input of `preprocess.local_path`, `[160, 160, 160]`."""
    array = mask_at(mask, SPACING_MM)
    return _resized(_padded(array, max(array.shape)), CUBE)


def axial_slice(mask: Volume, index: int) -> Mask:
    """The mask in the input of `preprocess.axial_slice`, `[512, 512]`."""
    pixels = (in_lps_order(mask).array[index] != 0).astype(np.uint8)
    return _resized(_padded(pixels, max(pixels.shape)), SLICE)


def lesion_seed(scan: Scan, mask: Volume, seed_lps: tuple[float, float, float], side_mm: float) -> Mask:
    """The mask in the input of `preprocess.lesion_seed`, `[160, 160, 160]`; 0 where the scan ends."""
    start, side = seed_cube(scan, seed_lps, side_mm)
    array = mask_at(mask, LESION_SEED_SPACING_MM)
    cube = np.zeros((side,) * 3, dtype=np.uint8)
    into, source = [], []
    for first, n in zip(start[::-1], array.shape, strict=True):
        low, high = max(0, first), min(n, first + side)
        source.append(slice(low, max(low, high)))
        into.append(slice(low - first, max(low, high) - first))
    part = array[tuple(source)]
    if part.size:
        cube[tuple(into)] = part
    return _resized(cube, CUBE)


def lesion_mask(mask: Volume, scale: float) -> Mask:
    """The mask in the input of `preprocess.lesion_mask`, `[160, 160, 160]`.

    Raises:
        PreprocessError: if the lesion is smaller than a 2 mm voxel.
    """
    array = mask_at(mask, SPACING_MM)
    part = array[lesion_box(np.argwhere(array), array.shape, scale)]
    # The corners of crop and input coincide there (`align_corners=True`).
    nearest = [np.rint(np.linspace(0, n - 1, CUBE)).astype(int) for n in part.shape]
    return np.ascontiguousarray(part[np.ix_(*nearest)])


def _padded(array: Mask, least: int) -> Mask:
    short = [max(0, least - n) for n in array.shape]
    return np.pad(array, [(s // 2, s - s // 2) for s in short])


def _resized(array: Mask, side: int) -> Mask:
    tensor = torch.from_numpy(np.ascontiguousarray(array))[None, None].float()
    return F.interpolate(tensor, size=(side,) * array.ndim, mode="nearest-exact")[0, 0].numpy().astype(np.uint8)
