"""The analyses that pages ask for: computed in a process of their own, kept in memory and in the cohort file.

Each raises ValueError with what the analysis says of its data, and `NotReadyError` while there is no result: a page
asks within `waiting.section()`. `key` starts with the cohort file and the id of the embedding set. `slot` is the place
on the pages that the result is for: a newer request for the place ends an older one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import ArrayLike, NDArray

from dashboard.compute.background import Task
from dashboard.compute.waiting import obtain
from dashboard.data import defaults
from dashboard.data.audited_columns import Audited
from dashboard.wording.escaping import plain
from embeddings.analysis import (
    Courses,
    EncoderComparison,
    LearningPoint,
    Probe,
    Projection,
    Pseudotime,
    Retrieval,
    ShortcutAudit,
    StageGradient,
    SurvivalByScore,
)
from embeddings.analysis.retrieval.retrieval import Protocol
from embeddings.store.store import Store, StoreError
from embeddings.worker.process import ANALYSES
from embeddings.worker.request import AnalysisRequest, Setting, cells

Key = tuple[object, ...]
LEARNING_SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
_WORDS = {
    "map": "Laying out the map",
    "gradient": "Fitting the stage axis, and again under every permutation",
    "trajectory": "Ordering the cases, and again under every permutation",
    "courses": "Following the covariates along the course",
    "retrieval": "Searching for similar cases",
    "probe": "Cross-validating the probe",
    "probe_chance": "Fitting the probe again under every permutation of the classes",
    "learning_curve": "Training the probe on fewer patients",
    "audit": "Asking of every column whether it explains the stage axis",
    "survival": "Comparing survival",
    "comparison": "Comparing the embedding sets on the same folds",
}


def _result(kind: str, key: Key, slot: str, inputs: Mapping[str, object], **settings: Setting) -> Any:
    path, set_id = Path(str(key[0])), str(key[1])
    request = AnalysisRequest(kind, set_id, inputs, settings)
    task = Task(
        kind,
        request.key,
        request.encoded,
        _WORDS[kind],
        kept_in=path,
        returns=get_type_hints(ANALYSES[kind])["return"],
    )
    return obtain(task, slot)


def projection(
    key: Key,
    vectors: NDArray[np.float32],
    method: str,
    n_neighbours: int,
    min_dist: float,
    seed: int,
    slot: str = "map",
) -> Projection:
    """A map of the vectors."""
    found: Projection = _result(
        "map", key, slot, {"X": vectors}, method=method, n_neighbours=n_neighbours, min_dist=min_dist, seed=seed
    )
    return found


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


def gradient(
    key: Key,
    vectors: NDArray[np.float32],
    codes: NDArray[np.int64],
    patients: NDArray[np.str_],
    size: NDArray[np.float64] | None,
    covariates: NDArray[np.float64] | None,
    n_permutations: int = defaults.PERMUTATIONS,
    seed: int = defaults.SEED,
    slot: str = "gradient",
) -> StageGradient:
    """The stage gradient."""
    inputs = {"X": vectors, "stage": codes, "patient": patients, "size": size, "covariates": covariates}
    found: StageGradient = _result("gradient", key, slot, inputs, n_permutations=n_permutations, seed=seed)
    return found


def trajectory(
    key: Key,
    vectors: NDArray[np.float32],
    codes: NDArray[np.int64],
    patients: NDArray[np.str_],
    root: int | None,
    n_neighbours: int = defaults.GRAPH_NEIGHBOURS,
    n_permutations: int = defaults.PERMUTATIONS,
    seed: int = defaults.SEED,
    slot: str = "trajectory",
) -> Pseudotime:
    """The diffusion pseudotime."""
    inputs = {"X": vectors, "stage": codes, "patient": patients}
    settings = {"n_neighbours": n_neighbours, "n_permutations": n_permutations, "seed": seed}
    found: Pseudotime = _result("trajectory", key, slot, inputs, root=root, **settings)
    return found


def courses(
    key: Key, time: NDArray[np.float64], covariates: Mapping[str, ArrayLike], patients: NDArray[np.str_], seed: int
) -> Courses:
    """Covariates along a pseudotime."""
    columns = {name: cells(values) for name, values in covariates.items()}
    inputs = {"pseudotime": time, "covariates": columns, "patient": patients}
    found: Courses = _result("courses", key, "courses", inputs, seed=seed)
    return found


def retrieval(
    key: Key,
    sets: Sequence[NDArray[np.float32]],
    labels: NDArray[np.str_],
    patients: NDArray[np.str_],
    protocol: Protocol,
    fusion_k: float,
    seed: int,
) -> Retrieval:
    """Retrieval over one or several fused sets."""
    inputs = {"X": list(sets), "label": labels, "patient": patients}
    found: Retrieval = _result("retrieval", key, "retrieval", inputs, protocol=protocol, fusion_k=fusion_k, seed=seed)
    return found


def probe(
    key: Key,
    vectors: NDArray[np.float32],
    labels: NDArray,
    patients: NDArray[np.str_],
    baseline: NDArray[np.float64] | None,
    n_repeats: int,
    seed: int,
) -> Probe:
    """The linear probe, its labels sorted as they order."""
    inputs = {"X": vectors, "y": cells(labels), "patient": patients, "baseline": baseline}
    found: Probe = _result("probe", key, "probe", inputs, n_repeats=n_repeats, seed=seed)
    return found


def probe_chance(
    key: Key,
    vectors: NDArray[np.float32],
    labels: NDArray,
    patients: NDArray[np.str_],
    n_permutations: int,
    seed: int,
) -> float:
    """p of the probe against chance (NaN without permutations)."""
    inputs = {"X": vectors, "y": cells(labels), "patient": patients}
    found: float = _result("probe_chance", key, "probe.chance", inputs, n_permutations=n_permutations, seed=seed)
    return found


def learning_curve(
    key: Key, vectors: NDArray[np.float32], labels: NDArray, patients: NDArray[np.str_], n_repeats: int, seed: int
) -> tuple[LearningPoint, ...]:
    """The probe's learning curve."""
    inputs = {"X": vectors, "y": cells(labels), "patient": patients, "learning_shares": LEARNING_SHARES}
    found: tuple[LearningPoint, ...] = _result(
        "learning_curve", key, "probe.learning", inputs, n_repeats=n_repeats, seed=seed
    )
    return found


