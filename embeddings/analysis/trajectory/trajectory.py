"""A pseudotime through the embedding, and whether it follows the tumour stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flexict.errors import FlexiCTError

from .. import progress
from ..checks import checked_codes, checked_vectors, patient_numbers
from ..display import Displayed
from ..gradient.evidence import Labelling
from ..gram import Gram
from ..p_values import p_words
from ..resampling import percentile_interval, permutation_p, permuted_labels
from ..serialise import plain
from ..trend import spearman
from .diffusion import DiffusionMap, diffusion_map
from .neighbour_graph import distinct_rows
from .roots import lowest_stage, medoids
from .simple_axes import component_axis, first_component, supervised_axis, undefined_axis
from .spread import MAX_OF_LINES, spread
from .stability import Stability, instability_warnings, stability

ANALYSIS = "pseudotime"
MIN_CASES = 20
N_BOOTSTRAP = 1000


@dataclass(frozen=True)
class Pseudotime(Displayed):
    """Result of `pseudotime`; what needs a stage is NaN without one.

    pseudotime: [n], 0 at the root to 1. root: row of the root, chosen as `root_rule` says. rho: Spearman's,
    with stage, and its 95 % patient bootstrap interval given the pseudotime. p_permutation: one-sided; the
    null chooses its root again for every permuted stage.

    The simple alternatives that a trajectory has to beat, each [n] with its rho, interval and p: pc1, the
    first principal component, its sign chosen to follow stage, as under every permutation of its null;
    supervised, the out-of-fold stage axis of `stage_gradient` at the same seed, refitted in every
    permutation. spread: as `spread.spread`, 1 or less along lines, 1.4 to 2 in clouds. n_copies: cases whose
    vector is an exact copy of an earlier one.
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
    pc1_low: float
    pc1_high: float
    pc1_p_permutation: float
    supervised: NDArray[np.float64]
    supervised_rho: float
    supervised_low: float
    supervised_high: float
    supervised_p_permutation: float
    stability: Stability
    spread: float
    eigenvalues: NDArray[np.float64]
    n: int
    n_patients: int
    n_copies: int
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

    Any cloud of points can be put in an order: `warnings` says where that order does not survive a change,
    and where the cases spread to all sides rather than along a course. In a shapeless cloud of few
    dimensions the distance from a root is stable too, so stability alone does not prove a course.

    The root is the row given by hand, else the medoid of the lowest stage: its case with the least sum of
    distances to the others of that stage. stage: [n] ordered codes. patient: [n] ids, whose scans move
    together in permutations, bootstrap and subsamples. Exact copies of a vector count once in the graph and
    share a pseudotime; constant columns change nothing.

    Raises FlexiCTError on NaN vectors, fewer than 20 cases or different vectors, as many neighbours as there
    are different vectors, a single stage, neither stage nor root, or a neighbour graph in parts (naming
    their sizes).

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> stage = np.repeat([0, 1, 2], 20)
        >>> X = rng.normal(size=(60, 8))
        >>> X[:, 0] += 2.0 * stage
        >>> found = pseudotime(X, stage, n_permutations=50)
        >>> float(found.pseudotime.min()), float(found.pseudotime.max()), int(stage[found.root])
        (0.0, 1.0, 0)
    """
    vectors = checked_vectors(X, ANALYSIS, at_least=MIN_CASES)
    n = len(vectors)
    n_distinct = len(distinct_rows(vectors)[0])
    if n_distinct < MIN_CASES:
        raise FlexiCTError(
            f"The {ANALYSIS} needs at least {MIN_CASES} different vectors, but the {n} cases hold {n_distinct}."
        )
    if not 2 <= n_neighbours < n_distinct:
        cases = f"{n} cases" if n_distinct == n else f"{n} cases with {n_distinct} different vectors"
        raise FlexiCTError(f"The {ANALYSIS} of {cases} can use 2 to {n_distinct - 1} neighbours, not {n_neighbours}.")
    if root is not None and not 0 <= root < n:
        raise FlexiCTError(f"The {ANALYSIS} has {n} rows, and the start given, row {root}, is not one of them.")
    codes = None if stage is None else checked_codes(stage, ANALYSIS, n=n)
    patients = patient_numbers(patient, ANALYSIS, n=n)
    vectors = vectors - vectors.mean(axis=0)

    progress.report(0, 1, "joining each case with its neighbours")
    diffusion = diffusion_map(vectors, n_neighbours=n_neighbours, n_components=n_components)
    start = root
    if start is None and codes is not None:
        start = int(medoids(vectors, lowest_stage(codes))[0])
    if start is None:
        raise FlexiCTError(f"The {ANALYSIS} needs a stage to choose its start from, or a start chosen by the user.")
    time = diffusion.distances_from(start)
    rho = low = high = p = float("nan")
    pc1, supervised = undefined_axis(first_component(vectors)), undefined_axis(np.full(n, np.nan))
    if codes is not None:
        labelling = Labelling(codes, patients, N_BOOTSTRAP, seed)
        permuted = permuted_labels(codes, patients, n_permutations=n_permutations, seed=seed)
        rho = spearman(time, codes)
        low, high = percentile_interval(labelling.resampled(time, codes))
        with progress.part(0.1, 0.4, "ordering the cases again under every permutation"):
            p = permutation_p(rho, null_rho(vectors, diffusion, permuted, root))
        with progress.part(0.4, 0.5, "fitting the simple axes"):
            pc1 = component_axis(pc1.score, labelling, permuted)
            supervised = supervised_axis(Gram.of(vectors, ANALYSIS), labelling, permuted)

    with progress.part(0.5, 0.9, "ordering the cases again with something changed"):
        found = stability(
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
    with progress.part(0.9, 1.0, "measuring how the cases spread"):
        width = spread(vectors, n_neighbours=n_neighbours, seed=seed)
    return Pseudotime(
        pseudotime=time / time.max(),
        root=start,
        root_rule="medoid of the lowest stage" if root is None else "chosen by the user",
        stage=codes,
        rho=rho,
        rho_low=low,
        rho_high=high,
        p_permutation=p,
        pc1=pc1.score,
        pc1_rho=pc1.rho,
        pc1_low=pc1.low,
        pc1_high=pc1.high,
        pc1_p_permutation=pc1.p_permutation,
        supervised=supervised.score,
        supervised_rho=supervised.rho,
        supervised_low=supervised.low,
        supervised_high=supervised.high,
        supervised_p_permutation=supervised.p_permutation,
        stability=found,
        spread=width,
        eigenvalues=diffusion.eigenvalues,
        n=n,
        n_patients=int(patients.max()) + 1,
        n_copies=n - n_distinct,
        n_neighbours=n_neighbours,
        n_components=n_components,
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        seed=seed,
        warnings=(*instability_warnings(found), *_warnings(n - n_distinct, n, width, rho, p, pc1.rho)),
    )


def null_rho(
    vectors: NDArray[np.float64], diffusion: DiffusionMap, permuted: NDArray[np.float64], root: int | None
) -> NDArray[np.float64]:
    """rho under every permuted stage [m, n]; a root chosen by stage is chosen again from the permuted stage.

    The diffusion map knows no stage, so only the root and the distances from it are rebuilt.
    """
    roots = medoids(vectors, lowest_stage(permuted)) if root is None else np.full(len(permuted), root)
    times = {one: diffusion.distances_from(one) for one in np.unique(roots).tolist()}
    pairs = progress.counted(zip(roots, permuted, strict=True), len(permuted))
    return np.array([spearman(times[int(r)], labels) for r, labels in pairs])


def _warnings(n_copies: int, n: int, width: float, rho: float, p: float, pc1_rho: float) -> list[str]:
    said = []
    if width > MAX_OF_LINES:
        said.append(
            f"The cases spread to all sides more than along a course (spread {width:.2f}, above {MAX_OF_LINES}): "
            "pseudotime is their distance from the start, which any cloud has."
        )
    if n_copies:
        said.append(
            f"{n_copies} of {n} cases have exactly the vector of another case and share its place in the order: "
            "check whether a scan was entered twice."
        )
    if p >= 0.05:
        said.append(f"The pseudotime is not shown to follow stage beyond chance ({p_words(p, 'one-sided')}).")
    elif pc1_rho >= rho:
        said.append(
            f"The first principal component follows stage as well (rho {pc1_rho:.2f} against {rho:.2f}): "
            "the trajectory adds nothing to it."
        )
    return said
