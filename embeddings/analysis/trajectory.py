"""A pseudotime through the embedding, and whether it follows the tumour stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import checked_codes, checked_vectors, patient_numbers
from .diffusion import DiffusionMap, DisconnectedGraphError, diffusion_map
from .resampling import bootstrap_indices, percentile_interval, permutation_p, permuted_labels
from .serialise import plain
from .trend import spearman, spearman_columns

ANALYSIS = "pseudotime"
MIN_CASES = 20
SUBSAMPLE_SHARE = 0.8
N_BOOTSTRAP = 1000
MAX_ROOTS = 10
# Isotropic clouds, which have no order, reach 0.2 to 0.7 from other starting cases; noisy curves stay above
# 0.95.
LOW_STABILITY = 0.8


@dataclass(frozen=True)
class Stability:
    """Mean Spearman correlation with the pseudotime when something is changed, NaN where nothing could be.

    subsamples: on 80 % of the patients, the root chosen anew; neighbours: with fewer and with more
    neighbours; roots: from other cases of the lowest stage (without stage: from the cases nearest to the
    root). `n_disconnected` of `n_reruns` reruns fell into parts and are left out.
    """

    subsamples: float
    neighbours: float
    roots: float
    n_reruns: int
    n_disconnected: int


@dataclass(frozen=True)
class Pseudotime:
    """Result of `pseudotime`; what needs a stage is NaN without one.

    pseudotime: [n], 0 at the root to 1. root: row of the root, chosen as `root_rule` says. rho: Spearman's,
    with stage, and its 95 % patient bootstrap interval given the pseudotime. p_permutation: one-sided; the
    null chooses its root anew from every permuted stage. pc1: [n], first principal component turned towards
    stage; pc1_rho and its p, whose null turns it too, are the baseline that a trajectory has to beat.
    """

    pseudotime: NDArray[np.float64]
    root: int
    root_rule: str
    stage: NDArray[np.float64] | None
    rho: float
    rho_low: float
    rho_high: float
    p_permutation: float
    pc1: NDArray[np.float64]
    pc1_rho: float
    pc1_p_permutation: float
    stability: Stability
    eigenvalues: NDArray[np.float64]
    n: int
    n_patients: int
    n_neighbours: int
    n_components: int
    n_permutations: int
    n_resamples: int
    seed: int
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return plain(self)


def pseudotime(
    X: ArrayLike,
    stage: ArrayLike | None = None,
    *,
    root: int | None = None,
    patient: ArrayLike | None = None,
    n_neighbours: int = 15,
    n_components: int = 10,
    n_permutations: int = 200,
    n_resamples: int = 20,
    seed: int = 0,
) -> Pseudotime:
    """Diffusion pseudotime (Haghverdi et al. 2016, Nat Methods 13:845) of the vectors X [n, d], Euclidean.

    Any cloud of points can be put in an order: `warnings` says where that order does not survive a change.
    From a root given by hand, without a stage, the distance across a shapeless cloud of few dimensions is
    stable too, so stability alone does not prove a course.

    The root is the row given by hand, else the medoid of the lowest stage: its case with the least sum of
    distances to the others of that stage. stage: [n] ordered codes. patient: [n] ids, whose scans move
    together in permutations, bootstrap and subsamples.

    Raises ValueError on NaN vectors, fewer than 20 cases, a single stage, neither stage nor root, or a
    neighbour graph in parts (naming their sizes).
    """
    vectors = checked_vectors(X, ANALYSIS, at_least=MIN_CASES)
    n = len(vectors)
    if not 2 <= n_neighbours < n:
        raise ValueError(f"The {ANALYSIS} of {n} cases can use 2 to {n - 1} neighbours, not {n_neighbours}.")
    if root is not None and not 0 <= root < n:
        raise ValueError(f"The {ANALYSIS} has {n} rows, and the start given, row {root}, is not one of them.")
    codes = None if stage is None else checked_codes(stage, ANALYSIS, n=n)
    patients = patient_numbers(patient, ANALYSIS, n=n)
    vectors = vectors - vectors.mean(axis=0)

    diffusion = diffusion_map(vectors, n_neighbours=n_neighbours, n_components=n_components)
    start = root
    if start is None and codes is not None:
        start = int(_medoids(vectors, _lowest(codes))[0])
    if start is None:
        raise ValueError(f"The {ANALYSIS} needs a stage to choose its start from, or a start given by hand.")
    time = diffusion.distances_from(start)
    pc1 = _first_component(vectors)
    rho = low = high = p = pc1_rho = pc1_p = float("nan")
    if codes is not None:
        rho = spearman(time, codes)
        draws = bootstrap_indices(patients, n_resamples=N_BOOTSTRAP, seed=seed)
        low, high = percentile_interval([spearman(time[cases], codes[cases]) for cases in draws])
        permuted = permuted_labels(codes, patients, n_permutations=n_permutations, seed=seed)
        p = permutation_p(rho, _null(vectors, diffusion, permuted, root))
        pc1_rho = spearman(pc1, codes)
        pc1 = -pc1 if pc1_rho < 0 else pc1
        pc1_rho = abs(pc1_rho)
        pc1_null = np.abs(spearman_columns(np.repeat(pc1[:, None], n_permutations, axis=1), permuted.T))
        pc1_p = permutation_p(pc1_rho, pc1_null)

    stability = _stability(
        vectors,
        codes,
        patients,
        time,
        diffusion,
        start=start,
        root=root,
        n_neighbours=n_neighbours,
        n_components=n_components,
        n_resamples=n_resamples,
        seed=seed,
    )
    return Pseudotime(
        pseudotime=time / time.max(),
        root=start,
        root_rule="medoid of the lowest stage" if root is None else "given by hand",
        stage=codes,
        rho=rho,
        rho_low=low,
        rho_high=high,
        p_permutation=p,
        pc1=pc1,
        pc1_rho=pc1_rho,
        pc1_p_permutation=pc1_p,
        stability=stability,
        eigenvalues=diffusion.eigenvalues,
        n=n,
        n_patients=int(patients.max()) + 1,
        n_neighbours=n_neighbours,
        n_components=n_components,
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        seed=seed,
        warnings=_warnings(stability, rho, p, pc1_rho),
    )


def _lowest(codes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which cases are of the lowest stage, `[1, n]` (or one row for each row of codes)."""
    rows = np.atleast_2d(codes)
    return rows == rows.min(axis=1, keepdims=True)


