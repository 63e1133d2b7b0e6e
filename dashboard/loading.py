"""Cached reading of cohort files: a page asks for a table, and the file is read when it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from embeddings.images import read_image, read_mask
from embeddings.records import CohortInfo
from embeddings.store import Store
from flexict import Volume

SLICES_VIEW = "slices"


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
    if table.frame.empty or table.frame["view"].iloc[0] != SLICES_VIEW:
        return table
    codes, cases = pd.factorize(table.frame["case_id"])
    sums = np.zeros((len(cases), table.vectors.shape[1]))
    np.add.at(sums, codes, table.vectors)
    means = (sums / np.bincount(codes)[:, None]).astype(np.float32)
    frame = table.frame.drop_duplicates("case_id").drop(columns=["slice_index", "z_lps_mm"]).reset_index(drop=True)
    frame["item_id"] = [f"{case}/{SLICES_VIEW}" for case in cases]
    return EmbeddingTable(frame, means)


@st.cache_resource(max_entries=12, show_spinner="Reading the scan ...")
def scan(path: str, modified_ns: int) -> Volume:
    """A CT, kept for a while; raises `ImageError` as `read_image` does."""
    return read_image(Path(path))


@st.cache_resource(max_entries=12, show_spinner=False)
def scan_mask(mask_path: str, mask_modified_ns: int, image_path: str, image_modified_ns: int) -> Volume:
    """A lesion mask on the grid of its CT; raises `ImageError` as `read_mask` does."""
    return read_mask(Path(mask_path), scan(image_path, image_modified_ns))
