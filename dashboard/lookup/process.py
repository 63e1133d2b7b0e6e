"""A process that embeds a scan for the page Look up a CT, as `embeddings.worker.analyses` runs analyses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.compute.task import Task
from embeddings.analysis import progress
from embeddings.store.store import Store
from embeddings.worker.process import serve
from flexict.errors import FlexiCTError

# The place on the pages that a vector is for.
SLOT = "lookup"


@dataclass(frozen=True)
class LookUpRequest:
    """Everything that decides the vector: cohort file, embedding set, scan, lesion mask or point (LPS mm), label."""

    cohort: Path
    set_id: str
    image: Path
    mask: Path | None = None
    point_lps: tuple[float, float, float] | None = None
    mask_label: str | None = None

    @property
    def task(self) -> Task:
        """The task of embedding the scan; its vector is deleted with the scan."""
        words, module = "Embedding the CT", "dashboard.lookup.process"
        return Task(embed_like_set, {"request": self}, words, module=module, private=True)


def embed_like_set(request: LookUpRequest) -> NDArray[np.float32]:
    """The scan's vector `[width]`, embedded as the set was.

    Raises:
        FlexiCTError: there is no such set, or the scan cannot be read or embedded as the set was, with the reason.
    """
    # Imports torch, which the pages do not need.
    from embeddings.job.one_scan import Scan, embed_scan, open_encoder_of, recipe_of, usual_slice_step

    store = Store(request.cohort)
    rows = store.sets().set_index("set_id", drop=False)
    if request.set_id not in rows.index:
        raise FlexiCTError(f"{request.cohort.name} has no embedding set {request.set_id}: choose another")
    embedding_set = {str(name): value for name, value in rows.loc[request.set_id].items()}
    recipe = recipe_of(embedding_set, usual_slice_step(store, request.set_id))
    scan = Scan(request.image, request.mask, request.point_lps, request.mask_label)
    try:
        progress.report(0, 3, "loading the encoder")
        encoder = open_encoder_of(embedding_set, recipe)
        progress.report(1, 3, "reading and encoding the scan")
        return embed_scan(scan, encoder, recipe)
    except OSError as error:
        raise FlexiCTError(str(error)) from error


if __name__ == "__main__":
    serve([embed_like_set])
