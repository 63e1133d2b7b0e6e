"""Slices in files of their own, decoded to HU by GDCM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.imaging.image_header import ImageError


def read_slices(path: Path, files: Sequence[Path], as_float: bool = False) -> NDArray[np.generic]:
    """The slices `[n, rows, columns]` in HU; GDCM applies slope and intercept of each.

    Args:
        path: the folder, which errors name.
        as_float: needed where slices differ in slope and intercept; else all get the first slice's integer type.

    Raises:
        ImageError: a slice that cannot be decoded.
    """
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([str(file) for file in files])
    if as_float:
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        raise ImageError(path, "has a slice whose pixels cannot be decoded: export the series again") from error