def _medoids(vectors: NDArray[np.float64], members: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The medoid of each row of `members` [m, n]: the member with the least sum of distances to the rest."""
    squares = (vectors**2).sum(axis=1)
    sums = np.empty(members.shape)
    chosen = members.astype(np.float64)
    for first in range(0, len(vectors), 1024):
        block = slice(first, first + 1024)
        squared = squares[block, None] + squares[None, :] - 2.0 * vectors[block] @ vectors.T
        sums[:, block] = chosen @ np.sqrt(np.clip(squared, 0.0, None)).T
    return np.where(members, sums, np.inf).argmin(axis=1)


def _null(
    vectors: NDArray[np.float64], diffusion: DiffusionMap, permuted: NDArray[np.float64], root: int | None
) -> NDArray[np.float64]:
    """rho under every permuted stage; a root chosen by stage is chosen again from the permuted stage.

    The diffusion map knows no stage, so only the root and the distances from it are rebuilt.
    """
    roots = _medoids(vectors, _lowest(permuted)) if root is None else np.full(len(permuted), root)
    times = {one: diffusion.distances_from(one) for one in np.unique(roots).tolist()}
    return np.array([spearman(times[int(r)], labels) for r, labels in zip(roots, permuted, strict=True)])


def _first_component(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, 0] * singular[0]


def _stability(
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
    rng = np.random.default_rng(seed)
    n, n_patients = len(vectors), int(patients.max()) + 1

    def rerun(cases: NDArray[np.intp], k: int, begin: int) -> float | None:
        try:
            other = diffusion_map(vectors[cases], n_neighbours=k, n_components=n_components)
        except DisconnectedGraphError:
            return None
        return spearman(other.distances_from(begin), time[cases])

    subsamples = []
    for _ in range(n_resamples):
        kept = rng.permutation(n_patients) < max(2, round(SUBSAMPLE_SHARE * n_patients))
        kept[patients[start]] = kept[patients[start]] or root is not None
        cases = np.flatnonzero(kept[patients])
        if root is None and codes is not None:
            begin = int(_medoids(vectors[cases], _lowest(codes[cases]))[0])
        else:
            begin = int(np.flatnonzero(cases == start)[0])
        subsamples.append(rerun(cases, min(n_neighbours, len(cases) - 1), begin))

    others = sorted({max(3, round(n_neighbours * share)) for share in (0.67, 1.5, 2.0)} - {n_neighbours})
    neighbours = [rerun(np.arange(n), k, start) for k in others if k < n]

    if codes is not None:
        candidates = rng.permutation(np.flatnonzero(_lowest(codes)[0]))
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


def _mean(values: list[float | None] | list[float]) -> float:
    defined = [one for one in values if one is not None]
    return float(np.mean(defined)) if defined else float("nan")


def _warnings(stability: Stability, rho: float, p: float, pc1_rho: float) -> tuple[str, ...]:
    said = []
    for name, value in (
        ("on subsamples of the patients", stability.subsamples),
        ("with other numbers of neighbours", stability.neighbours),
        ("from other starting cases", stability.roots),
    ):
        if value < LOW_STABILITY:
            said.append(
                f"The order of the cases changes {name} (mean Spearman {value:.2f}, below {LOW_STABILITY}): "
                "do not read it as a course of disease."
            )
    if stability.n_disconnected:
        said.append(
            f"{stability.n_disconnected} of {stability.n_reruns} reruns fell into separate parts; take more neighbours."
        )
    if p > 0.05:
        said.append(f"The pseudotime follows stage no better than chance would (p = {p:.2g}).")
    elif pc1_rho >= rho:
        said.append(
            f"The first principal component follows stage as well (rho {pc1_rho:.2f} against {rho:.2f}): "
            "the trajectory adds nothing to it."
        )
    return tuple(said)
