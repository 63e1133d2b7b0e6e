"""The five published presets: a CT in HU becomes the normalised array an encoder takes.

Source: arXiv 2605.21906, preprocessing of the phenotype and slice experiments. Every preset takes a `Volume` in any
orientation and returns float32 arrays in LPS order `[z, y, x]` (or `[y, x]` for a slice) in units of standard
deviations. Torch is imported where it is needed: those who ask only where a crop lies need not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flexict.errors import FlexiCTError
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
COUNTED_AT_ONCE = 2**22


class PreprocessError(FlexiCTError):
    """An image that a preset cannot use; the message says why and what to do."""


@dataclass(frozen=True)
class PlacedSlice:
    """An axial slice ready for a 2D encoder: its index and height in the LPS-oriented volume, and its pixels."""

    index: int
    z_lps_mm: float
    pixels: Array


class Scan:
    """A CT with what several presets need of it, computed when first asked for and once."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume

    @cached_property
    def oriented(self) -> sitk.Image:
        """The CT in LPS order, its voxels of the kind they have."""
        return in_lps_order(self.volume).to_sitk()

    @cached_property
    def normalised_2mm(self) -> Array:
        """The whole CT at 2 mm, clipped and normalised, `[z, y, x]`."""
        return _normalise(_array(resample(self.oriented, SPACING_MM, pixel_type=sitk.sitkFloat32)))

    @cached_property
    def statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of the clipped voxels at their own spacing, HU."""
        return _statistics(self.volume.array)


def default(volume: Volume | Scan) -> Array:
    """Whole volume at 2 mm, centre-cropped or padded to `[160, 160, 160]` (preset `default`)."""
    return _centre_cube(_scan(volume).normalised_2mm, CUBE)


def local_path(volume: Volume | Scan) -> Array:
    """All anatomy at 2 mm, padded to a cube and resized to `[160, 160, 160]`; scale is lost (`local_path`)."""
    array = _scan(volume).normalised_2mm
    return _resize_cube(_pad_to(array, max(array.shape)), CUBE, align_corners=False)


def slice_indices(volume: Volume | Scan, step: int = 1) -> range:
    """Every `step`-th axial slice of the volume in LPS order, centred in the stack.

    With step 20 the first is slice 10, so that the ends, which often hold little anatomy, are not over-represented.
    """
    return slice_range(_scan(volume).oriented.GetSize()[2], step)


def slice_range(count: int, step: int) -> range:
    """The indices that `slice_indices` gives for a stack of `count` slices."""
    if step < 1:
        raise PreprocessError(f"a slice step must be 1 or more, not {step}")
    return range(min((step - 1) // 2, count // 2), count, step)


def axial_slice(volume: Volume | Scan, index: int) -> PlacedSlice:
    """One axial slice of the volume in LPS order, padded to a square and resized to `[512, 512]` (preset `slice`)."""
    import torch
    import torch.nn.functional as F

    scan = _scan(volume)
    mean, std = scan.statistics
    pixels = _standardised(sitk.GetArrayViewFromImage(scan.oriented)[index], scan.statistics)
    square = _pad_square(pixels, (HU_LOW - mean) / std)
    resized = F.interpolate(
        torch.from_numpy(square)[None, None], size=(SLICE, SLICE), mode="bilinear", align_corners=False
    )
    height = scan.oriented.TransformIndexToPhysicalPoint((0, 0, index))[2]
    return PlacedSlice(index, float(height), resized[0, 0].numpy())


def slice_stack(volume: Volume | Scan, step: int = 1) -> Iterator[PlacedSlice]:
    """Every `step`-th axial slice in order (preset `slice`)."""
    scan = _scan(volume)
    return (axial_slice(scan, index) for index in slice_indices(scan, step))


def lesion_seed(volume: Volume | Scan, seed_lps: tuple[float, float, float], side_mm: float = 64.0) -> Array:
    """A cube of `side_mm` around a seed in LPS mm, resized to `[160, 160, 160]` (preset `lesion_seed`).

    Only the voxels round the cube are normalised and resampled, by the statistics of the whole scan.

    Raises:
        PreprocessError: if the seed lies outside the scan.
    """
    least, most = LESION_SEED_SIDES_MM
    if not least <= side_mm <= most:
        raise PreprocessError(
            f"a lesion crop of {side_mm:g} mm is impossible: use {least:g} to {most:g} mm (published: 32 and 64)"
        )
    scan = _scan(volume)
    index = scan.volume.index_of(seed_lps)
    if not np.all((index > -1.0) & (index < np.array(scan.volume.shape))):
        place = ", ".join(f"{v:.1f}" for v in seed_lps)
        raise PreprocessError(f"the seed ({place}) mm lies outside the scan: give it in LPS (not RAS) millimetres")
    start, side = seed_cube(scan, seed_lps, side_mm)
    return _resize_cube(_crop_resampled(scan.oriented, scan.statistics, start, side), CUBE, align_corners=False)


def seed_cube(scan: Scan, seed_lps: tuple[float, float, float], side_mm: float) -> tuple[list[int], int]:
    """First index (x, y, z) and edge of the crop of `lesion_seed` on the 1 mm grid, which starts at the first voxel."""
    oriented = scan.oriented
    offset = np.array(oriented.TransformPhysicalPointToContinuousIndex([float(v) for v in seed_lps]))
    side = round(side_mm / LESION_SEED_SPACING_MM)
    centre = offset * oriented.GetSpacing() / LESION_SEED_SPACING_MM
    return [round(c) - side // 2 for c in centre], side


def lesion_mask(volume: Volume | Scan, mask: Volume, scale: float = 1.5) -> Array:
    """A cube of `scale` times the lesion's largest side around its centroid, `[160, 160, 160]` (`lesion_mask`).

    Raises:
        PreprocessError: if the mask lies on another grid or is empty (also when it vanishes at 2 mm).
    """
    if not np.isfinite(scale) or scale <= 0:
        raise PreprocessError(f"a lesion crop scale must be above 0 (published: 1.5 and 2.0), not {scale}")
    scan = _scan(volume)
    if not scan.volume.same_grid(mask):
        raise PreprocessError(
            f"the mask grid {mask.shape} is not that of the scan {scan.volume.shape}: resample the mask"
        )
    if not np.any(mask.array):
        raise PreprocessError("the mask has no voxels: draw the lesion or leave the mask cell empty")
    array = scan.normalised_2mm
    box = lesion_box(np.argwhere(mask_at(mask, SPACING_MM)), array.shape, scale)
    return _resize_cube(array[box], CUBE, align_corners=True)


def lesion_box(lesion: NDArray[np.integer], shape: tuple[int, ...], scale: float) -> tuple[slice, ...]:
    """The crop of `lesion_mask` on the 2 mm grid of `shape` (z, y, x), for the lesion's voxels `[n, 3]` there.

    Raises:
        PreprocessError: if the lesion has no voxel at 2 mm.
    """
    if len(lesion) == 0:
        raise PreprocessError("the lesion is smaller than a 2 mm voxel: use the preset lesion_seed")
    side = max(1, round(scale * int((np.ptp(lesion, axis=0) + 1).max())))
    start = [round(c - side / 2) for c in lesion.mean(axis=0)]
    return tuple(slice(max(0, s), min(n, s + side)) for s, n in zip(start, shape, strict=True))


def mask_at(mask: Volume, spacing_mm: float) -> NDArray[np.uint8]:
    """A mask in LPS order at `spacing_mm`, nearest voxels, 0 and 1, `[z, y, x]`."""
    binary = Volume((mask.array != 0).astype(np.uint8), mask.spacing, mask.origin, mask.direction)
    resampled = resample(in_lps_order(binary).to_sitk(), spacing_mm, sitk.sitkNearestNeighbor, outside=0.0)
    return np.asarray(sitk.GetArrayFromImage(resampled), dtype=np.uint8)


def in_lps_order(volume: Volume) -> Volume:
    """The volume with its axes turned and flipped to LPS, without a copy; oblique ones to the nearest, as ITK does."""
    along = np.abs(volume.direction).argmax(axis=0)  # of each index, the patient's axis
    if not np.array_equal(np.abs(volume.direction), np.eye(3)[:, along]):
        return Volume.from_sitk(sitk.DICOMOrient(volume.to_sitk(), "LPS"))
    flipped = volume.direction[along, range(3)] < 0
    corner = np.where(flipped, np.array(volume.shape[::-1]) - 1, 0)
    origin_x, origin_y, origin_z = volume.lps_of(corner[::-1].astype(np.float64)).tolist()
    x, y, z = np.argsort(along).tolist()
    array = volume.array[tuple(slice(None, None, -1 if flip else 1) for flip in flipped[::-1])]
    spacing = (volume.spacing[x], volume.spacing[y], volume.spacing[z])
    return Volume(array.transpose(2 - z, 2 - y, 2 - x), spacing, (origin_x, origin_y, origin_z), np.eye(3))


def _scan(volume: Volume | Scan) -> Scan:
    return volume if isinstance(volume, Scan) else Scan(volume)


def _array(image: sitk.Image) -> Array:
    return np.asarray(sitk.GetArrayFromImage(image), dtype=np.float32)


def resample(
    image: sitk.Image,
    spacing: float,
    interpolator: int = sitk.sitkLinear,
    outside: float = HU_LOW,
    pixel_type: int = sitk.sitkUnknown,
) -> sitk.Image:
    """The image on a grid of `spacing` mm from the same first voxel; `outside` HU where there was none.

    Voxels become `pixel_type`, or stay of the kind they are.

    Raises:
        PreprocessError: if the result would have more than 2^30 voxels.
    """
    size = resampled_size(image, spacing)
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
        pixel_type,
    )


def resampled_size(image: sitk.Image, spacing: float) -> list[int]:
    """Voxels along x, y and z of the image at `spacing` mm."""
    return [max(1, round(n * s / spacing)) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]


def _crop_resampled(image: sitk.Image, statistics: tuple[float, float], start: list[int], side: int) -> Array:
    """The normalised cube from index `start` (x, y, z) of the image at 1 mm, zero where the image at 1 mm ends.

    Only the voxels that the cube needs are touched: the whole scan at 1 mm can be a hundred times as large.
    """
    ends = resampled_size(image, LESION_SEED_SPACING_MM)
    low = [max(0, s) for s in start]
    size = [min(end, s + side) - a for a, s, end in zip(low, start, ends, strict=True)]
    out = np.zeros((side,) * 3, dtype=np.float32)
    if min(size) < 1:
        return out
    step = np.array(image.GetDirection()).reshape(3, 3) * LESION_SEED_SPACING_MM
    origin = np.array(image.GetOrigin()) + step @ np.array(low, dtype=np.float64)
    part = sitk.Resample(
        _normalised_box(image, statistics, low, size),
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


def _normalised_box(image: sitk.Image, statistics: tuple[float, float], low: list[int], size: list[int]) -> sitk.Image:
    """The image, normalised round `size` steps of 1 mm from step `low`, with a margin for the interpolation.

    It keeps its grid: on a smaller one the interpolation would round differently.
    """
    spacing = np.array(image.GetSpacing())
    first = np.floor(np.array(low) * LESION_SEED_SPACING_MM / spacing).astype(int) - 2
    last = np.ceil((np.array(low) + np.array(size)) * LESION_SEED_SPACING_MM / spacing).astype(int) + 2
    first, last = np.clip(first, 0, None), np.minimum(last, np.array(image.GetSize()) - 1)
    first = np.minimum(first, last)
    x, y, z = (slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
    voxels = sitk.GetArrayViewFromImage(image)
    normalised = np.zeros(voxels.shape, dtype=np.float32)
    normalised[z, y, x] = _standardised(voxels[z, y, x], statistics)
    box = sitk.GetImageFromArray(normalised)
    box.CopyInformation(image)
    return box


def _statistics(array: NDArray[np.generic]) -> tuple[float, float]:
    """Mean and sample standard deviation of the clipped voxels (1 for a flat volume, which is then only centred).

    Whole numbers are counted by value, which is exact and needs no copy of the scan in float64.
    """
    if array.dtype == np.int16:
        voxels = np.ascontiguousarray(array).view(np.uint16).ravel()
        counts = np.zeros(1 << 16, dtype=np.int64)
        for start in range(0, len(voxels), COUNTED_AT_ONCE):
            counts += np.bincount(voxels[start : start + COUNTED_AT_ONCE], minlength=len(counts))
        values = np.clip(np.arange(len(counts), dtype=np.uint16).view(np.int16), HU_LOW, HU_HIGH).astype(np.float64)
        mean = float(values @ counts / array.size)
        std = float(np.sqrt(counts @ (values - mean) ** 2 / (array.size - 1))) if array.size > 1 else 0.0
        return mean, std if std >= FLAT_STD else 1.0
    clipped = np.clip(np.asarray(array, dtype=np.float32), HU_LOW, HU_HIGH)
    if not np.isfinite(clipped).all():
        raise PreprocessError("the scan holds NaN or infinite voxels: repair or leave out this scan")
    std = float(clipped.std(ddof=1, dtype=np.float64)) if clipped.size > 1 else 0.0
    return float(clipped.mean(dtype=np.float64)), std if std >= FLAT_STD else 1.0


def _standardised(array: NDArray[np.generic], statistics: tuple[float, float]) -> Array:
    mean, std = statistics
    clipped = np.clip(np.asarray(array, dtype=np.float32), HU_LOW, HU_HIGH)
    return np.asarray((clipped - mean) / std, dtype=np.float32)


def _normalise(array: Array) -> Array:
    return _standardised(array, _statistics(array))


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
    import torch
    import torch.nn.functional as F

    tensor = torch.from_numpy(np.ascontiguousarray(array))[None, None]
    size = (side,) * 3
    return F.interpolate(tensor, size=size, mode="trilinear", align_corners=align_corners)[0, 0].numpy()
