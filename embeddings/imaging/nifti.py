"""NIfTI files: the header is checked before it is used, and the voxels are checked to be complete.

SimpleITK silently fills a truncated NIfTI with arbitrary memory, so the voxels are read here (inflated to the end,
which also checks gzip's checksum, by ISA-L, which takes half the time of zlib); the geometry is SimpleITK's unless the
sform differs.
"""

from __future__ import annotations

import threading
from itertools import product
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from isal import igzip, isal_zlib
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from embeddings.imaging.image_header import (
    MOST_VOXELS,
    WIDEST_SPACING_MM,
    Geometry,
    ImageError,
    ImageHeader,
    check_capacity,
    checked_header,
    geometry_of,
    triple,
    volume_size,
)

_HEADER_BYTES = {348: (nib.Nifti1Header, b"n+1\0", 344), 540: (nib.Nifti2Header, b"n+2\0", 4)}
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # xyzt_units & 7: unknown, m, mm, micron
_SAME_PLACE_MM = 0.01  # float32 rounds coordinates
_QFORM = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
_LEAST_PIXDIM = 1e-6  # ITK treats anything smaller as 1
_AGAIN = "copy or export it again"
_DAMAGED_GZIP: tuple[Any, ...] = (EOFError, isal_zlib.error, igzip.BadGzipFile)
_INFLATED_AT_ONCE = 1 << 22
# ITK keeps the name of the last NIfTI in a static string, which two threads that read headers at once free twice.
_ONE_AT_A_TIME = threading.Lock()


def inspect_nifti(path: Path) -> ImageHeader:
    """The header of a .nii or .nii.gz, without its voxels.

    Raises:
        ImageError: not NIfTI, not 3D, colour or complex voxels, an impossible grid; cut off, if uncompressed.
    """
    header = _raw_header(path)
    shape = _shape_xyz(path, header)
    (spacing, origin, direction), notes = _geometry(path, header)
    x, y, z = shape
    found = ImageHeader((z, y, x), spacing, "NIfTI", origin, direction, notes)
    return checked_header(path, found)


def read_nifti_voxels(path: Path) -> NDArray[np.generic]:
    """The voxels `[z, y, x]` with slope and intercept applied, of a file that `inspect_nifti` accepted.

    Raises:
        ImageError: the file ends before its voxels do, or its compression is damaged.
    """
    header = _raw_header(path)
    shape = _shape_xyz(path, header)
    dtype = header.get_data_dtype()
    start, n_bytes = int(header["vox_offset"]), int(np.prod(shape)) * dtype.itemsize
    raw = _content(path, start + n_bytes)
    if len(raw) < start + n_bytes:
        share = max(len(raw) - start, 0) / n_bytes
        raise ImageError(path, f"is cut off: only {share:.0%} of its voxels are present; {_AGAIN}")
    stored = np.frombuffer(raw, dtype=dtype, count=int(np.prod(shape)), offset=start).reshape(shape[::-1])
    stored = stored.astype(dtype.newbyteorder("="), copy=False)
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise ImageError(path, f"has an intercept of {float(header['scl_inter']):g} in its header: {_AGAIN}") from error
    if np.isinf(header["scl_slope"]):  # nibabel ignores it, as it does NaN and 0
        raise ImageError(path, f"has a slope of {float(header['scl_slope']):g} in its header: {_AGAIN}")
    if slope is None or (slope == 1.0 and intercept == 0.0):
        return stored
    with np.errstate(over="ignore"):  # infinite voxels are refused later
        return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _raw_header(path: Path) -> nib.Nifti1Header:
    try:
        with (igzip.open if _is_gzip(path) else open)(path, "rb") as file:
            raw = file.read(540)
    except _DAMAGED_GZIP as error:
        raise ImageError(path, f"is not a readable gzip file: {_AGAIN}") from error
    for size, (header_class, magic, magic_at) in _HEADER_BYTES.items():
        sizes = {size.to_bytes(4, order) for order in ("little", "big")}
        if len(raw) >= size and raw[:4] in sizes and raw[magic_at : magic_at + 4] == magic:
            return header_class(raw[:size], check=False)
    raise ImageError(path, "is not a NIfTI image (its header is missing): give a CT as NIfTI, NRRD, MHA or DICOM")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _shape_xyz(path: Path, header: nib.Nifti1Header) -> tuple[int, int, int]:
    n_dims = int(header["dim"][0])
    sizes = [int(n) for n in header["dim"][1 : n_dims + 1]] if 1 <= n_dims <= 7 else []
    if not sizes or min(sizes) < 1:
        raise ImageError(path, f"has impossible dimensions in its header: {_AGAIN}")
    x, y, z = volume_size(path, sizes)
    n_voxels = x * y * z
    if n_voxels > MOST_VOXELS:
        raise ImageError(path, f"claims {x} x {y} x {z} voxels, more than 2^31: its header is damaged, {_AGAIN}")
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise ImageError(path, f"has an unknown voxel type: {_AGAIN}") from error
    if dtype.kind not in "iuf":
        raise ImageError(path, "has colour or complex voxels: save the CT with one number per voxel, in HU")
    start = float(header["vox_offset"])
    if not 0 <= start <= 2**31:
        raise ImageError(path, f"has a damaged header (voxel offset {start:g}): {_AGAIN}")
    compressed = _is_gzip(path)
    check_capacity(path, n_voxels, dtype.itemsize, path.stat().st_size - (0 if compressed else int(start)), compressed)
    return x, y, z


