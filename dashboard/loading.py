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


def revision(path: Path) -> str:
    """What is cached of the file is stale once this changes: a scan embedded anew leaves every count as it was."""
    return Store(path).revision()


@st.cache_resource(max_entries=8, show_spinner="Reading the embeddings ...")
def _table(path: str, set_id: str, revision: str) -> EmbeddingTable:
    frame, vectors = Store(Path(path)).table(set_id)
    return EmbeddingTable(frame, vectors)


@st.cache_resource(max_entries=8, show_spinner="Reading the embeddings ...")
def _case_table(path: str, set_id: str, revision: str) -> EmbeddingTable:
    table = _table(path, set_id, revision)
    return EmbeddingTable(*one_row_a_case(table.frame, table.vectors))


@st.cache_resource(max_entries=12, show_spinner=False)
def scan(path: str, modified_ns: int) -> Volume:
    """A CT, kept for a while; raises `ImageError` as `read_image` does."""
    return read_image(Path(path))


@st.cache_resource(max_entries=12, show_spinner=False)
def scan_mask(mask_path: str, mask_modified_ns: int, image_path: str, image_modified_ns: int) -> Volume:
    """A lesion mask on the grid of its CT; raises `ImageError` as `read_mask` does."""
    return read_mask(Path(mask_path), scan(image_path, image_modified_ns))
