"""The analyses that pages ask for, kept until the cohort, the set or a setting changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from dashboard.plain_text import plain
from embeddings.analysis import (
    Courses,
    LearningPoint,
    Probe,
    Projection,
    Pseudotime,
    Retrieval,
    ShortcutAudit,
    StageGradient,
    SurvivalByScore,
    along_each,
    by_score,
    evaluate,
    linear_probe,
    project,
    pseudotime,
    shortcuts,
    stage_gradient,
)
from embeddings.analysis.retrieval.retrieval import Protocol
from embeddings.store import Store, StoreError

Key = tuple[object, ...]
LEARNING_SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)


def _one_thread() -> AbstractContextManager[object]:
    """The fits are many and small: with a thread a core they spend their time waiting for each other."""
    return threadpool_limits(limits=1, user_api="blas")


@st.cache_resource(max_entries=16, show_spinner="Laying out the map ...")
def projection(
    key: Key, _vectors: NDArray[np.float32], method: str, n_neighbours: int, min_dist: float, seed: int
) -> Projection:
    """A map of the vectors; `key` names what they are."""
    return project(_vectors, method=method, n_neighbours=n_neighbours, min_dist=min_dist, seed=seed)


def stored_projection(
    path: Path, set_id: str, key: Key, item_ids: list[str], vectors: NDArray[np.float32], settings: dict[str, object]
) -> NDArray[np.float64]:
    """Coordinates `[n, 2]` from the cohort file, computed and kept there when they are not in it yet.

    UMAP does not repeat itself across machines, so the file that is mailed must carry the map.
    """
    found = Store(path).projection(set_id, settings)
    if found is not None:
        placed = found.set_index("item_id").reindex(item_ids)
        if not placed.isna().any(axis=None):
            return placed[["x", "y"]].to_numpy(dtype=np.float64)
    result = projection(
        key,
        vectors,
        str(settings["method"]),
        int(str(settings["n_neighbours"])),
        float(str(settings["min_dist"])),
        int(str(settings["seed"])),
    )
    try:
        Store(path, read_only=False, patience_s=2.0).save_projection(set_id, settings, item_ids, result.coordinates)
    except (StoreError, OSError) as error:
        st.caption(f"The map could not be kept in the cohort file ({plain(error)}) and will be computed again.")
    return result.coordinates


@st.cache_resource(max_entries=16, show_spinner="Fitting the stage axis, and again under every permutation ...")
def gradient(
    key: Key,
    _vectors: NDArray[np.float32],
    _codes: NDArray[np.int64],
    _patients: NDArray[np.str_],
    _size: NDArray[np.float64] | None,
    _covariates: NDArray[np.float64] | None,
    n_permutations: int,
    seed: int,
) -> StageGradient:
    """The stage gradient; `key` names the set, the stage, the size and the covariates."""
    with _one_thread():
        return stage_gradient(
            _vectors,
            _codes,
            patient=_patients,
            size=_size,
            covariates=_covariates,
            n_permutations=n_permutations,
            seed=seed,
        )


@st.cache_resource(max_entries=16, show_spinner="Ordering the cases, and again under every permutation ...")
def trajectory(
    key: Key,
    _vectors: NDArray[np.float32],
    _codes: NDArray[np.int64],
    _patients: NDArray[np.str_],
    root: int | None,
    n_neighbours: int,
    seed: int,
) -> Pseudotime:
    """The diffusion pseudotime; `key` names the set and the stage."""
    with _one_thread():
        return pseudotime(_vectors, _codes, root=root, patient=_patients, n_neighbours=n_neighbours, seed=seed)


@st.cache_resource(max_entries=16, show_spinner="Following the covariates along the course ...")
def courses(
    key: Key,
    _time: NDArray[np.float64],
    _covariates: Mapping[str, ArrayLike],
    _patients: NDArray[np.str_],
    seed: int,
) -> Courses:
    """Covariates along a pseudotime; `key` names the trajectory with its settings and the columns."""
    with _one_thread():
        return along_each(_time, _covariates, patient=_patients, seed=seed)


@st.cache_resource(max_entries=16, show_spinner="Searching for like cases ...")
def retrieval(
    key: Key,
    _sets: Sequence[NDArray[np.float32]],
    _labels: NDArray[np.str_],
    _patients: NDArray[np.str_],
    protocol: Protocol,
    fusion_k: float,
    seed: int,
) -> Retrieval:
    """Retrieval over one or several fused sets; `key` names the sets and the label."""
    with _one_thread():
        return evaluate(list(_sets), _labels, patient=_patients, protocol=protocol, fusion_k=fusion_k, seed=seed)


@st.cache_resource(max_entries=16, show_spinner="Cross-validating the probe ...")
def probe(
    key: Key,
    _vectors: NDArray[np.float32],
    _labels: NDArray,
    _patients: NDArray[np.str_],
    _baseline: NDArray[np.float64] | None,
    n_repeats: int,
    seed: int,
) -> Probe:
    """The linear probe, its labels sorted as they order; `key` names the set, the target and the baseline."""
    with _one_thread():
        return linear_probe(_vectors, _labels, patient=_patients, baseline=_baseline, n_repeats=n_repeats, seed=seed)


# Apart from the probe itself: what takes long is kept when the repeats change or the other is asked for as well.
@st.cache_resource(max_entries=16, show_spinner="Fitting the probe again under every permutation of the classes ...")
def probe_chance(
    key: Key,
    _vectors: NDArray[np.float32],
    _labels: NDArray,
    _patients: NDArray[np.str_],
    n_permutations: int,
    seed: int,
) -> float:
    """p of the probe against chance (NaN without permutations); `key` names the set and the target."""
    with _one_thread():
        return linear_probe(
            _vectors,
            _labels,
            patient=_patients,
            n_repeats=1,
            n_permutations=n_permutations,
            n_bootstrap=1,
            seed=seed,
        ).p_chance


@st.cache_resource(max_entries=16, show_spinner="Training the probe on fewer patients ...")
def learning_curve(
    key: Key, _vectors: NDArray[np.float32], _labels: NDArray, _patients: NDArray[np.str_], n_repeats: int, seed: int
) -> tuple[LearningPoint, ...]:
    """The probe's learning curve; `key` names the set and the target."""
    with _one_thread():
        return linear_probe(
            _vectors, _labels, patient=_patients, n_repeats=n_repeats, learning_shares=LEARNING_SHARES, seed=seed
        ).learning_curve


