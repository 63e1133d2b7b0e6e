"""CT files as `Volume`s in HU and LPS, and lesion masks on the same grid.

Reads NIfTI, NRRD and MetaImage files and folders of DICOM slices. Every file is checked first; a file that cannot be
used is an `ImageError`, one sentence that names the file and says what to do.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from embeddings.imaging.dicom.series import find_series, read_series_voxels
from embeddings.imaging.image_header import ImageError, ImageHeader
from embeddings.imaging.masks.dicom_mask import find_dicom_mask, is_dicom_mask
from embeddings.imaging.masks.slicer_segmentation import segments_of
from embeddings.imaging.masks.uneven_mask import LesionMask, drawn_on
from embeddings.imaging.masks.voxel_mask import VoxelMask
from embeddings.imaging.nifti import inspect_nifti, read_nifti_voxels
from embeddings.imaging.nrrd_mha import inspect_nrrd_mha, read_nrrd_layers, read_nrrd_mha_voxels, voxel_file
from embeddings.imaging.plausible_hu import AIR_HU, plausibility
from flexict.volume import Volume

__all__ = [
    "ImageError",
    "ImageHeader",
    "content_sha256",
    "inspect",
    "mask_on",
    "open_mask",
    "plausibility",
    "read_image",
    "read_mask",
    "read_noted_mask",
    "read_scan",
]

_NIFTI = (".nii", ".nii.gz")
EXTENSIONS = (*_NIFTI, ".nrrd", ".mha", ".mhd")
_EMPTY_MASK = "is a mask without voxels: draw the lesion, or leave the mask out"

# ITK writes its warnings past Python's streams; what matters is raised as ImageError here.
sitk.ProcessObject.SetGlobalWarningDisplay(False)


def inspect(path: Path) -> ImageHeader:
    """The header of the file, without reading voxels; a truncated .nii.gz is found only by `read_image`.

    Raises:
        ImageError: missing, not a volume, an impossible header, or a file shorter than its header claims.
    """
    if _is_dicom(path):
        return find_series(path).header
    _check_file(path)
    return inspect_nifti(path) if path.name.lower().endswith(_NIFTI) else inspect_nrrd_mha(path)


def read_image(path: Path) -> Volume:
    """The CT in HU: int16 where every value is a whole number that fits, else float32.

    Padding below -1024 HU becomes -1024. Slope and intercept of the file are applied.

    Raises:
        ImageError: what `inspect` raises, a cut-off file, NaN or infinite voxels, or all voxels equal.
    """
    return read_scan(path)[0]


def read_scan(path: Path) -> tuple[Volume, ImageHeader, str | None]:
    """The CT as `read_image` gives it, its header, and why its values may not be HU.

    Raises what `read_image` raises.
    """
    volume, header = _read(path)
    array = volume.array
    doubt = plausibility(volume)
    if float(array.min()) < AIR_HU:
        # np.maximum chooses a type for both the file's values and -1024.
        array = np.maximum(array, np.float32(AIR_HU) if array.dtype.kind == "f" else np.int16(AIR_HU))
    lowest, highest = float(array.min()), float(array.max())
    if lowest == highest:
        raise ImageError(path, f"is empty: every voxel is {lowest:g}; export the CT again")
    fits = np.iinfo(np.int16).min <= lowest and highest <= np.iinfo(np.int16).max
    whole = array.dtype.kind in "iu" or bool((array == np.rint(array)).all())
    array = array.astype(np.int16 if fits and whole else np.float32, copy=False)
    return Volume(array, volume.spacing, volume.origin, volume.direction), header, doubt


def read_mask(path: Path, reference: Volume, label: str | None = None, header: ImageHeader | None = None) -> Volume:
    """The lesion mask as uint8, 1 inside, on the grid of `reference`.

    Accepted are masks with one value beside 0, fractions from 0 to 1 (inside from 0.5), and masks of several labels of
    which `label` gives the lesion's by number or name; of DICOM, a SEG or RTSTRUCT file or a folder that contains one
    of them. A mask on another grid is resampled to that of the CT (see `mask_grid`).

    Args:
        header: of the CT, with the acquired slices if they are resampled; DICOM masks are drawn on those.

    Raises:
        ImageError: what `read_image` raises for a damaged file, a mask that lies outside the CT, no voxels, several
            labels, segments or ROIs without `label`, or none that matches it.
    """
    return read_noted_mask(path, reference, label, header)[0]


def read_noted_mask(
    path: Path, reference: Volume, label: str | None = None, header: ImageHeader | None = None
) -> tuple[Volume, tuple[str, ...]]:
    """The mask as `read_mask` gives it, and notes for users. Raises what `read_mask` raises."""
    return mask_on(open_mask(path, label), reference, header)


def mask_on(mask: LesionMask, reference: Volume, header: ImageHeader | None = None) -> tuple[Volume, tuple[str, ...]]:
    """An opened mask on the grid of its CT, and notes for users. Raises what `read_mask` raises."""
    inside, notes = drawn_on(mask, reference, None if header is None else header.uneven)
    if not inside.any():
        raise ImageError(mask.path, _EMPTY_MASK)
    return Volume(inside.view(np.uint8), reference.spacing, reference.origin, reference.direction), notes


def open_mask(path: Path, label: str | None = None) -> LesionMask:
    """A lesion mask from its header, to be checked against the grid of its CT or read onto it.

    Raises:
        ImageError: what `inspect` or `find_dicom_mask` raises.
    """
    if is_dicom_mask(path):
        return find_dicom_mask(path, label)
    segments = segments_of(path)
    if segments:
        _check_file(path)
        return VoxelMask(path, inspect_nrrd_mha(path, layered=True), label, lambda: read_nrrd_layers(path), segments)
    return VoxelMask(path, inspect(path), label, lambda: _read(path)[0].array)


def content_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, or a .mhd with its voxel file, of all names and contents."""
    if path.is_dir() or path.suffix.lower() == ".mhd":
        inside = path.iterdir() if path.is_dir() else {path, voxel_file(path)}
        files = sorted(f for f in inside if f.is_file() and not f.name.startswith("."))
        if files == [path]:  # a .mhd that contains its voxels
            return _file_sha256(path)
        lines = "".join(f"{_file_sha256(file)}  {file.name}\n" for file in files)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
    return _file_sha256(path)


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_dicom(path: Path) -> bool:
    """A folder of slices, or a file with a DICOM name, which may contain many frames."""
    return path.is_dir() or (path.is_file() and path.name.lower().endswith((".dcm", ".ima")))


