"""The five published presets: a CT in HU becomes the normalised array an encoder takes.

Source: arXiv 2605.21906, preprocessing of the phenotype and slice experiments. Every preset takes a `Volume` in any
orientation and returns float32 arrays in LPS order `[z, y, x]` (or `[y, x]` for a slice) in units of standard
deviations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from flexict.volume import Volume

Array = NDArray[np.float32]

HU_LOW, HU_HIGH = -1000.0, 1000.0
SPACING_MM = 2.0
LESION_SEED_SPACING_MM = 1.0
LESION_SEED_SIDES_MM = (4.0, 512.0)
CUBE = 160
SLICE = 512
FLAT_STD = 1e-6
MAX_RESAMPLED_VOXELS = 2**30


class PreprocessError(ValueError):
    """An image that a preset cannot use; the message says why and what to do."""


@dataclass(frozen=True)
class PlacedSlice:
    """An axial slice ready for a 2D encoder: its index and height in the LPS-oriented volume, and its pixels."""

    index: int
    z_lps_mm: float
    pixels: Array


def default(volume: Volume) -> Array:
    """Whole volume at 2 mm, centre-cropped or padded to `[160, 160, 160]` (preset `default`)."""
    array = _normalise(_array(resample(_oriented(volume), SPACING_MM)))
    return _centre_cube(array, CUBE)


def local_path(volume: Volume) -> Array:
    """All anatomy at 2 mm, padded to a cube and resized to `[160, 160, 160]`; scale is lost (`local_path`)."""
    array = _normalise(_array(resample(_oriented(volume), SPACING_MM)))
    return _resize_cube(_pad_to(array, max(array.shape)), CUBE, align_corners=False)


def slice_stack(volume: Volume, step: int = 1) -> Iterator[PlacedSlice]:
    """Every `step`-th axial slice, padded to a square and resized to `[512, 512]` (preset `slice`).

    Slices are centred in the stack: with step 20 the first is slice 10, so that the ends, which often hold little
    anatomy, are not over-represented.
    """
    if step < 1:
        raise PreprocessError(f"a slice step must be 1 or more, not {step}")
    oriented = _oriented(volume)
    raw = _array(oriented)
    clipped = np.clip(raw, HU_LOW, HU_HIGH)
    mean, std = _statistics(clipped)
    outside = (HU_LOW - mean) / std
    first = min((step - 1) // 2, len(raw) // 2)
    for index in range(first, len(raw), step):
        square = _pad_square((clipped[index] - mean) / std, outside)
        pixels = F.interpolate(
            torch.from_numpy(square)[None, None], size=(SLICE, SLICE), mode="bilinear", align_corners=False
        )
        height = oriented.TransformIndexToPhysicalPoint((0, 0, index))[2]
        yield PlacedSlice(index, float(height), pixels[0, 0].numpy())


def lesion_seed(volume: Volume, seed_lps: tuple[float, float, float], side_mm: float = 64.0) -> Array:
    """A cube of `side_mm` around a seed in LPS mm, resized to `[160, 160, 160]` (preset `lesion_seed`).

    Raises:
        PreprocessError: if the seed lies outside the scan.
    """
    least, most = LESION_SEED_SIDES_MM
    if not least <= side_mm <= most:
        raise PreprocessError(
            f"a lesion crop of {side_mm:g} mm is impossible: use {least:g} to {most:g} mm (published: 32 and 64)"
        )
    index = volume.index_of(seed_lps)
    if not np.all((index > -1.0) & (index < np.array(volume.shape))):
        place = ", ".join(f"{v:.1f}" for v in seed_lps)
        raise PreprocessError(f"the seed ({place}) mm lies outside the scan: give it in LPS (not RAS) millimetres")
    oriented = _oriented(volume)
    normalised = sitk.GetImageFromArray(_normalise(_array(oriented)))
    normalised.CopyInformation(oriented)
    offset = np.array(normalised.TransformPhysicalPointToContinuousIndex([float(v) for v in seed_lps]))
    side = round(side_mm / LESION_SEED_SPACING_MM)
    # The 1 mm grid starts at the first voxel; the seed's index on it, x, y, z.
    centre = offset * normalised.GetSpacing() / LESION_SEED_SPACING_MM
    start = [round(c) - side // 2 for c in centre]
    return _resize_cube(_crop_resampled(normalised, start, side), CUBE, align_corners=False)


def lesion_mask(volume: Volume, mask: Volume, scale: float = 1.5) -> Array:
    """A cube of `scale` times the lesion's largest side around its centroid, `[160, 160, 160]` (`lesion_mask`).

    Raises:
        PreprocessError: if the mask lies on another grid or is empty (also when it vanishes at 2 mm).
    """
    if not np.isfinite(scale) or scale <= 0:
        raise PreprocessError(f"a lesion crop scale must be above 0 (published: 1.5 and 2.0), not {scale}")
    if not volume.same_grid(mask):
        raise PreprocessError(f"the mask grid {mask.shape} is not that of the scan {volume.shape}: resample the mask")
    if not np.any(mask.array):
        raise PreprocessError("the mask has no voxels: draw the lesion or leave the mask cell empty")
    binary = Volume((mask.array != 0).astype(np.uint8), mask.spacing, mask.origin, mask.direction)
    resampled = resample(_oriented(binary, sitk.sitkUInt8), SPACING_MM, sitk.sitkNearestNeighbor, outside=0.0)
    lesion = np.argwhere(sitk.GetArrayViewFromImage(resampled))
    if len(lesion) == 0:
        raise PreprocessError("the lesion is smaller than a 2 mm voxel: use the preset lesion_seed")
    array = _normalise(_array(resample(_oriented(volume), SPACING_MM)))
    side = max(1, round(scale * int((np.ptp(lesion, axis=0) + 1).max())))
    start = [round(c - side / 2) for c in lesion.mean(axis=0)]
    box = tuple(slice(max(0, s), min(n, s + side)) for s, n in zip(start, array.shape, strict=True))
    return _resize_cube(array[box], CUBE, align_corners=True)


def _oriented(volume: Volume, pixel_type: int = sitk.sitkFloat32) -> sitk.Image:
    return sitk.DICOMOrient(sitk.Cast(volume.to_sitk(), pixel_type), "LPS")


def _array(image: sitk.Image) -> Array:
    return np.asarray(sitk.GetArrayFromImage(image), dtype=np.float32)


def resample(
    image: sitk.Image, spacing: float, interpolator: int = sitk.sitkLinear, outside: float = HU_LOW
) -> sitk.Image:
    """The image on a grid of `spacing` mm from the same first voxel; `outside` HU where there was none.

    Raises:
        PreprocessError: if the result would have more than 2^30 voxels.
    """
    size = _resampled_size(image, spacing)
    if float(np.prod(size, dtype=np.float64)) > MAX_RESAMPLED_VOXELS:
        raise PreprocessError(f"the scan would be {size} voxels at {spacing} mm: check the spacing in its header")
    return sitk.Resample(
        image,
        size,
        sitk.Transform(),
        interpolator,
        image.GetOrigin(),
        [spacing] * 3,
        image.GetDirection(),
        outside,
    )


def _resampled_size(image: sitk.Image, spacing: float) -> list[int]:
    return [max(1, round(n * s / spacing)) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]


def _crop_resampled(image: sitk.Image, start: list[int], side: int) -> Array:
    """The cube from index `start` (x, y, z) of the image at 1 mm, zero where the image at 1 mm ends.

    Only the cube is resampled: the whole scan at 1 mm can be a hundred times as large.
    """
    ends = _resampled_size(image, LESION_SEED_SPACING_MM)
    low = [max(0, s) for s in start]
    size = [min(end, s + side) - a for a, s, end in zip(low, start, ends, strict=True)]
    out = np.zeros((side,) * 3, dtype=np.float32)
    if min(size) < 1:
        return out
    step = np.array(image.GetDirection()).reshape(3, 3) * LESION_SEED_SPACING_MM
    origin = np.array(image.GetOrigin()) + step @ np.array(low, dtype=np.float64)
    part = sitk.Resample(
        image,
        size,
        sitk.Transform(),
        sitk.sitkLinear,
        origin.tolist(),
        [LESION_SEED_SPACING_MM] * 3,
        image.GetDirection(),
        0.0,
    )
    into = tuple(slice(a - s, a - s + n) for a, s, n in zip(low, start, size, strict=True))
    out[into[::-1]] = _array(part)
    return out


def _statistics(clipped: Array) -> tuple[float, float]:
    """Mean and sample standard deviation (1 for a flat volume, which is then only centred)."""
    if not np.isfinite(clipped).all():
        raise PreprocessError("the scan holds NaN or infinite voxels: repair or leave out this scan")
    std = float(clipped.std(ddof=1, dtype=np.float64)) if clipped.size > 1 else 0.0
    return float(clipped.mean(dtype=np.float64)), std if std >= FLAT_STD else 1.0


def _normalise(array: Array) -> Array:
    clipped = np.clip(array, HU_LOW, HU_HIGH)
    mean, std = _statistics(clipped)
    return np.asarray((clipped - mean) / std, dtype=np.float32)


def _pad_to(array: Array, least: int) -> Array:
    short = [max(0, least - n) for n in array.shape]
    if not any(short):
        return array
    return np.pad(array, [(s // 2, s - s // 2) for s in short], constant_values=array.min())


def _centre_cube(array: Array, side: int) -> Array:
    padded = _pad_to(array, side)
    start = [(n - side) // 2 for n in padded.shape]
    return np.ascontiguousarray(padded[tuple(slice(s, s + side) for s in start)])


def _pad_square(pixels: Array, value: float) -> Array:
    side = max(pixels.shape)
    short = [side - n for n in pixels.shape]
    padded = np.pad(pixels, [(s // 2, s - s // 2) for s in short], constant_values=value)
    return np.ascontiguousarray(padded, dtype=np.float32)


def _resize_cube(array: Array, side: int, align_corners: bool) -> Array:
    tensor = torch.from_numpy(np.ascontiguousarray(array))[None, None]
    size = (side,) * 3
    return F.interpolate(tensor, size=size, mode="trilinear", align_corners=align_corners)[0, 0].numpy()
