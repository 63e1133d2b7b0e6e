"""Two or more embedding sets of one cohort, on the same folds, resamples and permutations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

from .. import progress
from ..checks import checked_draws, checked_vectors, patient_numbers
from ..serialise import plain
from .measures import ANALYSIS, Cohort, Draws, compare_gradients, compare_probes, compare_retrieval
from .results import SetComparison
from .similarity import SetSimilarity, set_similarity

MOST_SETS = 8


@dataclass(frozen=True)
class EncoderComparison:
    """Result of `compare_sets`. A part is None where it was not requested, or where `notes` say why it is missing."""

    names: tuple[str, ...]
    widths: tuple[int, ...]
    gradient: SetComparison | None
    probe: SetComparison | None
    retrieval: SetComparison | None
    similarity: SetSimilarity | None
    notes: tuple[str, ...]
    n: int
    n_patients: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


def compare_sets(
    sets: Sequence[ArrayLike],
    names: Sequence[str],
    *,
    stage: ArrayLike | None = None,
    label: ArrayLike | None = None,
    patient: ArrayLike | None = None,
    k: Sequence[int] = (5, 10, 20),
    n_repeats: int = 5,
    n_permutations: int = 1000,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> EncoderComparison:
    """The performance of several embedding sets of the same cases, and the overlap of their neighbourhoods.

    Every set is scored on the same folds by patient, the same resamples and the same permutations; each value is
    what `stage_gradient`, `linear_probe` and `evaluate` give for the set alone with this seed.

    sets: tables `[n, width]` of the same cases in the same rows, of any width. names: one a set, all different.
    stage: [n] ordered codes, NaN where unknown. label: [n], None or NaN where unknown. Cases without stage or label
    are left out of what needs it. patient: [n] ids (every case its own patient if None). k: sizes of neighbourhoods.
    n_repeats: of the probe's cross-validation.

    Raises FlexiCTError on fewer than two sets or more than eight, names that repeat, tables of different length, NaN
    vectors, or a missing patient. A part whose own demands are not met (too few patients of a class) is None, and
    `notes` say why.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> stage = np.repeat([0, 1, 2], 20)
        >>> X = rng.normal(size=(60, 8))
        >>> X[:, 0] += 2.0 * stage
        >>> noise = rng.normal(size=(60, 8))
        >>> found = compare_sets([X, noise], ["encoder", "noise"], stage=stage, n_permutations=99, n_bootstrap=50)
        >>> [one.name for one in found.gradient.sets]
        ['encoder', 'noise']
    """
    checked_draws(ANALYSIS, seed=seed, at_least=1, permutations=n_permutations, resamples=n_bootstrap)
    if n_repeats < 1:
        raise FlexiCTError(f"The {ANALYSIS} needs at least 1 repeat, not {n_repeats}.")
    if not 2 <= len(sets) <= MOST_SETS:
        raise FlexiCTError(f"The {ANALYSIS} takes 2 to {MOST_SETS} embedding sets, not {len(sets)}.")
    if len(names) != len(sets) or len(set(names)) != len(sets):
        raise FlexiCTError(f"The {ANALYSIS} needs a name of its own for each of the {len(sets)} sets.")
    tables = tuple(
        checked_vectors(one, f"{ANALYSIS} ({name})", at_least=2) for one, name in zip(sets, names, strict=True)
    )
    n = len(tables[0])
    if any(len(one) != n for one in tables):
        lengths = ", ".join(f"{name}: {len(one)}" for one, name in zip(tables, names, strict=True))
        raise FlexiCTError(f"The {ANALYSIS} needs the same cases in every set, but they contain {lengths}.")
    cohort = Cohort(tuple(map(str, names)), tables, patient_numbers(patient, ANALYSIS, n=n), np.arange(n))
    draws = Draws(n_permutations, n_bootstrap, seed)
    notes: list[str] = []

    def part(words: str, values: ArrayLike | None, compare: Callable[[Cohort, NDArray], SetComparison]):  # type: ignore[no-untyped-def]
        if values is None:
            return None
        known = _known(values, words, n)
        if not known.any():
            notes.append(f"{words}: no case has a value.")
            return None
        try:
            return compare(cohort.of_cases(known), np.asarray(values, dtype=object)[known])
        except FlexiCTError as error:
            notes.append(f"{words}: {error}")
            return None

    with progress.part(0.0, 0.3, "fitting the stage axes"):
        gradient = part("Stage gradient", stage, lambda some, codes: compare_gradients(some, codes, draws))
    with progress.part(0.3, 0.7, "cross-validating the probes"):
        probe = part("Linear probe", label, lambda some, y: compare_probes(some, y, draws, n_repeats=n_repeats))
    with progress.part(0.7, 0.85, "searching for similar cases"):
        retrieval = part("Retrieval", label, lambda some, y: compare_retrieval(some, y, draws))
    similarity = None
    with progress.part(0.85, 1.0, "comparing neighbourhoods"):
        try:
            similarity = set_similarity(cohort, k, draws)
        except FlexiCTError as error:
            notes.append(f"Neighbourhoods: {error}")
    return EncoderComparison(
        names=cohort.names,
        widths=tuple(one.shape[1] for one in tables),
        gradient=gradient,
        probe=probe,
        retrieval=retrieval,
        similarity=similarity,
        notes=tuple(notes),
        n=n,
        n_patients=cohort.n_patients,
        seed=seed,
    )


def _known(values: ArrayLike, words: str, n: int) -> NDArray[np.bool_]:
    """Where a stage or label [n] is given."""
    given = np.asarray(values, dtype=object)
    if given.shape != (n,):
        raise FlexiCTError(f"{words}: one value a case is needed, {n} in all, but got shape {given.shape}.")
    return np.array([one is not None and one == one for one in given], dtype=bool)
