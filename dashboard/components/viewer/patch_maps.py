"""Patch tokens at their position in the patient: similarity to one of them, and main components as colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dashboard.data.planes import Place, lps_to_place
from flexict.presets.crop import Placement
from flexict.volume import Volume

# Low end of the scale, so that a single odd patch does not stretch it.
LOWEST_PERCENT = 1.0
COLOUR_PERCENT = (2.0, 98.0)


@dataclass(frozen=True)
class PatchTokens:
    """The patch tokens of one item and their position.

    Attributes:
        tokens: `[d, h, w, width]` float16; a slice has d = 1.
        patch: edges of a patch in voxels of the input, along z, y, x.
        placement: of the input.
    """

    tokens: NDArray[np.float16]
    patch: tuple[int, int, int]
    placement: Placement

    @property
    def cell_mm(self) -> Place:
        """Edges of a patch along x, y, z."""
        x, y, z = (n * mm for n, mm in zip(self.patch[::-1], self.placement.spacing, strict=True))
        return x, y, z

    def corner(self, volume: Volume, centre: Place) -> Place:
        """Where the first patch begins, in item mm of an item with its centre at an index of `volume`."""
        first = lps_to_place(volume, centre, self.placement.origin)
        x, y, z = (c - mm / 2 for c, mm in zip(first, self.placement.spacing, strict=True))
        return x, y, z

    def cell_at(self, lps: Place) -> tuple[int, int, int] | None:
        """The patch (z, y, x) that contains a point in LPS mm; None outside the input."""
        along = self.placement.direction.T @ (np.asarray(lps) - np.asarray(self.placement.origin))
        voxel = along / np.asarray(self.placement.spacing) + 0.5
        cell = np.floor(voxel[::-1] / np.asarray(self.patch)).astype(int)
        if np.any(cell < 0) or np.any(cell >= np.array(self.tokens.shape[:3])):
            return None
        z, y, x = (int(v) for v in cell)
        return z, y, x


def similarity(
    query: PatchTokens, cell: tuple[int, int, int], items: Sequence[PatchTokens]
) -> list[NDArray[np.float32]]:
    """Cosine of every patch of each item with one patch of the query, each `[d, h, w]`."""
    wanted = query.tokens[cell].astype(np.float32)
    wanted /= max(float(np.linalg.norm(wanted)), 1e-12)
    found = []
    for one in items:
        tokens = one.tokens.astype(np.float32)
        length = np.maximum(np.linalg.norm(tokens, axis=-1), 1e-12)
        found.append(np.asarray(tokens @ wanted / length, dtype=np.float32))
    return found


def scaled(maps: Sequence[NDArray[np.float32]]) -> tuple[list[NDArray[np.uint8]], float]:
    """The maps as steps 0 to 255 from a common low end to 1, and that low end; lower values become 0."""
    low = float(np.percentile(np.concatenate([one.ravel() for one in maps]), LOWEST_PERCENT))
    low = min(low, 0.999)
    steps = [np.rint(np.clip((one - low) / (1.0 - low), 0, 1) * 255).astype(np.uint8) for one in maps]
    return steps, low


def component_colours(items: Sequence[PatchTokens]) -> list[NDArray[np.uint8]]:
    """The first three principal components of the tokens of all items, as RGB, each `[d, h, w, 3]`.

    The components are computed over all items together, so that a colour means the same on each. Every component is
    stretched from its 2nd to its 98th percentile; it has no unit, and its sign is chosen so that its largest weight is
    positive.
    """
    flat = [one.tokens.reshape(-1, one.tokens.shape[-1]).astype(np.float32) for one in items]
    every = np.concatenate(flat)
    mean = every.mean(axis=0)
    centred = every - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :3]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
    scores = centred @ axes
    low, high = np.percentile(scores, COLOUR_PERCENT, axis=0)
    colours = np.zeros((len(scores), 3), dtype=np.uint8)
    spread = np.maximum(high - low, 1e-12)
    colours[:, : axes.shape[1]] = np.rint(np.clip((scores - low) / spread, 0, 1) * 255)
    ends = np.cumsum([len(one) for one in flat])[:-1]
    return [part.reshape(*one.tokens.shape[:3], 3) for part, one in zip(np.split(colours, ends), items, strict=True)]
