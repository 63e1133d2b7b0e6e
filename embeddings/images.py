"""CT files of any usual kind as `Volume`s in HU and LPS; lesion masks on the same grid.

Read are NIfTI, NRRD and MetaImage files and folders of DICOM slices. A file is not believed until it is
checked: every refusal is an `ImageError`, one sentence that names the file and says what to do.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.dicom_mask import find_dicom_mask, is_dicom_mask
from embeddings.dicom_series import find_series, read_series_voxels
from embeddings.image_header import ImageError, ImageHeader
from embeddings.nifti import inspect_nifti, read_nifti_voxels
from embeddings.nrrd_mha import inspect_nrrd_mha, read_nrrd_mha_voxels, voxel_file
from embeddings.plausible_hu import AIR_HU, plausibility
from embeddings.uneven_mask import drawn_on
from flexict.volume import Volume

__all__ = [
    "ImageError",
    "ImageHeader",
    "content_sha256",
    "inspect",
    "plausibility",
    "read_image",
    "read_mask",
    "read_scan",
]

_NIFTI = (".nii", ".nii.gz")
EXTENSIONS = (*_NIFTI, ".nrrd", ".mha", ".mhd")
_EMPTY_MASK = "is a mask without voxels: draw the lesion, or leave the mask out"

# ITK prints its warnings past Python's own streams; what matters is raised as ImageError here.
sitk.ProcessObject.SetGlobalWarningDisplay(False)


def inspect(path: Path) -> ImageHeader:
    """What the file says of itself, without reading voxels; a cut-off .nii.gz shows only in `read_image`.

    Raises:
        ImageError: missing, not a volume, an impossible header, or less in the file than the header claims.
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
    """The CT as `read_image` gives it, the header that it was read by, and why its values may not be HU.

    Raises what `read_image` raises.
    """
    volume, header = _read(path)
    array = volume.array
    doubt = plausibility(volume)
    if float(array.min()) < AIR_HU:
        # np.maximum finds a type that holds both the file's values and -1024.
        array = np.maximum(array, np.float32(AIR_HU) if array.dtype.kind == "f" else np.int16(AIR_HU))
    lowest, highest = float(array.min()), float(array.max())
    if lowest == highest:
        raise ImageError(path, f"is empty: every voxel is {lowest:g}; export the CT again")
    fits = np.iinfo(np.int16).min <= lowest and highest <= np.iinfo(np.int16).max
    whole = array.dtype.kind in "iu" or bool((array == np.rint(array)).all())
    array = array.astype(np.int16 if fits and whole else np.float32, copy=False)
    return Volume(array, volume.spacing, volume.origin, volume.direction), header, doubt


def read_mask(path: Path, reference: Volume, header: ImageHeader | None = None) -> Volume:
    """The lesion mask as uint8, 1 inside, on the grid of `reference`.

    Accepted are masks with one value beside 0, and fractions from 0 to 1 (inside from 0.5); of DICOM, a SEG or
    RTSTRUCT file or a folder that holds one of them, whose frames or outlines are placed on the slices by position.

    Args:
        header: of the CT, which knows where slices were that are resampled; DICOM masks are drawn on those.

    Raises:
        ImageError: what `read_image` raises of a damaged file, another grid, no voxels, several labels, segments
            or ROIs.
    """
    if is_dicom_mask(path):
        drawn = drawn_on(find_dicom_mask(path), reference, None if header is None else header.uneven)
        if not drawn.any():
            raise ImageError(path, _EMPTY_MASK)
        return Volume(drawn.view(np.uint8), reference.spacing, reference.origin, reference.direction)
    volume, _ = _read(path)
    if not volume.same_grid(reference):
        raise ImageError(path, f"lies on another grid than its CT: {grid_difference(volume, reference)}; resample it")
    array = volume.array
    inside: NDArray[np.bool_]
    if array.dtype.kind == "f" and float(array.min()) >= 0 and float(array.max()) <= 1:
        inside = np.greater_equal(array, 0.5)
    else:
        inside = array != 0
        labels = np.unique(array[inside])
        if len(labels) > 1:
            shown = ", ".join(f"{label:g}" for label in labels[:4]) + (", ..." if len(labels) > 4 else "")
            raise ImageError(path, f"holds {len(labels)} labels ({shown}): save a mask of the lesion alone, 0 and 1")
    if not inside.any():
        raise ImageError(path, _EMPTY_MASK)
    return Volume(inside.astype(np.uint8), volume.spacing, volume.origin, volume.direction)


def content_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, or a .mhd with its voxel file, of all names and contents."""
    if path.is_dir() or path.suffix.lower() == ".mhd":
        inside = path.iterdir() if path.is_dir() else {path, voxel_file(path)}
        files = sorted(f for f in inside if f.is_file() and not f.name.startswith("."))
        if files == [path]:  # a .mhd that holds its own voxels
            return _file_sha256(path)
        lines = "".join(f"{_file_sha256(file)}  {file.name}\n" for file in files)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
    return _file_sha256(path)


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def grid_difference(first: ImageHeader | Volume, second: ImageHeader | Volume) -> str:
    """Both grids in words, down to the property in which they differ."""
    a, b = _grid_words(first), _grid_words(second)
    if a != b:
        return f"{a} against {b}"
    origins = [" / ".join(f"{mm:.1f}" for mm in grid.origin) for grid in (first, second)]
    if origins[0] != origins[1]:
        return f"both are {a}, but start at {origins[0]} and {origins[1]} mm"
    return f"both are {a}, but their axes point in different directions"


def _grid_words(grid: ImageHeader | Volume) -> str:
    shape = grid.shape if isinstance(grid, Volume) else grid.shape_zyx
    return ImageHeader(shape, grid.spacing, "", grid.origin, grid.direction).describe()


def _is_dicom(path: Path) -> bool:
    """A folder of slices, or a file that is called like one and may hold many frames."""
    return path.is_dir() or (path.is_file() and path.name.lower().endswith((".dcm", ".ima")))


def _check_file(path: Path) -> None:
    """Refuse what cannot be an image by name; the content is checked by the readers."""
    if not path.exists():
        raise ImageError(path, "does not exist: correct the path")
    name = path.name.lower()
    if not path.is_file() or not name.endswith(EXTENSIONS):
        raise ImageError(path, f"is not a CT: give {', '.join(EXTENSIONS)} or a folder of DICOM slices")
    if path.stat().st_size == 0:
        raise ImageError(path, "is an empty file: copy or export it again")


def _read(path: Path) -> tuple[Volume, ImageHeader]:
    """Voxels of any file that passes its checks (floats are finite), and its header."""
    if _is_dicom(path):
        series = find_series(path)
        header, array = series.header, read_series_voxels(path, series)
    else:
        header = inspect(path)
        array = read_nifti_voxels(path) if header.kind == "NIfTI" else read_nrrd_mha_voxels(path, header.kind)
    if array.shape != header.shape_zyx:
        raise ImageError(path, f"holds {array.shape} voxels where its header says {header.shape_zyx}: export it again")
    if array.dtype.kind == "f":
        n_bad = array.size - int(np.isfinite(array).sum())
        if n_bad:
            raise ImageError(path, f"has {n_bad:,} voxels that are NaN or infinite: export it again without them")
    return Volume(array, header.spacing, header.origin, header.direction), header
