"""Where ordered classes are cut in two, for a probe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from streamlit.delta_generator import DeltaGenerator

from dashboard.session.widget_state import SESSION

APART = "every class by itself"


def split_at(order: Sequence[str], codes: ArrayLike, place: DeltaGenerator, key: str) -> str | None:
    """The class from which on the others are counted together, or None where every class stands by itself.

    Args:
        order: at least two classes, lowest first.
        codes: class of each labelled case; the cut that halves them best is offered first.
        place: where the choice stands on the page.
        key: of the choice.
    """
    known = np.asarray(codes)
    uneven = [abs(float(np.mean(known >= at)) - 0.5) for at in range(1, len(order))]
    picked = place.selectbox(
        "Split at",
        [APART, *order[1:]],
        index=1 + int(np.argmin(uneven)),
        format_func=lambda one: one if one == APART else f"{one} and above against the rest",
        key=key,
        persist_state=SESSION,
    )
    return None if picked == APART else str(picked)
