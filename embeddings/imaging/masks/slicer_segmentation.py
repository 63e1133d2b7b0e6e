"""The segments of a 3D Slicer segmentation (`.seg.nrrd`), from the keys of its header.

Segments that do not overlap share a layer and differ in their label value; others have their own layers, the first
axis of a 4D file. Files of Slicer before 4.11 give every segment a layer and no label value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embeddings.imaging.masks.mask_labels import MaskLabel

# A hundred segments with their terminology need some 60 KiB.
_MOST_HEADER_BYTES = 2**22
_KEY = re.compile(r"^Segment(\d{1,6})_(Name|LabelValue|Layer):=(.*?)\r?$", re.M)


@dataclass(frozen=True)
class Segment:
    """One segment: its number and name, and its value in its layer."""

    label: MaskLabel
    layer: int
    value: int

    def inside(self, layers: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Its voxels `[z, y, x]` of the file's voxels `[z, y, x, layers]`; none where the layer is missing."""
        if self.layer >= layers.shape[3]:
            return np.zeros(layers.shape[:3], dtype=np.bool_)
        return np.asarray(layers[..., self.layer] == self.value)


def segments_of(path: Path) -> tuple[Segment, ...]:
    """The segments of a `.nrrd` file in their order; none where it is not a 3D Slicer segmentation."""
    if not path.name.lower().endswith(".nrrd") or not path.is_file():
        return ()
    with path.open("rb") as file:
        head = file.read(_MOST_HEADER_BYTES)
    head = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    if not head.startswith(b"NRRD"):
        return ()
    found: dict[int, dict[str, str]] = {}
    for number, key, value in _KEY.findall(head.decode("utf-8", "replace")):
        found.setdefault(int(number), {})[key] = value.strip()
    old = not any("LabelValue" in keys for keys in found.values())
    segments = []
    for position, (number, keys) in enumerate(sorted(found.items())):
        layer = _number(keys.get("Layer"), position if old else 0)
        value = _number(keys.get("LabelValue"), 1 if old else number + 1)
        label = MaskLabel(position + 1 if old else value, keys.get("Name", ""))
        segments.append(Segment(label, layer, value))
    return tuple(segments)


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and re.fullmatch(r"\d{1,9}", text) else default
