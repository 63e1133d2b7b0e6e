"""Text against the vectors of a store: which scans a sentence fits, and how a list of findings scores.

Both need a set of an encoder that was aligned with reports, and the text tower of the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from embeddings.store.store import Store, StoreError
from flexict.errors import FlexiCTError
from flexict.kinds import VLM
from flexict.text.text_tower import TextTower, load_text_tower, similarity, zero_shot

SCORE = "similarity"


class TextSearchError(FlexiCTError):
    """The store cannot be searched by text; the message says why and what to do."""


def text_sets(store: Store) -> pd.DataFrame:
    """The sets whose vectors share a space with text, as `Store.sets` has them, those with most items first."""
    sets = store.sets()
    kinds = sets["pooling"].astype(str).str.split(",").str[0]
    return sets[(kinds == VLM) & (sets["n_items"] > 0)].sort_values("n_items", ascending=False, kind="stable")


def search(store: Store, sentence: str, tower: TextTower, set_id: str) -> pd.DataFrame:
    """The items of a set, the most alike to a sentence first: the columns of the store and `similarity`.

    `similarity` is exp(logit scale) times the cosine: it orders scans, and says nothing of whether any of them fits.

    Raises:
        flexict.text.text_tower.TextError: an empty sentence, or one longer than the tower takes.
        TextSearchError: the tower has other weights than the set.
        StoreError: the store has no such set.
    """
    _check(store, tower, set_id)
    frame, vectors = store.table(set_id)
    scores = similarity(vectors, tower.encode([sentence]), tower.logit_scale)[:, 0]
    frame = frame.assign(**{SCORE: scores})
    return frame.sort_values(SCORE, ascending=False, kind="stable").reset_index(drop=True)


def score_findings(store: Store, findings: Sequence[str], tower: TextTower, set_id: str) -> pd.DataFrame:
    """One row an item: `item_id`, `case_id` and a column a finding, its share against its negation, 0 to 1.

    Raises what `search` raises.
    """
    _check(store, tower, set_id)
    frame, vectors = store.table(set_id)
    scores = zero_shot(vectors, tower, findings)
    columns = {finding.strip(): scores[:, number] for number, finding in enumerate(findings)}
    return pd.concat([frame[["item_id", "case_id"]].reset_index(drop=True), pd.DataFrame(columns)], axis=1)


def open_tower(
    store: Store,
    set_id: str | None = None,
    weights: str | Path | None = None,
    text_folder: str | Path | None = None,
    device: str = "cpu",
) -> tuple[TextTower, str]:
    """The text tower that belongs to a set (by default the largest that there is), and the set's id.

    Raises:
        TextSearchError: no set shares a space with text.
        flexict.CheckpointError: the tower's files are absent or damaged.
    """
    sets = text_sets(store)
    if set_id is not None:
        sets = sets[sets["set_id"] == set_id]
    if sets.empty:
        which = f"the set {set_id} of {store.path} is none" if set_id else f"{store.path} has no set"
        raise TextSearchError(
            f"{which} whose vectors share a space with text: embed the cohort with --encoder flexict-nano-vlm, or "
            "with flexict-3d-vlm and its published weights"
        )
    chosen = sets.iloc[0]
    tower = load_text_tower(str(chosen["encoder"]), weights, text_folder, device)
    return tower, str(chosen["set_id"])


def _check(store: Store, tower: TextTower, set_id: str) -> None:
    sets = store.sets().set_index("set_id")
    if set_id not in sets.index:
        raise StoreError(f"{store.path} has no embedding set {set_id!r}: choose one of {', '.join(sets.index)}")
    if sets.loc[set_id, "weights_sha256"] != tower.weights_sha256:
        raise TextSearchError(
            f"the set {set_id} was made with other weights than this text tower: give those with --weights"
        )
    if not np.isin(set_id, text_sets(store)["set_id"]):
        raise TextSearchError(f"the vectors of {set_id} share no space with text: choose a set of the kind {VLM}")
