"""The header of an image file, and whether it is plausible, before any voxel is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.imaging.uneven_slices import UnevenSlices
from flexict.errors import FlexiCTError
from flexict.volume import Volume

Geometry = tuple[tuple[float, float, float], tuple[float, float, float], NDArray[np.float64]]
"""Spacing in mm, origin in LPS mm, direction `[3, 3]`."""
MOST_VOXELS = 2**31
WIDEST_SPACING_MM = 20.0
_MOST_SKEW, _LEAST_SKEW = 0.02, 1e-4  # of a unit axis from the nearest square one: 2.3 degrees of shear; rounding
# Deflate cannot shrink data by more than this (zlib documentation, "Maximum Compression Factor").
MOST_COMPRESSION = 1032


class ImageError(FlexiCTError):
    """A file that cannot be used as an image; the message is one sentence that says what to do."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path.parent.name}/{path.name} {what}".lstrip("/"))


@dataclass(frozen=True)
class ScannerSettings:
    """Scanner and reconstruction by DICOM; None where it states nothing, or something impossible."""

    slice_thickness_mm: float | None = None
    manufacturer: str | None = None
    scanner_model: str | None = None
    kernel: str | None = None
    kvp: float | None = None


@dataclass(frozen=True)
class ImageHeader:
    """The grid that a file declares.

    Attributes:
        shape_zyx: voxels along z, y, x.
        spacing: mm along the index x, y, z.
        kind: `NIfTI`, `NRRD`, `MetaImage` or `DICOM`.
        origin: LPS mm of the first voxel.
        direction: `[3, 3]`, columns are the LPS directions of the index axes.
        notes: what users should know, such as series of a DICOM folder that were left out.
        scanner: from DICOM; other formats state nothing.
        uneven: the acquired slices of a DICOM series that is resampled to this grid; None for others.
    """

    shape_zyx: tuple[int, int, int]
    spacing: tuple[float, float, float]
    kind: str
    origin: tuple[float, float, float]
    direction: NDArray[np.float64] = field(repr=False)
    notes: tuple[str, ...] = ()
    scanner: ScannerSettings = field(default_factory=ScannerSettings)
    uneven: UnevenSlices | None = None

    def grid(self) -> Volume:
        """A volume of zeros on this grid that needs no memory, to compare grids with `Volume.same_grid`."""
        zeros = np.broadcast_to(np.uint8(0), self.shape_zyx)
        return Volume(zeros, self.spacing, self.origin, self.direction)

    def describe(self) -> str:
        """Size and spacing in words: `92 x 92 x 80 voxels of 1 x 1 x 2.5 mm`."""
        sizes = " x ".join(str(n) for n in self.shape_zyx[::-1])
        return f"{sizes} voxels of {' x '.join(f'{mm:.4g}' for mm in self.spacing)} mm"


def checked_header(path: Path, header: ImageHeader) -> ImageHeader:
    """The header, once its size, spacing and axes are possible; axes slightly off square are squared, and noted.

    Raises:
        ImageError: too many voxels, a single slice, an impossible spacing, an invalid or sheared axis.
    """
    if min(header.shape_zyx) < 2:
        sizes = " x ".join(str(n) for n in header.shape_zyx[::-1])
        raise ImageError(path, f"is a single slice ({sizes} voxels), not a volume: give the whole scan")
    if int(np.prod(header.shape_zyx, dtype=object)) > MOST_VOXELS:
        raise ImageError(path, f"claims {header.describe()}, more than 2^31: its header is damaged, export it again")
    if not all(0.0 < mm <= WIDEST_SPACING_MM for mm in header.spacing):
        raise ImageError(
            path,
            f"has a voxel spacing of {' x '.join(f'{mm:.4g}' for mm in header.spacing)} mm, which must be "
            f"above 0 and at most {WIDEST_SPACING_MM:g}: correct its header or export it again",
        )
    axes = header.direction
    finite = np.isfinite(header.origin).all() and np.isfinite(axes).all()
    if not finite or np.abs(np.linalg.norm(axes, axis=0) - 1.0).max() > 1e-2:
        raise ImageError(path, "has invalid axis directions (NaN or zero length): export it again")
    square = nearest_square(axes)
    skew = float(np.abs(axes - square).max())
    if skew <= _LEAST_SKEW:
        return header
    cosines = np.abs(axes.T @ axes - np.eye(3)).max()
    degrees = float(np.degrees(np.arcsin(min(cosines, 1.0))))
    if skew > _MOST_SKEW:
        raise ImageError(
            path,
            f"has sheared axes (by {degrees:.1f} degrees, as after a gantry tilt): resample it to a rectangular grid",
        )
    note = f"its axes are {degrees:.1f} degrees off right angles: squared"
    return replace(header, direction=square, notes=(*header.notes, note) if degrees >= 0.1 else header.notes)


def nearest_square(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation, or mirrored rotation, that is nearest to three unit axes `[3, 3]` (polar decomposition)."""
    left, _, right = np.linalg.svd(axes)
    return np.asarray(left @ right)


def check_capacity(path: Path, n_voxels: int, voxel_bytes: int, stored_bytes: int, compressed: bool) -> None:
    """Refuse a header that claims more voxels than `stored_bytes` can contain, before memory is reserved.

    Raises:
        ImageError: the file is cut off, or its header is wrong.
    """
    claimed = n_voxels * voxel_bytes
    if claimed > stored_bytes * (MOST_COMPRESSION if compressed else 1):
        raise ImageError(
            path,
            f"is cut off or damaged: its header claims {claimed:,} bytes of voxels, more than the file can contain; "
            "copy or export it again",
        )


def geometry_of(reader: sitk.ImageFileReader) -> Geometry:
    """Spacing, origin and direction of the first three axes, from a reader that has read its header."""
    n = reader.GetDimension()
    direction = np.array(reader.GetDirection(), dtype=np.float64).reshape(n, n)[:3, :3]
    return triple(reader.GetSpacing()), triple(reader.GetOrigin()), direction


def volume_size(path: Path, sizes: Sequence[int]) -> tuple[int, int, int]:
    """The sizes along x, y and z of a file; further axes must be of size 1.

    Raises:
        ImageError: a 2D file, or several volumes.
    """
    if len(sizes) < 3:
        raise ImageError(path, "is a 2D picture, not a volume: give the whole scan")
    if max(sizes[3:], default=1) > 1:
        raise ImageError(path, f"is {len(sizes)}D ({' x '.join(map(str, sizes))}): save one 3D volume of it")
    x, y, z = sizes[:3]
    return x, y, z


def triple(values: Sequence[float]) -> tuple[float, float, float]:
    """The first three numbers, as plain floats."""
    x, y, z = (float(value) for value in values[:3])
    return x, y, z