def audit(
    key: Key,
    vectors: NDArray[np.float32],
    codes: NDArray[np.int64],
    columns: Audited,
    patients: NDArray[np.str_],
    n_permutations: int,
    seed: int,
) -> ShortcutAudit:
    """The audit for shortcuts."""
    covariates = {
        name: {part: cells(one) for part, one in values.items()} if isinstance(values, Mapping) else cells(values)
        for name, values in columns.items()
    }
    inputs = {"X": vectors, "stage": codes, "covariates": covariates, "patient": patients}
    settings = {"n_permutations": n_permutations, "n_bootstrap": defaults.BOOTSTRAP, "seed": seed}
    found: ShortcutAudit = _result("audit", key, "audit", inputs, **settings)
    return found


def survival(
    key: Key,
    score: NDArray[np.float64],
    frame: pd.DataFrame,
    time: str,
    event: str,
    covariates: Mapping[str, NDArray],
    n_groups: int,
    seed: int,
) -> SurvivalByScore:
    """Survival by the score `[n]`, one row of the frame a scan."""
    inputs = {
        "score": score,
        "time": cells(frame[time].to_numpy(dtype=object)),
        "event": cells(frame[event].to_numpy(dtype=object)),
        "covariates": {name: cells(values) for name, values in covariates.items()},
        "patient": frame["patient_id"].to_numpy(dtype=str),
    }
    found: SurvivalByScore = _result("survival", key, "survival", inputs, n_groups=n_groups, seed=seed)
    return found


def comparison(
    key: Key,
    sets: Sequence[NDArray[np.float32]],
    names: tuple[str, ...],
    codes: NDArray[np.float64] | None,
    labels: NDArray[np.object_] | None,
    patients: NDArray[np.str_],
    n_repeats: int,
    n_permutations: int,
    seed: int,
) -> EncoderComparison:
    """Several sets of the same cases on the same folds."""
    inputs = {
        "sets": list(sets),
        "names": np.array(names),
        "stage": codes,
        "label": None if labels is None else cells(labels),
        "patient": patients,
    }
    settings = {"n_repeats": n_repeats, "n_permutations": n_permutations, "seed": seed}
    found: EncoderComparison = _result("comparison", key, "comparison", inputs, **settings)
    return found


def complete_rows(frame: pd.DataFrame, columns: list[str]) -> NDArray[np.bool_]:
    """Rows in which every one of the columns has a number."""
    return frame[columns].notna().all(axis=1).to_numpy(dtype=bool) if columns else np.ones(len(frame), dtype=bool)
