"""The views of a cohort: their presets and parameters, and how items are named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.records import SetIdentity
from flexict.errors import FlexiCTError

if TYPE_CHECKING:
    from embeddings.cohort.read import Case

# Part of the identity of an embedding set: raise it when the same scan, weights and preset give another vector.
CODE_VERSION = "2"

# A larger crop than this many lesion sizes shows the patient, not the lesion.
MOST_SCALE = 20.0
MOST_SLICES = 2**31

ENGINES = ("local", "ray")
VIEWS: Mapping[str, tuple[str, ...]] = {
    "volume": ("default", "local_path"),
    "slices": ("slice",),
    "lesion": ("lesion_mask", "lesion_seed"),
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
    scale: float | Sequence[float],
    seed_side_mm: float | Sequence[float],
    slice_step: int,
) -> list[Recipe]:
    """One recipe per view; `preset` applies to the view that has it. Raises what `choose_recipe` raises.

    Each of several scales (or sides) makes a recipe of the lesion view: sets that differ only in the crop, whose
    rankings of neighbours can be fused.
    """
    if not views or len(set(views)) < len(views):
        raise JobError(f"the views must be one or more of {', '.join(VIEWS)}, each once")
    owners = [view for view in views if preset in VIEWS.get(view, ())]
    scales, sides = _numbers("scale", scale), _numbers("seed side", seed_side_mm)
    chosen = [
        choose_recipe(
            encoder,
            view,
            cases,
            # A preset that none of the views has is refused with the first view.
            preset=preset if view in owners or not owners else None,
            scale=one_scale,
            seed_side_mm=one_side,
            slice_step=slice_step,
        )
        for view in views
        for one_scale in scales
        for one_side in sides
    ]
    # Parameters that a preset ignores make no further recipe.
    return list({(recipe.view, recipe.label): recipe for recipe in chosen}.values())


def _numbers(name: str, value: float | Sequence[float]) -> tuple[float, ...]:
    numbers = tuple(value) if isinstance(value, Sequence) else (value,)
    if not numbers or len(set(numbers)) < len(numbers):
        raise JobError(f"give one {name} or several different ones")
    return numbers


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
            parameters out of range, or the view lesion of a cohort without masks and seeds.
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
    from flexict.presets.preprocess import LESION_SEED_SIDES_MM  # imports torch, which the command line does not need

    least, most = LESION_SEED_SIDES_MM
    if not least <= seed_side_mm <= most:
        raise JobError(f"the seed side must be between {least:g} and {most:g} mm, not {seed_side_mm:g}")
    if slice_step > MOST_SLICES:
        raise JobError(f"the slice step must be at most {MOST_SLICES}, not {slice_step}")
    if scale > MOST_SCALE:
        raise JobError(f"the scale must be at most {MOST_SCALE:g} lesion sizes, not {scale:g}")
    chosen = preset or encoder.views[view]
    if chosen == "lesion_mask" and preset is None:
        if any(case.mask_path is not None for case in cases):
            chosen = "lesion_mask"
        elif any(case.seed_lps is not None for case in cases):
            chosen = "lesion_seed"
        else:
            raise JobError(
                "no case has a lesion mask or a seed: add a mask column or seed_x, seed_y, seed_z (LPS mm) "
                "to the CSV, or embed the view volume"
            )
    if encoder.needs_mask and not any(case.mask_path is not None for case in cases):
        raise JobError(
            "no case has a lesion mask, which mask_pooled vectors are pooled over: add a mask column to the CSV, or "
            "choose another kind of vector with --pooling"
        )
    return Recipe(view, chosen, float(scale), float(seed_side_mm), int(slice_step), encoder.needs_mask)


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