@st.cache_resource(max_entries=16, show_spinner="Asking of every column whether it tells the stage ...")
def audit(
    key: Key,
    _vectors: NDArray[np.float32],
    _codes: NDArray[np.int64],
    _columns: Mapping[str, ArrayLike],
    _patients: NDArray[np.str_],
    n_permutations: int,
    seed: int,
) -> ShortcutAudit:
    """The audit for shortcuts; `key` names the set, the stage and the columns."""
    with _one_thread():
        return shortcuts(_vectors, _codes, _columns, patient=_patients, n_permutations=n_permutations, seed=seed)


@st.cache_resource(max_entries=16, show_spinner="Comparing survival ...")
def survival(
    key: Key,
    _score: NDArray[np.float64],
    _frame: pd.DataFrame,
    time: str,
    event: str,
    _covariates: Mapping[str, NDArray],
    n_groups: int,
    seed: int,
) -> SurvivalByScore:
    """Survival by the score `[n]`, one row of the frame a scan; `key` names the set, the score and the covariates."""
    with _one_thread():
        return by_score(
            _score,
            _frame[time].to_numpy(dtype=object),
            _frame[event].to_numpy(dtype=object),
            covariates=_covariates,
            patient=_frame["patient_id"].to_numpy(dtype=str),
            n_groups=n_groups,
            seed=seed,
        )


def complete_rows(frame: pd.DataFrame, columns: list[str]) -> NDArray[np.bool_]:
    """Rows in which every one of the columns has a number."""
    return frame[columns].notna().all(axis=1).to_numpy(dtype=bool) if columns else np.ones(len(frame), dtype=bool)
