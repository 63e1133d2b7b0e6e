"""Short reports of simulated chest CTs, written from their truth by template.

The wording varies, so that an encoder learns findings rather than one sentence: side, lobe, size, margin and density of
the lesion, effusion or none, emphysema or none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flexict.phantoms.phantom import Truth

WHOLE, LESION_FIXED, LESION_SCALED = "volume", "lesion, 64 mm", "lesion, 1.5 sizes"
NODULE_MM = 30.0
LOBES = ("right upper", "right middle", "right lower", "left upper", "left lower")
MARGINS = ("smooth", "lobulated", "spiculated")
DENSITIES = ("ground-glass", "part-solid", "solid")
LARGER_MM, SMALLER_MM = (20.0, 30.0, 50.0), (10.0, 20.0, 30.0)
# A radiologist does not mention everything: the chance that a part other than the lesion is mentioned.
LEAST_SAID = 0.7
SENTENCES: Mapping[str, Sequence[str]] = {
    "lesion": (
        "{margin} {density} {noun} of {size} in the {lobe} lobe.",
        "There is a {size} {density} {noun} with {margin} margin in the {lobe} lobe.",
        "{lobe} lobe {noun}, {size}, {density}, {margin}.",
        "In the {lobe} lobe lies a {density} {noun} measuring {size}. Its margin is {margin}.",
    ),
    "lesion alone": (
        "{margin} {density} {noun} of {size}.",
        "There is a {size} {density} {noun} with {margin} margin.",
        "{density} {noun} measuring {size}. Its margin is {margin}.",
    ),
    "lesion without size": (
        "{margin} {density} lesion.",
        "{density} lesion with {margin} margin.",
        "A lesion of {density} density. Its margin is {margin}.",
    ),
    "effusion": (
        "{effusion_side} pleural effusion.",
        "There is a {effusion_side} pleural effusion.",
        "Pleural effusion on the {effusion_side}.",
    ),
    "no effusion": ("No pleural effusion.", "There is no pleural effusion.", "No effusion."),
    "emphysema": ("Emphysema.", "There is emphysema.", "The lungs show emphysema."),
    "no emphysema": ("No emphysema.", "There is no emphysema.", "The lungs show no emphysema."),
}


@dataclass(frozen=True)
class Finding:
    """A phrase for `"{phrase} ."` or `"No {phrase}."`, and whether it is true of the scan."""

    phrase: str
    present: bool


def full_report(truth: Truth) -> str:
    """All findings, in one fixed wording."""
    return " ".join(_wordings(truth, part)[0] for part in ("lesion", "effusion", "emphysema"))


def lesion_report(truth: Truth) -> str:
    """The findings of the lesion without its place, in one fixed wording."""
    return _wordings(truth, "lesion alone")[0]


def varied_report(truth: Truth, view: str, rng: np.random.Generator) -> str:
    """A report as one of many readers would write it of a view; a lesion crop shows neither place nor effusion.

    Args:
        view: `WHOLE`, `LESION_FIXED` (size can be seen) or `LESION_SCALED` (it cannot).
    """
    if view == WHOLE:
        parts = ["lesion", "effusion", "emphysema"]
        rng.shuffle(parts)
        kept = [part for part in parts if part == "lesion" or rng.uniform() < LEAST_SAID]
    else:
        kept = ["lesion alone" if view == LESION_FIXED else "lesion without size"]
    return " ".join(str(rng.choice(np.array(_wordings(truth, part)))) for part in kept)


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


def _wordings(truth: Truth, part: str) -> list[str]:
    """The alternative wordings of one part of a report (a key of `SENTENCES`), all true."""
    if part in ("effusion", "emphysema") and not truth[part]:
        part = f"no {part}"
    diameter = float(truth["diameter_mm"] or 0.0)
    words = {name: str(truth[name]) for name in ("margin", "density", "lobe", "effusion_side")}
    words |= {"noun": _noun(diameter), "size": f"{diameter:.0f} mm"}
    sentences = (template.format_map(words) for template in SENTENCES[part])
    return [sentence[0].upper() + sentence[1:] for sentence in sentences]
