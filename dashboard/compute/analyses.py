"""The analyses of the pages: computed in a process of their own, kept in memory and in the cohort file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from dashboard.compute.task import Task
from dashboard.compute.waiting import obtain
from dashboard.wording.escaping import plain
from embeddings.analysis import (
    along_each,
    by_score,
    compare_sets,
    evaluate,
    linear_probe,
    project,
    pseudotime,
    shortcuts,
    stage_gradient,
)
from embeddings.store.store import Store, StoreError
from embeddings.worker.analyses import learning_curve, probe_chance

Found = TypeVar("Found")
_WORDS: Mapping[Callable[..., Any], str] = {
    project: "Computing the map",
    stage_gradient: "Fitting the stage axis, and again under every permutation",
    pseudotime: "Ordering the cases, and again under every permutation",
    along_each: "Fitting the covariates along the trajectory",
    evaluate: "Searching for similar cases",
    linear_probe: "Cross-validating the probe",
    probe_chance: "Fitting the probe again under every permutation of the classes",
    learning_curve: "Training the probe on fewer patients",
    shortcuts: "Testing whether each column explains the stage axis",
    by_score: "Comparing survival",
    compare_sets: "Comparing the embedding sets on the same folds",
}


def run(analysis: Callable[..., Found], path: Path, set_id: str, slot: str, /, **arguments: object) -> Found:
    """The result of an analysis of `embeddings.worker.analyses.ANALYSES`; call it within `waiting.section()`.

    Args:
        path, set_id: the cohort file, in which the result is saved, and the embedding set of the data.
        slot: the place on the pages that the result is for: a newer request for it ends an older one.
        arguments: of the analysis. Columns may have missing values, dates and text.

    Raises:
        FlexiCTError: what the analysis says of its data.
        NotReadyError: there is no result yet.
    """
    found: Found = obtain(Task(analysis, arguments, _WORDS[analysis], data=set_id, saved_in=path), slot)
    return found


def saved_map(
    path: Path, set_id: str, item_ids: list[str], vectors: NDArray[np.float32], settings: Mapping[str, object]
) -> NDArray[np.float64]:
    """Coordinates `[n, 2]` of a map with these settings of `project`, saved in the cohort file.

    UMAP does not repeat itself across machines, so a file that is sent to others must contain the map.
    """
    coordinates = run(project, path, set_id, "map", X=vectors, **settings).coordinates
    try:
        Store(path, read_only=False, patience_s=2.0).save_projection(set_id, settings, item_ids, coordinates)
    except (StoreError, OSError) as error:
        st.caption(f"The map could not be saved in the cohort file ({plain(error)}): it will be recomputed next time.")
    return coordinates
