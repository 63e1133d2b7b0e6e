"""What a view of a cohort means: its presets, their parameters, and how items are named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.records import SetIdentity

if TYPE_CHECKING:
    from embeddings.cohort import Case

# Part of an embedding set's identity: raise it when the same scan, weights and preset give another vector.
CODE_VERSION = "1"

# A larger crop than this many lesion sizes shows the patient, not the lesion.
MOST_SCALE = 20.0

ENGINES = ("local", "ray")
VIEWS: Mapping[str, tuple[str, ...]] = {
    "volume": ("default", "local_path"),
    "slices": ("slice",),
    "lesion": ("lesion_mask", "lesion_seed"),
}


class JobError(ValueError):
    """The job cannot start; the message says why and what to do."""


class Encoder(Protocol):
    """What the job asks of an encoder; `flexict.Encoder` is one."""

    @property
    def name(self) -> str:
        """Its name in the registry."""

    @property
    def width(self) -> int:
        """Numbers in one vector."""

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights that were loaded."""

    @property
    def weights_source(self) -> str:
        """Where they came from."""

    @property
    def pooling(self) -> str:
        """How tokens become one vector."""

    @property
    def views(self) -> Mapping[str, str]:
        """The views it can take, with the preset of each."""

    @property
    def is_published(self) -> bool:
        """Whether the weights are the authors'."""

    @property
    def device(self) -> str:
        """`cpu`, `cuda`, `cuda:1`."""

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors `[B, width]` of preprocessed slices `[B, 1, H, W]` or volumes `[B, 1, D, H, W]`.

        On a CPU it may be called from several threads at once.
        """


@dataclass(frozen=True)
class Recipe:
    """One view with one preset and its parameters: everything but the encoder that decides a vector."""

    view: str
    preset: str
    scale: float
    seed_side_mm: float
    slice_step: int

    @property
    def label(self) -> str:
        """The preset with the parameters it has, such as `lesion_mask@1.5` or `lesion_seed@64mm`."""
        parameter = {"lesion_mask": f"@{self.scale:g}", "lesion_seed": f"@{self.seed_side_mm:g}mm"}
        return self.preset + parameter.get(self.preset, "")

    def item_id(self, case_id: str, slice_index: int | None = None) -> str:
        """`CASE/volume`, `CASE/lesion` or `CASE/slice/0123`."""
        return f"{case_id}/{self.view}" if slice_index is None else f"{case_id}/slice/{slice_index:04d}"


def choose_recipes(
    encoder: Encoder,
    views: Sequence[str],
    cases: Sequence[Case],
    *,
    preset: str | None,
    scale: float,
    seed_side_mm: float,
    slice_step: int,
) -> list[Recipe]:
    """A recipe a view; the preset is that of the view which has it. Raises what `choose_recipe` raises."""
    if not views or len(set(views)) < len(views):
        raise JobError(f"the views must be one or more of {', '.join(VIEWS)}, each once")
    owners = [view for view in views if preset in VIEWS.get(view, ())]
    return [
        choose_recipe(
            encoder,
            view,
            cases,
            # A preset of none of the views is refused with the first.
            preset=preset if view in owners or not owners else None,
            scale=scale,
            seed_side_mm=seed_side_mm,
            slice_step=slice_step,
        )
        for view in views
    ]


def choose_recipe(
    encoder: Encoder,
    view: str,
    cases: Sequence[Case],
    *,
    preset: str | None,
    scale: float,
    seed_side_mm: float,
    slice_step: int,
) -> Recipe:
    """The recipe for a view of these cases; lesions are cropped by mask where any case has one.

    Raises:
        JobError: a view that does not exist or that the encoder does not take, a preset of another view,
            parameters out of range, or lesions asked of a cohort without masks and seeds.
    """
    if view not in VIEWS:
        raise JobError(f"there is no view {view!r}: choose one of {', '.join(VIEWS)}")
    if view not in encoder.views:
        raise JobError(f"the encoder {encoder.name} takes no {view}: choose {' or '.join(encoder.views)}")
    if preset is not None and preset not in VIEWS[view]:
        raise JobError(f"the preset {preset!r} is not one of the view {view}: choose {' or '.join(VIEWS[view])}")
    for name, value in (("scale", scale), ("seed side", seed_side_mm), ("slice step", slice_step)):
        if not (math.isfinite(value) and value > 0):
            raise JobError(f"the {name} must be above 0, not {value}")
    from flexict.preprocess import LESION_SEED_SIDES_MM  # imports torch, which the command line does not need

    least, most = LESION_SEED_SIDES_MM
    if not least <= seed_side_mm <= most:
        raise JobError(f"the seed side must lie between {least:g} and {most:g} mm, not {seed_side_mm:g}")
    if scale > MOST_SCALE:
        raise JobError(f"the scale must be at most {MOST_SCALE:g} lesion sizes, not {scale:g}")
    chosen = preset or encoder.views[view]
    if view == "lesion" and preset is None:
        if any(case.mask_path is not None for case in cases):
            chosen = "lesion_mask"
        elif any(case.seed_lps is not None for case in cases):
            chosen = "lesion_seed"
        else:
            raise JobError(
                "no case has a lesion mask or a seed: add a mask column or seed_x, seed_y, seed_z (LPS mm) "
                "to the CSV, or embed the view volume"
            )
    return Recipe(view, chosen, float(scale), float(seed_side_mm), int(slice_step))


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
