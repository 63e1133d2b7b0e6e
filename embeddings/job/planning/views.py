"""The views of a cohort: their presets and parameters, and how items are named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.records import SetIdentity
from flexict.errors import FlexiCTError
from flexict.presets.presets import PRESETS

# Part of the identity of an embedding set: raise it when the same scan, weights and preset give another vector.
CODE_VERSION = "2"

ENGINES = ("local", "ray")
VIEWS: Mapping[str, tuple[str, ...]] = {
    view: tuple(preset.name for preset in PRESETS.values() if preset.view == view)
    for view in ("volume", "slices", "lesion")
}


class JobError(FlexiCTError):
    """The job cannot start; the message says why and what to do."""


class Encoder(Protocol):
    """What the job needs of an encoder; `flexict.Encoder` is one."""

    @property
    def name(self) -> str:
        """Its name in the registry."""

    @property
    def width(self) -> int:
        """Dimensions of one vector."""

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights that were loaded."""

    @property
    def weights_source(self) -> str:
        """Where the weights came from."""

    @property
    def pooling(self) -> str:
        """How tokens become one vector."""

    @property
    def views(self) -> Mapping[str, str]:
        """The views it takes, with the preset of each."""

    @property
    def needs_mask(self) -> bool:
        """Whether it pools over the lesion and `encode` takes a mask with every item."""

    @property
    def is_published(self) -> bool:
        """Whether the weights are the authors'."""

    @property
    def device(self) -> str:
        """`cpu`, `cuda`, `cuda:1`."""

    def encode(self, batch: NDArray[np.float32], masks: NDArray[np.uint8] | None = None, /) -> NDArray[np.float32]:
        """Vectors `[B, width]` of preprocessed slices `[B, 1, H, W]` or volumes `[B, 1, D, H, W]`.

        `masks`, `[B, H, W]` or `[B, D, H, W]`, are given if it needs them.

        On a CPU it may be called from several threads at once.
        """


@dataclass(frozen=True)
class Recipe:
    """One view with one preset and its parameters: everything but the encoder that decides a vector.

    `with_mask`: the lesion mask goes to the encoder too.
    """

    view: str
    preset: str
    scale: float
    seed_side_mm: float
    slice_step: int
    with_mask: bool = False

    @property
    def parameter(self) -> float:
        """The parameter of the preset: the crop's scale or its side in mm (presets without one ignore it)."""
        return self.seed_side_mm if self.preset == "lesion_seed" else self.scale

    @property
    def label(self) -> str:
        """The preset with its parameter if it has one, such as `lesion_mask@1.5` or `lesion_seed@64mm`."""
        return PRESETS[self.preset].label(self.parameter)

    def item_id(self, case_id: str, slice_index: int | None = None) -> str:
        """`CASE/volume`, `CASE/lesion` or `CASE/slice/0123`."""
        return f"{case_id}/{self.view}" if slice_index is None else f"{case_id}/slice/{slice_index:04d}"


def identity_of(encoder: Encoder, recipe: Recipe) -> SetIdentity:
    """The embedding set that this encoder and recipe fill."""
    return SetIdentity(
        encoder=encoder.name,
        weights_sha256=encoder.weights_sha256,
        view=recipe.view,
        preset=recipe.label,
        pooling=encoder.pooling,
        width=encoder.width,
        code_version=CODE_VERSION,
        weights_source=encoder.weights_source,
        is_published=encoder.is_published,
    )