def _content(path: Path, n_bytes: int) -> NDArray[np.uint8]:
    """The first `n_bytes` of the (inflated) file; gzip is read to its end, where its checksum is."""
    content = np.empty(n_bytes, dtype=np.uint8)
    into, n_read = memoryview(content.data), 0
    try:
        with (igzip.open if _is_gzip(path) else open)(path, "rb") as file:
            while n_read < n_bytes and (n_new := file.readinto(into[n_read : n_read + _INFLATED_AT_ONCE])):
                n_read += n_new
            if isinstance(file, igzip.IGzipFile):
                while file.read(_INFLATED_AT_ONCE):
                    pass
    except _DAMAGED_GZIP as error:
        raise ImageError(path, f"is cut off or damaged inside its gzip compression: {_AGAIN}") from error
    return content[:n_read]


def _geometry(path: Path, header: nib.Nifti1Header) -> tuple[Geometry, tuple[str, ...]]:
    """Spacing, origin and direction in LPS, and notes: the sform where its code is set, as in nibabel.

    ITK's geometry is kept where it agrees, and where there is no sform.
    """
    pixdim = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    mm = pixdim * _mm_per_unit(header)
    if not (np.isfinite(pixdim).all() and (pixdim > _LEAST_PIXDIM).all() and (mm <= WIDEST_SPACING_MM).all()):
        raise ImageError(path, f"has a voxel spacing of {pixdim.tolist()} mm: correct its header or export it again")
    qform = [float(header[name]) for name in _QFORM]
    for code, values in (("sform_code", header.get_sform()), ("qform_code", qform)):
        if int(header[code]) > 0 and not np.isfinite(values).all():
            raise ImageError(path, f"has a position in space that is not finite: {_AGAIN}")
    by_itk = _geometry_by_itk(path)
    if int(header["sform_code"]) <= 0 and by_itk is not None:
        return by_itk, ()
    affine = _lps_mm(header, header.get_best_affine())
    lengths = np.linalg.norm(affine[:, :3], axis=0)
    if not (lengths > 0).all():
        if by_itk is not None:
            return by_itk, ("its sform is damaged (an axis of zero length): the qform is used",)
        raise ImageError(path, f"has an axis of zero length in its header: {_AGAIN}")
    notes: tuple[str, ...] = ()
    if int(header["qform_code"]) > 0:
        apart = _farthest_mm(header, affine, _lps_mm(header, header.get_qform()))
        if apart > min(lengths) / 2:
            notes = (f"its sform and qform place it up to {apart:.4g} mm apart: the sform is used",)
    if by_itk is not None:
        spacing, origin, direction = by_itk
        itk_affine = np.column_stack([direction * spacing, origin])
        if _farthest_mm(header, affine, itk_affine) <= _SAME_PLACE_MM:
            return by_itk, notes
    return (triple(lengths.tolist()), triple(affine[:, 3].tolist()), affine[:, :3] / lengths), notes


def _geometry_by_itk(path: Path) -> Geometry | None:
    """None where ITK refuses axes that are not square."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NiftiImageIO")
    try:
        with _ONE_AT_A_TIME:
            reader.ReadImageInformation()
    except RuntimeError as error:
        if "orthonormal" not in str(error):
            raise ImageError(path, f"cannot be read as NIfTI: {_AGAIN}") from error
        return None
    return geometry_of(reader)


def _lps_mm(header: nib.Nifti1Header, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """An affine of the header as `[3, 4]`: voxel index (x, y, z, 1) to LPS mm."""
    return np.asarray(np.diag([-1.0, -1.0, 1.0]) @ (affine[:3] * _mm_per_unit(header)))


def _mm_per_unit(header: nib.Nifti1Header) -> float:
    return _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)


def _farthest_mm(header: nib.Nifti1Header, first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The largest distance in mm between the positions of a corner voxel by two affines `[3, 4]`."""
    last = np.asarray(header["dim"][1:4], dtype=np.float64) - 1
    corners = np.array([(*(last * at), 1.0) for at in product((0, 1), repeat=3)])
    return float(np.linalg.norm(corners @ (first - second).T, axis=1).max())
