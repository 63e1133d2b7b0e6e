"""Short reports of simulated chest CTs, written from their truth by template.

The wording varies, so that an encoder learns findings and not one sentence: side, lobe, size, margin and density of
the lesion, effusion or none, emphysema or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flexict.phantoms.phantom import Truth

WHOLE, LESION_FIXED, LESION_SCALED = "volume", "lesion, 64 mm", "lesion, 1.5 sizes"
NODULE_MM = 30.0
LOBES = ("right upper", "right middle", "right lower", "left upper", "left lower")
MARGINS = ("smooth", "lobulated", "spiculated")
DENSITIES = ("ground-glass", "part-solid", "solid")
LARGER_MM, SMALLER_MM = (20.0, 30.0, 50.0), (10.0, 20.0, 30.0)
# A radiologist does not mention everything; at least this much is said of what could be.
LEAST_SAID = 0.7


@dataclass(frozen=True)
class Finding:
    """A phrase that may stand in `"{phrase} ."` or `"No {phrase}."`, and whether it is true of the scan."""

    phrase: str
    present: bool


def full_report(truth: Truth) -> str:
    """Everything that is true, in one fixed wording."""
    return " ".join(sentences(truth)[0] for sentences in (_lesion, _effusion, _emphysema))


def lesion_report(truth: Truth) -> str:
    """What is true of the lesion whatever its place, in one fixed wording."""
    return _lesion_alone(truth)[0]


def varied_report(truth: Truth, view: str, rng: np.random.Generator) -> str:
    """A report as one of many readers would write it of a view; a lesion crop shows neither place nor effusion.

    Args:
        view: `WHOLE`, `LESION_FIXED` (size can be seen) or `LESION_SCALED` (it cannot).
    """
    if view == WHOLE:
        parts: list[Callable[[Truth], Sequence[str]]] = [_lesion, _effusion, _emphysema]
        rng.shuffle(parts)
        kept = [part for part in parts if part is _lesion or rng.uniform() < LEAST_SAID]
    else:
        kept = [_lesion_alone if view == LESION_FIXED else _lesion_unsized]
    return " ".join(str(rng.choice(np.array(part(truth)))) for part in kept)


def findings(truth: Truth, view: str) -> list[Finding]:
    """Statements about what a view shows, each true or false of it."""
    margin, density, lobe, side = (str(truth[name]) for name in ("margin", "density", "lobe", "side"))
    diameter = float(truth["diameter_mm"] or 0.0)
    noun = _noun(diameter)
    found = [Finding(f"{one} margin", one == margin) for one in MARGINS]
    found += [Finding(f"{one} {noun if view != LESION_SCALED else 'lesion'}", one == density) for one in DENSITIES]
    if view != LESION_SCALED:
        found += [Finding(f"lesion larger than {mm:g} mm", diameter > mm) for mm in LARGER_MM]
        found += [Finding(f"lesion smaller than {mm:g} mm", diameter < mm) for mm in SMALLER_MM]
    if view == WHOLE:
        found += [Finding(f"lesion in the {one} lobe", one == lobe) for one in LOBES]
        found += [Finding(f"lesion in the {one} lung", one == side) for one in ("right", "left")]
        found += [Finding("pleural effusion", bool(truth["effusion"])), Finding("emphysema", bool(truth["emphysema"]))]
        found += [Finding(f"{one} pleural effusion", truth["effusion_side"] == one) for one in ("right", "left")]
    return found


def _noun(diameter_mm: float) -> str:
    return "nodule" if diameter_mm <= NODULE_MM else "mass"


def _words(truth: Truth) -> tuple[str, str, str, str]:
    diameter = float(truth["diameter_mm"] or 0.0)
    return str(truth["margin"]), str(truth["density"]), _noun(diameter), f"{diameter:.0f} mm"


def _lesion(truth: Truth) -> Sequence[str]:
    margin, density, noun, size = _words(truth)
    lobe = truth["lobe"]
    return (
        f"{margin.capitalize()} {density} {noun} of {size} in the {lobe} lobe.",
        f"There is a {size} {density} {noun} with {margin} margin in the {lobe} lobe.",
        f"{str(lobe).capitalize()} lobe {noun}, {size}, {density}, {margin}.",
        f"In the {lobe} lobe lies a {density} {noun} measuring {size}. Its margin is {margin}.",
    )


def _lesion_alone(truth: Truth) -> Sequence[str]:
    margin, density, noun, size = _words(truth)
    return (
        f"{margin.capitalize()} {density} {noun} of {size}.",
        f"There is a {size} {density} {noun} with {margin} margin.",
        f"{density.capitalize()} {noun} measuring {size}. Its margin is {margin}.",
    )


def _lesion_unsized(truth: Truth) -> Sequence[str]:
    margin, density, _, _ = _words(truth)
    return (
        f"{margin.capitalize()} {density} lesion.",
        f"{density.capitalize()} lesion with {margin} margin.",
        f"A lesion of {density} density. Its margin is {margin}.",
    )


def _effusion(truth: Truth) -> Sequence[str]:
    if not truth["effusion"]:
        return ("No pleural effusion.", "There is no pleural effusion.", "No effusion.")
    side = str(truth["effusion_side"])
    return (
        f"{side.capitalize()} pleural effusion.",
        f"There is a {side} pleural effusion.",
        f"Pleural effusion on the {side}.",
    )


def _emphysema(truth: Truth) -> Sequence[str]:
    if truth["emphysema"]:
        return ("Emphysema.", "There is emphysema.", "The lungs show emphysema.")
    return ("No emphysema.", "There is no emphysema.", "The lungs show no emphysema.")
