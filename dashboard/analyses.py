"""The analyses that pages ask for, kept until the cohort, the set or a setting changes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from embeddings.analysis import (
    Probe,
    Projection,
    Pseudotime,
    StageGradient,
    linear_probe,
    project,
    pseudotime,
    stage_gradient,
)
from embeddings.store import Store, StoreError

Key = tuple[object, ...]


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
        st.caption(f"The map could not be kept in the cohort file ({error}); it will be computed again next time.")
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


@st.cache_resource(max_entries=16, show_spinner="Cross-validating the probe ...")
def probe(
    key: Key,
    _vectors: NDArray[np.float32],
    _labels: NDArray[np.str_],
    _patients: NDArray[np.str_],
    _baseline: NDArray[np.float64] | None,
    n_repeats: int,
    seed: int,
) -> Probe:
    """The linear probe; `key` names the set, the target and the baseline."""
    with _one_thread():
        return linear_probe(_vectors, _labels, patient=_patients, baseline=_baseline, n_repeats=n_repeats, seed=seed)


def complete_rows(frame: pd.DataFrame, columns: list[str]) -> NDArray[np.bool_]:
    """Rows in which every one of the columns has a number."""
    return frame[columns].notna().all(axis=1).to_numpy(dtype=bool) if columns else np.ones(len(frame), dtype=bool)
