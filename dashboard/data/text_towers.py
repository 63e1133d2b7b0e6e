"""The text towers of this process: each is loaded once for all sessions and encodes one text at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.data import loading, zero_shot
from embeddings.store.store import Store
from embeddings.text_search import open_tower
from embeddings.text_search import search as rank_items
from flexict.errors import FlexiCTError
from flexict.text.text_tower import TextTower

# A tokenizer keeps state, so two sessions must not use it at the same time.
_ONE_AT_A_TIME = threading.Lock()


def ranking(path: Path, set_id: str, sentence: str) -> pd.DataFrame:
    """The items of a text set ranked by similarity to a sentence, with `similarity`.

    Raises:
        FlexiCTError: an empty or too long sentence, a tower of other weights, or one whose files are missing.
    """
    return _ranking(str(path), set_id, sentence, loading.revision(path))


def score(path: Path, set_id: str, findings: Sequence[str]) -> pd.DataFrame:
    """Score findings, save them in the cohort file and return them; raises what `ranking` raises, and `StoreError`."""
    tower = _tower_of(path, set_id)
    with _ONE_AT_A_TIME:
        return zero_shot.keep(path, set_id, findings, tower)


@st.cache_data(max_entries=32, show_spinner="Reading the sentence ...")
def _ranking(path: str, set_id: str, sentence: str, revision: str) -> pd.DataFrame:
    tower = _tower_of(Path(path), set_id)
    with _ONE_AT_A_TIME:
        return rank_items(Store(path), sentence, tower, set_id)


def _tower_of(path: Path, set_id: str) -> TextTower:
    sets = Store(path).sets().set_index("set_id")
    if set_id not in sets.index:
        raise FlexiCTError(f"{path.name} no longer has the embedding set {set_id}: choose another one.")
    return _tower(str(sets.loc[set_id, "encoder"]), str(sets.loc[set_id, "weights_sha256"]), path, set_id)


@st.cache_resource(max_entries=4, show_spinner="Loading the text tower ...")
def _tower(encoder: str, weights_sha256: str, _path: Path, _set_id: str) -> TextTower:
    return open_tower(Store(_path), _set_id)[0]
