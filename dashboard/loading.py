"""Cached reading of cohort files: a page asks for a table, and the file is read when it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from embeddings.case_vectors import one_row_a_case
from embeddings.images import read_image, read_mask
from embeddings.records import CohortInfo
from embeddings.store import Store
from flexict import Volume


@dataclass(frozen=True)
class EmbeddingTable:
    """Items with their case's columns, and vectors `[n, width]`, in one order."""

    frame: pd.DataFrame
    vectors: NDArray[np.float32]


def cohort_info(path: Path) -> CohortInfo:
    """What the file says of itself, read anew each time."""
    return Store(path).info()


def embedding_sets(path: Path) -> pd.DataFrame:
    """The file's embedding sets, read anew each time (a job may be adding to them)."""
    return Store(path).sets()


def embedding_table(path: Path, set_id: str) -> EmbeddingTable:
    """All items of a set."""
    return _table(str(path), set_id, revision(path))


def case_table(path: Path, set_id: str) -> EmbeddingTable:
    """One row a case: as stored for volumes and lesions, the mean over its slices for a slice set."""
    return _case_table(str(path), set_id, revision(path))


def item_frame(path: Path, set_id: str) -> pd.DataFrame:
    """All items of a set with their case's columns, without the vectors."""
    return _item_frame(str(path), set_id, revision(path))


def kept_coordinates(
    path: Path, set_id: str, settings: tuple[tuple[str, object], ...], item_ids: pd.Series
) -> NDArray[np.float64] | None:
    """Coordinates `[n, 2]` that the file keeps of these items under these settings, or None where one is missing."""
    found = _kept_coordinates(str(path), set_id, settings, revision(path))
    if found is not None and len(found[0]) == len(item_ids) and (found[0] == item_ids.to_numpy()).all():
        return found[1]
    return None


def revision(path: Path) -> str:
    """What is cached of the file is stale once this changes: a scan embedded anew leaves every count as it was."""
    return Store(path).revision()


@st.cache_resource(max_entries=8, show_spinner="Reading the embeddings ...")
def _table(path: str, set_id: str, revision: str) -> EmbeddingTable:
    frame, vectors = Store(Path(path)).table(set_id)
    return EmbeddingTable(frame, vectors)


def _kept_coordinates(
    path: str, set_id: str, settings: tuple[tuple[str, object], ...], revision: str
) -> tuple[NDArray[np.object_], NDArray[np.float64]] | None:
    found = _read_coordinates(path, set_id, settings, revision)
    if found is None:
        # It may be computed any moment, which leaves the revision as it is.
        _read_coordinates.clear(path, set_id, settings, revision)
    return found


@st.cache_resource(max_entries=6, show_spinner="Reading the map ...")
def _read_coordinates(
    path: str, set_id: str, settings: tuple[tuple[str, object], ...], revision: str
) -> tuple[NDArray[np.object_], NDArray[np.float64]] | None:
    found = Store(Path(path)).projection(set_id, dict(settings))
    if found is None:
        return None
    return found["item_id"].to_numpy(dtype=object), found[["x", "y"]].to_numpy(dtype=np.float64)


@st.cache_resource(max_entries=4, show_spinner="Reading the items ...")
def _item_frame(path: str, set_id: str, revision: str) -> pd.DataFrame:
    return Store(Path(path)).described_items(set_id)


@st.cache_resource(max_entries=8, show_spinner="Reading the embeddings ...")
def _case_table(path: str, set_id: str, revision: str) -> EmbeddingTable:
    table = _table(path, set_id, revision)
    return EmbeddingTable(*one_row_a_case(table.frame, table.vectors))


@st.cache_resource(max_entries=12, show_spinner="Reading the scan ...")
def scan(path: str, modified_ns: int) -> Volume:
    """A CT, kept for a while; raises `ImageError` as `read_image` does."""
    return read_image(Path(path))


@st.cache_resource(max_entries=12, show_spinner=False)
def scan_mask(mask_path: str, mask_modified_ns: int, image_path: str, image_modified_ns: int) -> Volume:
    """A lesion mask on the grid of its CT; raises `ImageError` as `read_mask` does."""
    return read_mask(Path(mask_path), scan(image_path, image_modified_ns))
