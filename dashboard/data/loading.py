"""Cached reading of cohort files: a page asks for a table, and the file is read when it has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.data import columns
from dashboard.data.zero_shot import with_scores
from dashboard.session import state
from embeddings.records import CohortInfo
from embeddings.store.case_vectors import one_row_a_case
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store


@dataclass(frozen=True)
class EmbeddingTable:
    """Items with their case's columns, and vectors `[n, width]`, in one order."""

    frame: pd.DataFrame
    vectors: NDArray[np.float32]


@dataclass(frozen=True)
class SameCases:
    """The cases that several sets have in common: one row each, and their vectors in every set in that order.

    n_left_out: cases that only some of the sets have.
    """

    frame: pd.DataFrame
    vectors: list[NDArray[np.float32]]
    n_left_out: int


Stamp = tuple[tuple[int, int], ...]
T = TypeVar("T")


def stamp(path: Path) -> Stamp:
    """Times and sizes of the file and of its log of changes: reading these is faster than opening the file."""
    found = []
    for one in (path, path.with_name(f"{path.name}.wal")):
        try:
            state = one.stat()
        except OSError:
            continue  # opening the file says what is wrong with it
        found.append((state.st_mtime_ns, state.st_size))
    return tuple(found)


def _while_unchanged(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """A reader of a cohort file whose result is kept until the file is written to (a job may be adding to it)."""

    # Streamlit names a cache by the source of its function, so all readers share this one: the key names the reader.
    @st.cache_data(max_entries=80, show_spinner=False)
    def kept(reader: str, path: str, stamp: Stamp) -> T:
        return read(Path(path))

    @wraps(read)
    def current(path: Path) -> T:
        return kept(read.__name__, str(path), stamp(path))

    return current


@_while_unchanged
def cohort_info(path: Path) -> CohortInfo:
    """What the file says of itself."""
    return Store(path).info()


@_while_unchanged
def embedding_sets(path: Path) -> pd.DataFrame:
    """The file's embedding sets."""
    return Store(path).sets()


@_while_unchanged
def named_selections(path: Path) -> list[str]:
    """Names of the selections saved in the file."""
    names: list[str] = KeptWork(path, patience_s=2.0).selections()["name"].tolist()
    return names


@_while_unchanged
def stage_texts(path: Path) -> list[str]:
    """The stages of the cohort's scans as the file writes them, each once."""
    texts: list[str] = sorted(Store(path).cases()["stage"].dropna().unique().tolist())
    return texts


@_while_unchanged
def _revisions(path: Path) -> tuple[str, str]:
    return Store(path).revision(), KeptWork(path).revision()


def revision(path: Path) -> str:
    """Changes when cached data of the file are stale: a scan embedded again leaves every count unchanged."""
    return " ".join(_revisions(path))


def embedding_table(path: Path, set_id: str) -> EmbeddingTable:
    """All items of a set, with the zero-shot scores of their cases."""
    return _ordered_table(_table(str(path), set_id, *_revisions(path)))


def case_table(path: Path, set_id: str) -> EmbeddingTable:
    """One row a case: as stored for volumes and lesions, the mean over its slices for a slice set."""
    return _ordered_table(_case_table(str(path), set_id, *_revisions(path)))


def same_cases(path: Path, set_ids: Sequence[str]) -> SameCases:
    """The cases that all of these sets have, in the order of the first."""
    tables = [case_table(path, one) for one in set_ids]
    first = tables[0].frame
    kept = np.ones(len(first), dtype=bool)
    for one in tables[1:]:
        kept &= first["case_id"].isin(one.frame["case_id"]).to_numpy(dtype=bool)
    frame = first[kept].reset_index(drop=True)
    places = [pd.Index(one.frame["case_id"]).get_indexer(frame["case_id"]) for one in tables]
    everyone = pd.concat([one.frame["case_id"] for one in tables]).nunique()
    vectors = [one.vectors[place] for one, place in zip(tables, places, strict=True)]
    return SameCases(frame, vectors, int(everyone) - len(frame))


def item_frame(path: Path, set_id: str) -> pd.DataFrame:
    """All items of a set with their case's columns and zero-shot scores, without the vectors."""
    return columns.with_orders(_item_frame(str(path), set_id, revision(path)), state.stage_orders())


def kept_coordinates(
    path: Path, set_id: str, settings: tuple[tuple[str, object], ...], item_ids: pd.Series
) -> NDArray[np.float64] | None:
    """Coordinates `[n, 2]` of these items stored in the file for these settings, or None where one is missing."""
    found = _read_coordinates(str(path), set_id, settings, stamp(path))
    if found is not None and len(found[0]) == len(item_ids) and (found[0] == item_ids.to_numpy()).all():
        return found[1]
    return None


def _ordered_table(table: EmbeddingTable) -> EmbeddingTable:
    return EmbeddingTable(columns.with_orders(table.frame, state.stage_orders()), table.vectors)


@st.cache_resource(max_entries=8, show_spinner="Reading the embeddings ...")
def _stored(path: str, set_id: str, revision: str) -> EmbeddingTable:
    frame, vectors = Store(Path(path)).table(set_id)
    return EmbeddingTable(frame, vectors)


@st.cache_resource(max_entries=6, show_spinner="Reading the map ...")
def _read_coordinates(
    path: str, set_id: str, settings: tuple[tuple[str, object], ...], stamp: Stamp
) -> tuple[NDArray[np.object_], NDArray[np.float64]] | None:
    found = Store(Path(path)).projection(set_id, dict(settings))
    if found is None:
        return None
    return found["item_id"].to_numpy(dtype=object), found[["x", "y"]].to_numpy(dtype=np.float64)


@st.cache_resource(max_entries=4, show_spinner="Reading the items ...")
def _item_frame(path: str, set_id: str, revision: str) -> pd.DataFrame:
    return with_scores(Store(Path(path)).described_items(set_id), Path(path))


@st.cache_resource(max_entries=8, show_spinner="Reading the embeddings ...")
def _table(path: str, set_id: str, revision: str, scores_revision: str) -> EmbeddingTable:
    stored = _stored(path, set_id, revision)
    return EmbeddingTable(with_scores(stored.frame, Path(path)), stored.vectors)


@st.cache_resource(max_entries=8, show_spinner="Reading the embeddings ...")
def _case_table(path: str, set_id: str, revision: str, scores_revision: str) -> EmbeddingTable:
    table = _table(path, set_id, revision, scores_revision)
    return EmbeddingTable(*one_row_a_case(table.frame, table.vectors))
