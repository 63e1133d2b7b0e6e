"""The voxels of a scan as the presets need them: in LPS order, resampled, clipped and normalised.

Source: arXiv 2605.21906, preprocessing of the phenotype and slice experiments. Arrays are `[z, y, x]` in LPS order;
normalised ones are float32 in units of standard deviations.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flexict.errors import FlexiCTError
from flexict.volume import Volume

Array = NDArray[np.float32]
Voxel = TypeVar("Voxel", bound=np.generic)

HU_LOW, HU_HIGH = -1000.0, 1000.0
SPACING_MM = 2.0
FINE_SPACING_MM = 1.0
FLAT_STD = 1e-6
MAX_RESAMPLED_VOXELS = 2**30
COUNTED_AT_ONCE = 2**22


class PreprocessError(FlexiCTError):
    """An image that a preset cannot use; the message says why and what to do."""


class Scan:
    """A CT with what several presets need of it, each computed once, at first use."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume

    @cached_property
    def oriented(self) -> sitk.Image:
        """The CT in LPS order, with its own voxel type."""
        return in_lps_order(self.volume).to_sitk()

    @property
    def n_slices(self) -> int:
        """Number of axial slices in LPS order."""
        return int(self.oriented.GetSize()[2])

    @cached_property
    def normalised_2mm(self) -> Array:
        """The whole CT at 2 mm, clipped and normalised, `[z, y, x]`."""
        resampled = resample(self.oriented, SPACING_MM, pixel_type=sitk.sitkFloat32)
        array = np.asarray(sitk.GetArrayFromImage(resampled), dtype=np.float32)
        return standardised(array, clipped_statistics(array))

    @cached_property
    def statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of the clipped voxels at their own spacing, HU."""
        return clipped_statistics(self.volume.array)

    def slice_height_mm(self, index: int) -> float:
        """LPS z of the first voxel of an axial slice."""
        return float(self.oriented.TransformIndexToPhysicalPoint((0, 0, index))[2])


def slice_range(n_slices: int, step: int = 1) -> range:
    """Every `step`-th slice of a stack, centred in it.

    With step 20 the first is slice 10, so that the ends, which often hold little anatomy, are not over-represented.

    Raises:
        PreprocessError: if the step is below 1.

    >>> list(slice_range(50, step=20))
    [9, 29, 49]
    """
    if step < 1:
        raise PreprocessError(f"a slice step must be 1 or more, not {step}")
    return range(min((step - 1) // 2, n_slices // 2), n_slices, step)


def cut(array: NDArray[Voxel], first: Sequence[int], counts: Sequence[int], fill: float) -> NDArray[Voxel]:
    """The box of `counts` voxels from index `first`, which may be negative; `fill` where the array ends.

    >>> cut(np.array([1, 2, 3]), [-1], [3], fill=0).tolist()
    [0, 1, 2]
    """
    out = np.full(tuple(counts), fill, dtype=array.dtype)
    low = [max(0, start) for start in first]
    high = [max(a, min(n, start + count)) for a, n, start, count in zip(low, array.shape, first, counts, strict=True)]
    into = tuple(slice(a - start, b - start) for a, b, start in zip(low, high, first, strict=True))
    out[into] = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return out


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


def resample(
    image: sitk.Image,
    spacing: float,
    interpolator: int = sitk.sitkLinear,
    outside: float = HU_LOW,
    pixel_type: int = sitk.sitkUnknown,
) -> sitk.Image:
    """The image on a grid of `spacing` mm from the same first voxel; `outside` HU where the image ends.

    Voxels become `pixel_type`, or keep their type.

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


def cut_at_1mm(scan: Scan, first: Sequence[int], counts: Sequence[int]) -> Array:
    """The normalised box from index `first` (z, y, x) of the scan at 1 mm; zero where the scan at 1 mm ends.

    The statistics are those of the whole scan at its own spacing. Only the voxels that the box needs are computed: the
    whole scan at 1 mm can be a hundred times as large.
    """
    image = scan.oriented
    ends = resampled_size(image, FINE_SPACING_MM)
    low = [max(0, start) for start in first[::-1]]
    high = [min(end, start + n) for end, start, n in zip(ends, first[::-1], counts[::-1], strict=True)]
    size = [b - a for a, b in zip(low, high, strict=True)]
    if min(size) < 1:
        return np.zeros(tuple(counts), dtype=np.float32)
    step = np.array(image.GetDirection()).reshape(3, 3) * FINE_SPACING_MM
    origin = np.array(image.GetOrigin()) + step @ np.array(low, dtype=np.float64)
    part = sitk.Resample(
        _normalised_box(image, scan.statistics, low, size),
        size,
        sitk.Transform(),
        sitk.sitkLinear,
        origin.tolist(),
        [FINE_SPACING_MM] * 3,
        image.GetDirection(),
        0.0,
    )
    offset = [start - a for a, start in zip(low[::-1], first, strict=True)]
    return cut(np.asarray(sitk.GetArrayViewFromImage(part), dtype=np.float32), offset, counts, fill=0.0)


def _normalised_box(image: sitk.Image, statistics: tuple[float, float], low: list[int], size: list[int]) -> sitk.Image:
    """The image, normalised round `size` steps of 1 mm from step `low`, with a margin for the interpolation.

    It keeps its grid: on a smaller one the interpolation would round differently.
    """
    spacing = np.array(image.GetSpacing())
    first = np.floor(np.array(low) * FINE_SPACING_MM / spacing).astype(int) - 2
    last = np.ceil((np.array(low) + np.array(size)) * FINE_SPACING_MM / spacing).astype(int) + 2
    first, last = np.clip(first, 0, None), np.minimum(last, np.array(image.GetSize()) - 1)
    first = np.minimum(first, last)
    x, y, z = (slice(int(a), int(b) + 1) for a, b in zip(first, last, strict=True))
    voxels = sitk.GetArrayViewFromImage(image)
    normalised = np.zeros(voxels.shape, dtype=np.float32)
    normalised[z, y, x] = standardised(voxels[z, y, x], statistics)
    box = sitk.GetImageFromArray(normalised)
    box.CopyInformation(image)
    return box


def clipped_statistics(array: NDArray[np.generic]) -> tuple[float, float]:
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
        raise PreprocessError("the scan contains NaN or infinite voxels: repair it or leave it out")
    std = float(clipped.std(ddof=1, dtype=np.float64)) if clipped.size > 1 else 0.0
    return float(clipped.mean(dtype=np.float64)), std if std >= FLAT_STD else 1.0


def standardised(array: NDArray[np.generic], statistics: tuple[float, float]) -> Array:
    """HU clipped, minus the mean and over the standard deviation of `clipped_statistics`."""
    mean, std = statistics
    clipped = np.clip(np.asarray(array, dtype=np.float32), HU_LOW, HU_HIGH)
    return np.asarray((clipped - mean) / std, dtype=np.float32)
