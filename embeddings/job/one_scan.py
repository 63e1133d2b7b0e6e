"""Embeds one scan exactly as an embedding set was made, to compare it with that set; nothing is stored.

It uses the job's own functions (`prepare_case`, `encode`), so that a scan of the cohort gets its stored vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from embeddings.cohort.read import Case
from embeddings.job.engines.encoding import encode
from embeddings.job.engines.one_thread import one_thread
from embeddings.job.messages import CaseEnd, Prepared
from embeddings.job.planning.plan import Task, Wanted
from embeddings.job.planning.sources import stamp_of
from embeddings.job.planning.views import CODE_VERSION, Encoder, JobError, Recipe, identity_of
from embeddings.job.preparation.prepare import Preparation, prepare_case
from embeddings.records import SetIdentity
from embeddings.store.store import Store
from flexict.hub.plugins import open_encoder
from flexict.kinds import read_label
from flexict.presets.preprocess import PreprocessError
from flexict.presets.presets import read_label as read_preset

CASE_ID = "looked up"


@dataclass(frozen=True)
class Scan:
    """A CT, and what marks its lesion, if anything: a mask, perhaps with several labels, or a point in LPS mm."""

    image: Path
    mask: Path | None = None
    seed_lps: tuple[float, float, float] | None = None
    mask_label: str | None = None

    @property
    def case(self) -> Case:
        """The scan as the job takes it."""
        seed, label = self.seed_lps, self.mask_label
        return Case(2, CASE_ID, CASE_ID, self.image, self.mask, seed, None, {}, mask_label=label)


def recipe_of(embedding_set: Mapping[str, Any], slice_step: int = 1) -> Recipe:
    """The recipe that filled a set, read from its row in `Store.sets`.

    Raises:
        JobError: vectors of another program, or of another version of this one.
    """
    try:
        preset, parameter = read_preset(str(embedding_set["preset"]))
    except PreprocessError as error:
        raise JobError(
            f"the vectors of {embedding_set['set_id']} were not made by this program, which therefore cannot make "
            "comparable ones: choose a set that the embedding job wrote"
        ) from error
    if str(embedding_set["code_version"]) != CODE_VERSION:
        raise JobError(
            f"the set {embedding_set['set_id']} was made by version {embedding_set['code_version']} of the embedding "
            f"code, this is version {CODE_VERSION}: their vectors are not comparable; embed the cohort again"
        )
    return Recipe(
        view=str(embedding_set["view"]),
        preset=preset.name,
        scale=parameter if preset.name == "lesion_mask" else 1.5,
        seed_side_mm=parameter if preset.name == "lesion_seed" else 64.0,
        slice_step=slice_step,
        with_mask=str(embedding_set["pooling"]).startswith("mask_pooled"),
    )


def prepared_items(scan: Scan, recipe: Recipe, first_only: bool = False) -> list[Prepared]:
    """The inputs of the encoder, each with its picture; `first_only` stops after one (of many slices).

    Raises:
        JobError: the scan or its lesion cannot be read or does not fit the recipe, with the reason.
    """
    task = Task(scan.case, stamp_of(scan.case), (Wanted(CASE_ID, recipe),))
    items: list[Prepared] = []
    for message in prepare_case(task, Preparation()):
        if isinstance(message, Prepared):
            items.append(message)
            if first_only:
                return items
        elif isinstance(message, CaseEnd) and message.broken:
            _refuse(message.failures[-1].reason, message.failures[-1].fault)
    return items


def usual_slice_step(store: Store, set_id: str) -> int:
    """The slice step of most cases of a set: as its runs recorded it, else by the distance of its slices."""
    steps = store.completed(set_id)["slice_step"]
    if steps.empty:
        items = store.items(set_id).sort_values(["case_id", "slice_index"])
        steps = items.groupby("case_id")["slice_index"].diff().dropna()
    return 1 if steps.empty else int(steps.mode().iloc[0])


def open_encoder_of(embedding_set: Mapping[str, Any], recipe: Recipe, weights: str | None = None) -> Encoder:
    """The encoder that made a set, on the CPU.

    Raises:
        JobError: the weights found are not those of the set, or the vectors would be of another kind.
        FlexiCTError: an encoder that is not installed.
        flexict.CheckpointError: the weights cannot be used.
    """
    made = read_label(str(embedding_set["pooling"]))
    encoder = open_encoder(
        str(embedding_set["encoder"]),
        weights,
        pooling=None if " " in made.kind else made.kind,  # an encoder of another package has one kind, named in words
        patch=made.patch,
        precision=made.precision,
    )
    _check_identity(identity_of(encoder, recipe), embedding_set)
    return encoder


def embed_scan(scan: Scan, encoder: Encoder, recipe: Recipe) -> NDArray[np.float32]:
    """The vector `[width]` of the scan: of its volume or lesion, or the mean of its slices, as in `one_row_a_case`.

    Raises:
        JobError: what `prepared_items` raises, or an item for which the encoder gives no vector.
    """
    vectors = []
    with one_thread():
        for item in prepared_items(scan, recipe):
            # One by one, as in the job on a CPU: a vector then depends on no other item.
            (encoded,) = encode(encoder, [item])
            if isinstance(encoded.outcome, str):
                _refuse(encoded.outcome, encoded.fault)
            vectors.append(encoded.outcome)
    if not vectors:
        raise JobError(f"{scan.image.name} has no item for the view {recipe.view}: choose another embedding set")
    return np.asarray(np.mean(vectors, axis=0, dtype=np.float64), dtype=np.float32)


def _refuse(reason: str, fault: str | None) -> NoReturn:
    """Raise an error for the user, or a fault of the program with its traceback."""
    if fault is not None:
        raise RuntimeError(f"{reason}\n{fault}")
    raise JobError(reason)


def _check_identity(mine: SetIdentity, embedding_set: Mapping[str, Any]) -> None:
    if mine.weights_sha256 != embedding_set["weights_sha256"]:
        raise JobError(
            f"the weights of {mine.encoder} on this machine (SHA-256 {mine.weights_sha256[:12]}...) are not those of "
            f"the set ({str(embedding_set['weights_sha256'])[:12]}...): their vectors are not comparable"
        )
    others = [
        f"{name} {value!s} (the set has {embedding_set[name]!s})"
        for name, value in asdict(mine).items()
        if name not in ("weights_source", "is_published") and value != embedding_set[name]
    ]
    if others:
        raise JobError(f"a vector made here would not be comparable with those of the set: {'; '.join(others)}")
