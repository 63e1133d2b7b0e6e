"""Padding outside the field of view, as DICOM declares it (PS3.3 C.7.5.1.1.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import BytesLengthException
from scipy import ndimage

from embeddings.imaging.plausible_hu import AIR_HU, HIGHEST_CT_NUMBER

TAGS = ("PixelPaddingValue", "PixelPaddingRangeLimit", "PixelRepresentation", "BitsStored")

Padding = tuple[float, float]
"""Lowest and highest HU that mean padding, widened by half a stored step."""


def padding_of(tags: pydicom.Dataset, rescale: tuple[float, float]) -> Padding | None:
    """The padding that a slice or frame of this slope and intercept declares; None where it declares none.

    Bits above BitsStored are ignored, as the decoders ignore them.
    """
    try:
        ends = [int(tags[name].value) for name in TAGS[:2] if tags.get(name) is not None]
        bits = int(tags.get("BitsStored") or tags.get("BitsAllocated") or 16)
        signed = int(tags.get("PixelRepresentation") or 0) == 1
    except (TypeError, ValueError, ArithmeticError, BytesLengthException):
        return None  # an unreadable tag counts as missing
    if tags.get(TAGS[0]) is None or not 1 <= bits <= 32:
        return None
    stored = [value % 2**bits for value in ends]
    if signed:
        stored = [value - 2**bits if value >= 2 ** (bits - 1) else value for value in stored]
    slope, intercept = rescale
    low, high = sorted((min(stored) * slope + intercept, max(stored) * slope + intercept))
    return low - abs(slope) / 2, high + abs(slope) / 2


def without_padding(voxels: NDArray[np.generic], padding: Sequence[Padding | None]) -> NDArray[np.generic]:
    """The slices `[z, y, x]` in HU with air in place of declared padding, one declaration per slice.

    A value that tissue can have is padding only where it is connected to the slice's edge.
    """
    if not any(padding):
        return voxels
    if not np.can_cast(np.int16, voxels.dtype):  # unsigned types cannot represent air
        voxels = voxels.astype(np.int32)
    for plane, declared in zip(voxels, padding, strict=True):
        if declared is None:
            continue
        low, high = declared
        padded = np.greater(plane, low) & np.less(plane, high)
        if high > AIR_HU + 1 and low < HIGHEST_CT_NUMBER and padded.any():
            padded = _connected_to_edge(padded)
        plane[padded] = AIR_HU
    return voxels


def _connected_to_edge(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    parts, _ = ndimage.label(inside)
    edges = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    return np.isin(parts, edges[edges > 0])
