"""Does the order of the cases survive other patients, other neighbours and another start?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import progress
from ..trend import spearman
from .diffusion import DiffusionMap, DisconnectedGraphError, diffusion_map
from .neighbour_graph import distinct_rows
from .roots import lowest_stage, medoids

SUBSAMPLE_SHARE = 0.8
MAX_ROOTS = 10
# Isotropic clouds, which have no order, reach 0.2 to 0.7 from other starting cases; noisy curves stay above
# 0.95.
LOW_STABILITY = 0.8


@dataclass(frozen=True)
class Stability:
    """Mean Spearman correlation with the pseudotime when something is changed, NaN where nothing could be.

    subsamples: on 80 % of the patients, the root chosen again; neighbours: with fewer and with more
    neighbours; roots: from other cases of the lowest stage (without stage: from the cases nearest to the
    root). `n_disconnected` of `n_reruns` reruns fell into parts and are left out.
    """

    subsamples: float
    neighbours: float
    roots: float
    n_reruns: int
    n_disconnected: int


def stability(
    vectors: NDArray[np.float64],
    codes: NDArray[np.float64] | None,
    patients: NDArray[np.intp],
    time: NDArray[np.float64],
    diffusion: DiffusionMap,
    *,
    start: int,
    root: int | None,
    n_neighbours: int,
    n_components: int,
    n_resamples: int,
    seed: int,
) -> Stability:
    """Rerun the pseudotime `time` [n], which starts at row `start`, with something changed.

    root: the start where it was given by hand, which then stays in every subsample; None where the lowest
    of the stages `codes` [n] chose it.
    """
    rng = np.random.default_rng(seed)
    n, n_patients = len(vectors), int(patients.max()) + 1
    copy_of = distinct_rows(vectors)[1]

    def rerun(cases: NDArray[np.intp], k: int, begin: int) -> float | None:
        k = min(k, np.unique(copy_of[cases]).size - 1)
        try:
            other = diffusion_map(vectors[cases], n_neighbours=k, n_components=n_components)
        except DisconnectedGraphError:
            return None
        return spearman(other.distances_from(begin), time[cases])

    subsamples = []
    for _ in progress.counted(range(n_resamples), n_resamples):
        kept = rng.permutation(n_patients) < max(2, round(SUBSAMPLE_SHARE * n_patients))
        kept[patients[start]] = kept[patients[start]] or root is not None
        cases = np.flatnonzero(kept[patients])
        if root is None and codes is not None:
            begin = int(medoids(vectors[cases], lowest_stage(codes[cases]))[0])
        else:
            begin = int(np.flatnonzero(cases == start)[0])
        subsamples.append(rerun(cases, n_neighbours, begin))

    others = sorted({max(3, round(n_neighbours * share)) for share in (0.67, 1.5, 2.0)} - {n_neighbours})
    neighbours = [rerun(np.arange(n), k, start) for k in others if k <= copy_of.max()]

    if codes is not None:
        candidates = rng.permutation(np.flatnonzero(lowest_stage(codes)[0]))
    else:
        candidates = np.argsort(((vectors - vectors[start]) ** 2).sum(axis=1))
    candidates = candidates[candidates != start][:MAX_ROOTS]
    roots = [spearman(diffusion.distances_from(int(other)), time) for other in candidates]

    reruns = subsamples + neighbours
    return Stability(
        subsamples=_mean(subsamples),
        neighbours=_mean(neighbours),
        roots=_mean(roots),
        n_reruns=len(reruns),
        n_disconnected=sum(one is None for one in reruns),
    )


def instability_warnings(found: Stability) -> list[str]:
    """A sentence for each change that the order of the cases does not survive."""
    said = []
    for name, value in (
        ("on subsamples of the patients", found.subsamples),
        ("with other numbers of neighbours", found.neighbours),
        ("from other starting cases", found.roots),
    ):
        if value < LOW_STABILITY:
            said.append(
                f"The order of the cases changes {name} (mean Spearman {value:.2f}, below {LOW_STABILITY}): "
                "do not read it as a course of disease."
            )
    if found.n_disconnected:
        said.append(
            f"{found.n_disconnected} of {found.n_reruns} reruns fell into separate parts; take more neighbours."
        )
    return said


def _mean(values: list[float | None] | list[float]) -> float:
    defined = [one for one in values if one is not None]
    return float(np.mean(defined)) if defined else float("nan")
