"""What a set embedded of a scan, made again: the input of its preset, and the box of the patient that it covers."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flexict.errors import FlexiCTError
from flexict.presets import placement, preprocess
from flexict.presets.placement import Placement
from flexict.volume import Volume

_PARAMETERS = {"lesion_mask": "", "lesion_seed": "mm"}
_PLAIN = ("default", "local_path", "slice")


class EmbeddedInputError(FlexiCTError):
    """The input cannot be made again; the message says why."""


@dataclass(frozen=True)
class Subject:
    """What a preset needs of an item.

    Attributes:
        scan: the CT as read.
        mask: the lesion on the CT's grid, where there is one.
        centre_lps: the seed, or else the lesion's centroid, LPS mm.
        slice_index: of an axial slice, in the CT in LPS order.
    """

    scan: preprocess.Scan
    mask: Volume | None = None
    centre_lps: tuple[float, float, float] | None = None
    slice_index: int | None = None


def placement_of(label: str, subject: Subject) -> Placement:
    """Where the input of a preset (such as `lesion_mask@1.5`) lies, without its voxels.

    Raises:
        EmbeddedInputError: a preset that is not known, or an item without the mask, seed or slice that it needs.
        PreprocessError: a lesion that the preset cannot crop.
    """
    found: Placement = _by_preset(placement, label, subject)
    return found


def input_of(label: str, subject: Subject) -> NDArray[np.float32]:
    """The input `[z, y, x]`, or `[y, x]` of a slice, that the job gave to the encoder. Raises as `placement_of`."""
    found = _by_preset(preprocess, label, subject)
    pixels: NDArray[np.float32] = found.pixels if isinstance(found, preprocess.PlacedSlice) else found
    return pixels


def _by_preset(of: ModuleType, label: str, subject: Subject) -> Any:
    """What a module with a function a preset, `preprocess` or `placement`, makes of an item."""
    preset, number = preset_of(label)
    if preset == "slice":
        return of.axial_slice(subject.scan, _slice(subject))
    if preset == "lesion_mask":
        return of.lesion_mask(subject.scan, _mask(subject), number)
    if preset == "lesion_seed":
        return of.lesion_seed(subject.scan, _centre(subject), number)
    return of.default(subject.scan) if preset == "default" else of.local_path(subject.scan)


def preset_of(label: str) -> tuple[str, float]:
    """A set's preset and its parameter: the scale of `lesion_mask`, the side in mm of `lesion_seed`, else 0.

    Raises:
        EmbeddedInputError: a label that no recipe writes, such as that of imported vectors.
    """
    if label in _PLAIN:
        return label, 0.0
    preset, _, parameter = label.partition("@")
    unit = _PARAMETERS.get(preset)
    try:
        if unit is not None and parameter.endswith(unit):
            return preset, float(parameter.removesuffix(unit))
    except ValueError:
        pass
    raise EmbeddedInputError(f"the preset {label!r} is not known here, so what was embedded cannot be shown")


def _mask(subject: Subject) -> Volume:
    if subject.mask is None:
        raise EmbeddedInputError("the lesion mask, which this preset crops by, cannot be read")
    return subject.mask


def _centre(subject: Subject) -> tuple[float, float, float]:
    if subject.centre_lps is None:
        raise EmbeddedInputError("neither a seed nor a lesion is known of this item")
    return subject.centre_lps


def _slice(subject: Subject) -> int:
    if subject.slice_index is None:
        raise EmbeddedInputError("it is not known which slice this item is")
    return subject.slice_index
