"""The value of each set in one measure, and the differences between sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display import Displayed
from ..p_values import Adjusted
from ..resampling import holm
from ..serialise import plain
from .paired import SetDifference


@dataclass(frozen=True)
class SetScore:
    """One set's measure with its 95 % patient bootstrap interval, given the fitted models, and its chance level.

    p_chance: one-sided, against chance, by permutation; NaN where none was drawn.
    """

    name: str
    value: float
    low: float
    high: float
    chance: float
    p_chance: float


@dataclass(frozen=True)
class SetComparison(Displayed):
    """Several sets in one measure ("rho", "AUC" or "mAP"), on the same cases, folds and draws.

    cases: [n] rows of the input that were scored. by_case: [sets, n], the out-of-fold score on the stage axis, the
    out-of-fold probability of the case's own class, or the average precision of the case as a query. classes: the
    labels told apart (none for rho). n_folds and n_repeats are 0 where nothing is fitted.
    """

    measure: str
    sets: tuple[SetScore, ...]
    differences: tuple[SetDifference, ...]
    classes: tuple[str, ...]
    cases: NDArray[np.intp]
    by_case: NDArray[np.float64]
    n: int
    n_patients: int
    n_folds: int
    n_repeats: int
    n_permutations: int
    n_bootstrap: int
    seed: int

    @property
    def chance_adjusted(self) -> tuple[Adjusted, ...]:
        """The p_chance of each set after Holm (1979) over the sets."""
        raw = [one.p_chance for one in self.sets]
        return tuple(Adjusted(float(p), int(np.isfinite(raw).sum()), over="sets") for p in holm(raw))

    def adjusted(self, difference: SetDifference) -> Adjusted:
        """The p of one of the differences, adjusted over the pairs, with how."""
        return Adjusted(difference.p_adjusted, len(self.differences), over="pairs")

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)
