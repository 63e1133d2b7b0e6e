"""NRRD and MetaImage (.mha, .mhd) files, read by SimpleITK after a check of their text header."""

from __future__ import annotations

import re
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.imaging.image_header import (
    ImageError,
    ImageHeader,
    check_capacity,
    checked_header,
    geometry_of,
    volume_size,
)

_TEXT_HEADER_BYTES = 1 << 16
_AGAIN = "copy or export it again"
# ITK's NRRD reader has one error table per process: two threads with damaged files at once free the same memory,
# which ends the process.
_NRRD_ONE_AT_A_TIME = threading.Lock()
_NO_META = "is not a MetaImage: give a CT as NIfTI, NRRD, MHA or DICOM"


def inspect_nrrd_mha(path: Path, layered: bool = False) -> ImageHeader:
    """The header of a .nrrd, .mha or .mhd, without its voxels; `layered` allows several numbers per voxel.

    Raises:
        ImageError: another format, not 3D, several numbers per voxel, voxels in another folder, an impossible
            grid, or less in the file than the header claims.
    """
    kind = "NRRD" if path.name.lower().endswith(".nrrd") else "MetaImage"
    compressed, stored_bytes = _nrrd_storage(path) if kind == "NRRD" else _meta_storage(path)
    reader = _reader(path, kind)
    try:
        with _lock(kind):
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise ImageError(path, f"cannot be read as {kind}: {_AGAIN}") from error
    sizes = [int(n) for n in reader.GetSize()]
    x, y, z = volume_size(path, sizes)
    n_layers = reader.GetNumberOfComponents()
    if (n_layers > 1 and not layered) or reader.GetPixelID() == sitk.sitkUnknown:
        raise ImageError(path, "does not have one number per voxel: save the CT with one, in HU")
    spacing, origin, direction = geometry_of(reader)
    header = checked_header(path, ImageHeader((z, y, x), spacing, kind, origin, direction))
    voxel_bytes = sitk.Image([1, 1, 1], reader.GetPixelID()).GetSizeOfPixelComponent()
    check_capacity(path, x * y * z * n_layers, voxel_bytes, stored_bytes, compressed)
    return header


def read_nrrd_mha_voxels(path: Path, kind: str) -> NDArray[np.generic]:
    """The voxels `[z, y, x]` of a file that `inspect_nrrd_mha` accepted.

    Raises:
        ImageError: the file ends before its voxels do, or its compression is damaged.
    """
    array = sitk.GetArrayFromImage(_image(path, kind))
    return array.reshape(array.shape[-3:])  # without a fourth axis of size 1


def read_nrrd_layers(path: Path) -> NDArray[np.generic]:
    """The voxels `[z, y, x, layers]` of an NRRD that `inspect_nrrd_mha` accepted as `layered`. Raises the same."""
    image = _image(path, "NRRD")
    array = sitk.GetArrayFromImage(image)
    n_layers = image.GetNumberOfComponentsPerPixel()
    return array.reshape(*array.shape[-4 if n_layers > 1 else -3 :][:3], n_layers)


def _image(path: Path, kind: str) -> sitk.Image:
    try:
        with _lock(kind):
            return _reader(path, kind).Execute()
    except RuntimeError as error:
        raise ImageError(path, f"is cut off or damaged: {_AGAIN}") from error


def _reader(path: Path, kind: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO" if kind == "NRRD" else "MetaImageIO")
    return reader


def _lock(kind: str) -> AbstractContextManager[object]:
    return _NRRD_ONE_AT_A_TIME if kind == "NRRD" else nullcontext()


def _text_header(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_TEXT_HEADER_BYTES).decode("latin-1")


def _nrrd_storage(path: Path) -> tuple[bool, int]:
    """Whether the voxels are compressed (or text), and their bytes in the file."""
    text = _text_header(path)
    if not text.startswith("NRRD"):
        raise ImageError(path, "is not an NRRD image: give a CT as NIfTI, NRRD, MHA or DICOM")
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    if re.search(r"^data ?file\s*:", head, re.I | re.M):
        raise ImageError(path, "keeps its voxels in another file: save header and voxels as one .nrrd")
    encoding = re.search(r"^encoding\s*:\s*(\S+)", head, re.I | re.M)
    return encoding is None or encoding[1].lower() != "raw", path.stat().st_size


def _meta_storage(path: Path) -> tuple[bool, int]:
    """Whether the voxels are compressed (or text), and their bytes in the file."""
    voxels = voxel_file(path)
    head = _text_header(path).split("ElementDataFile")[0]
    fields = dict(re.findall(r"^(\w+)[ \t]*=[ \t]*(.*?)[ \t]*\r?$", head, re.M))
    if "DimSize" not in fields:
        raise ImageError(path, _NO_META)
    # ITK silently mirrors the axis of a negative spacing.
    if any(float(n) <= 0 for n in re.findall(r"-?\d+(?:\.\d+)?", fields.get("ElementSpacing", ""))):
        raise ImageError(path, f"has a voxel spacing of {fields['ElementSpacing']} mm: correct its header")
    text = fields.get("BinaryData", "").lower() != "true"
    return text or fields.get("CompressedData", "").lower() == "true", voxels.stat().st_size


def voxel_file(path: Path) -> Path:
    """The file with the voxels of a .mhd or .mha: itself, or another one in its folder.

    Raises:
        ImageError: not a MetaImage, or voxels that are missing, in another folder, or in many files.
    """
    where = re.search(r"^ElementDataFile[ \t]*=[ \t]*(.*?)[ \t]*\r?$", _text_header(path), re.M)
    if where is None:
        raise ImageError(path, _NO_META)
    if where[1].upper() == "LOCAL":
        return path
    if where[1].upper().startswith("LIST") or "%" in where[1]:
        raise ImageError(path, "spreads its voxels over many files: save them as one .mha")
    voxels = path.parent / where[1]
    if voxels.resolve().parent != path.resolve().parent:
        raise ImageError(path, "keeps its voxels in another folder: save header and voxels as one .mha")
    if not voxels.is_file():
        raise ImageError(path, f"lacks its voxel file {where[1]}: copy it beside the .mhd")
    return voxels