def _check_file(path: Path) -> None:
    """Refuse files that are not images by name; the readers check the content."""
    if not path.exists():
        raise ImageError(path, "does not exist: correct the path")
    name = path.name.lower()
    if not path.is_file() or not name.endswith(EXTENSIONS):
        raise ImageError(path, f"is not a CT: give {', '.join(EXTENSIONS)} or a folder of DICOM slices")
    if path.stat().st_size == 0:
        raise ImageError(path, "is an empty file: copy or export it again")


def _read(path: Path) -> tuple[Volume, ImageHeader]:
    """The voxels of any file that passes its checks (floats are finite), and its header."""
    if _is_dicom(path):
        series = find_series(path)
        header, array = series.header, read_series_voxels(path, series)
    else:
        header = inspect(path)
        array = read_nifti_voxels(path) if header.kind == "NIfTI" else read_nrrd_mha_voxels(path, header.kind)
    if array.shape != header.shape_zyx:
        raise ImageError(
            path, f"contains {array.shape} voxels where its header says {header.shape_zyx}: export it again"
        )
    if array.dtype.kind == "f":
        n_bad = array.size - int(np.isfinite(array).sum())
        if n_bad:
            raise ImageError(path, f"has {n_bad:,} voxels that are NaN or infinite: export it again without them")
    return Volume(array, header.spacing, header.origin, header.direction), header
