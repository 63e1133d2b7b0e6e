"""How CT is shown: the windows that radiologists use, and the colour of a lesion's outline."""

from __future__ import annotations

from dashboard.figures.slices import GreyWindow

# Okabe-Ito orange: visible on grey in every window, and distinct from it without colour vision by its brightness.
OUTLINE = (230, 159, 0)
WINDOWS = {
    window.name: window
    for window in (
        GreyWindow("Lung", 1500, -600),
        GreyWindow("Soft tissue", 400, 40),
        GreyWindow("Bone", 1800, 400),
        GreyWindow("Brain", 80, 40),
        GreyWindow("Liver", 150, 60),
    )
}
