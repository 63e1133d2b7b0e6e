"""Which label of a mask is the lesion: labels by number and name, and the choice among several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embeddings.formatting import first_few
from embeddings.imaging.image_header import ImageError

_MOST_SHOWN = 12
_LONGEST_NAME = 40
# A typed name may be a patient's: errors show only names made of these words.
_COMMON_WORD = re.compile(
    "[icp]?tv|i?gtv[pn]?d?|tumou?r|lesion|mass|nodule|nodes?|lymph|primary|cyst|metastasis|met|body|external|skin|lungs?|"
    "heart|liver|kidneys?|spleen|pancreas|bladder|brain|bones?|o?esophagus|stomach|rectum|colon|bowel|aorta|trachea|"
    "cord|spinal|canal|larynx|parotid|prostate|uterus|breast|thyroid|left|right|l|r|total|all|minus|and|of|the|roi"
)


@dataclass(frozen=True)
class MaskLabel:
    """One label of a mask, segment of a segmentation or ROI of a structure set; `name` is empty where it has none."""

    number: float
    name: str = ""

    def __str__(self) -> str:
        name = "".join(c for c in " ".join(self.name.split()) if c.isprintable())
        short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
        number = f"{int(self.number)}" if float(self.number).is_integer() else f"{self.number:g}"
        return f"{number} {short!r}" if short else number


def choose_label(path: Path, kind: str, found: Sequence[MaskLabel], wanted: str | None) -> MaskLabel:
    """The lesion's label: the only one, or the one that `wanted` gives by its number or its name (in any case).

    Args:
        path: what errors name.
        kind: `label`, `segment` or `ROI`, as errors call it.

    Raises:
        ImageError: several and none wanted, or none or several that match `wanted`; the labels are listed.
    """
    if wanted is None:
        if len(found) == 1:
            return found[0]
        raise several(path, kind, found)
    number = number_of(wanted)
    fitting = [label for label in found if number is not None and label.number == number]
    fitting = fitting or [label for label in found if same_name(label.name, wanted)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        other = "name" if number is not None else "number"
        raise ImageError(
            path, f"contains {len(fitting)} {kind}s {wanted!r} ({listed(found)}): give the lesion's {other}"
        )
    there = listed(found) or "none"
    raise ImageError(path, f"contains no {kind} {wanted!r}, its {kind}s are {there}: correct mask_label")


def several(path: Path, kind: str, found: Sequence[MaskLabel], of_them: str = "") -> ImageError:
    """The error for a mask with several labels of which none was chosen."""
    labels = f"contains {len(found)} {kind}s{of_them} ({listed(found)})"
    where = "in a column mask_label, or with --mask-label"
    return ImageError(path, f"{labels}: give the lesion's number or name {where}")


def listed(found: Sequence[MaskLabel]) -> str:
    """The labels by number and name, the first dozen."""
    return first_few(map(str, found), _MOST_SHOWN)


def anonymous(labels: Sequence[MaskLabel], typed: str | None = None) -> list[MaskLabel]:
    """The labels of a DICOM file without names that may identify a person; the name that the user typed stays."""
    return [
        label
        if same_name(label.name, typed or "")
        or all(_COMMON_WORD.fullmatch(word) for word in re.findall(r"[^\W\d_]+", label.name.casefold()))
        else MaskLabel(label.number)
        for label in labels
    ]


def normal_label(text: str, decimal_comma: bool = False) -> str:
    """A label as it is stored: `2` for the 2.0 that spreadsheets make of it, a name without outer spaces."""
    number = number_of(text.replace(",", ".", 1) if decimal_comma else text)
    return f"{int(number)}" if number is not None and number.is_integer() else text.strip()


def number_of(text: str) -> float | None:
    """The number of a label; None where the text is a name."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def same_name(name: str, other: str) -> bool:
    """Whether two names are equal but for case and spaces; an empty name equals none."""
    first, second = (" ".join(text.split()).casefold() for text in (name, other))
    return first == second != ""
