"""Chooses the recipes of a job: the preset of each view and its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from embeddings.cohort.read import Case
from embeddings.job.planning.views import VIEWS, Encoder, JobError, Recipe
from embeddings.job.settings import JobSettings
from flexict.presets.presets import LESION_SEED_SIDES_MM

# A larger crop than this many lesion sizes shows the patient, not the lesion.
MOST_SCALE = 20.0
MOST_SLICES = 2**31


def choose_recipes(encoder: Encoder, cases: Sequence[Case], settings: JobSettings) -> list[Recipe]:
    """One recipe per view; the preset applies to the view that has it.

    Without a preset, lesions are cropped by mask if any case has one, else by seed.

    Each of several scales (or sides) makes a recipe of the lesion view: sets that differ only in the crop, whose
    rankings of neighbours can be fused.

    Raises:
        JobError: a view that does not exist or that the encoder does not take, a preset of another view,
            parameters out of range, or the view lesion of a cohort without masks and seeds.
    """
    views = settings.views
    if not views or len(set(views)) < len(views):
        raise JobError(f"the views must be one or more of {', '.join(VIEWS)}, each once")
    for view in views:
        if view not in VIEWS:
            raise JobError(f"there is no view {view!r}: choose one of {', '.join(VIEWS)}")
        if view not in encoder.views:
            raise JobError(f"the encoder {encoder.name} takes no {view}: choose {' or '.join(encoder.views)}")
    preset, presets = settings.preset, VIEWS[views[0]]
    if preset is not None and not any(preset in VIEWS[view] for view in views):
        raise JobError(f"the preset {preset!r} is not one of the view {views[0]}: choose {' or '.join(presets)}")
    scales, sides = _different("scale", settings.scale), _different("seed side", settings.seed_side_mm)
    _check_parameters(scales, sides, settings.slice_step)
    chosen = [(view, _preset_of(view, encoder, cases, preset)) for view in views]
    if encoder.needs_mask and not any(case.mask_path is not None for case in cases):
        raise JobError(
            "no case has a lesion mask, which mask_pooled vectors are pooled over: add a mask column to the CSV, or "
            "choose another kind of vector with --pooling"
        )
    recipes = [
        Recipe(view, name, float(scale), float(side), int(settings.slice_step), encoder.needs_mask)
        for view, name in chosen
        for scale in scales
        for side in sides
    ]
    # Parameters that a preset ignores make no further recipe.
    return list({(recipe.view, recipe.label): recipe for recipe in recipes}.values())


def _different(name: str, value: float | Sequence[float]) -> tuple[float, ...]:
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    if not values or len(set(values)) < len(values):
        raise JobError(f"give one {name} or several different ones")
    return values


def _check_parameters(scales: Sequence[float], sides_mm: Sequence[float], slice_step: int) -> None:
    for name, values in (("scale", scales), ("seed side", sides_mm), ("slice step", (slice_step,))):
        for value in values:
            if not (math.isfinite(value) and value > 0):
                raise JobError(f"the {name} must be above 0, not {value}")
    least, most = LESION_SEED_SIDES_MM
    for side in sides_mm:
        if not least <= side <= most:
            raise JobError(f"the seed side must be between {least:g} and {most:g} mm, not {side:g}")
    if slice_step > MOST_SLICES:
        raise JobError(f"the slice step must be at most {MOST_SLICES}, not {slice_step}")
    if max(scales) > MOST_SCALE:
        raise JobError(f"the scale must be at most {MOST_SCALE:g} lesion sizes, not {max(scales):g}")


def _preset_of(view: str, encoder: Encoder, cases: Sequence[Case], asked: str | None) -> str:
    if asked in VIEWS[view]:
        return str(asked)
    if encoder.views[view] != "lesion_mask" or any(case.mask_path is not None for case in cases):
        return encoder.views[view]
    if any(case.seed_lps is not None for case in cases):
        return "lesion_seed"
    raise JobError(
        "no case has a lesion mask or a seed: add a mask column or seed_x, seed_y, seed_z (LPS mm) to the CSV, or "
        "embed the view volume"
    )
