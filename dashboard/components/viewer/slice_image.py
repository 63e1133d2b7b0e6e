"""How CT is shown: the windows that radiologists use, and the colour of a lesion's outline."""

from __future__ import annotations

from dataclasses import dataclass

# Okabe-Ito orange: visible on grey in every window, and told apart from it without colour vision by its brightness.
OUTLINE = (230, 159, 0)


@dataclass(frozen=True)
class Window:
    """Width and level of the grey scale in HU."""

    width: float
    level: float


WINDOWS: dict[str, Window] = {
    "Lung": Window(1500, -600),
    "Soft tissue": Window(400, 40),
    "Bone": Window(1800, 400),
    "Brain": Window(80, 40),
    "Liver": Window(150, 60),
}
