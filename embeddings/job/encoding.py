"""A batch through the encoder, with each item's fate told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embeddings.job.prepare import Prepared, reason_of
from embeddings.job.views import Encoder


def encode(encoder: Encoder, batch: Sequence[Prepared]) -> list[NDArray[np.float32] | str]:
    """For each item its vector `[width]`, or the reason why there is none.

    A batch that fails as a whole, for want of memory or because of one item, is tried again item by item.
    """
    try:
        vectors = np.asarray(encoder.encode(np.stack([item.array for item in batch])[:, None]))
    except (RuntimeError, ValueError, MemoryError) as error:
        if len(batch) == 1:
            return [f"the encoder {encoder.name} failed: {reason_of(error)}"]
        return [outcome for item in batch for outcome in encode(encoder, [item])]
    if vectors.shape != (len(batch), encoder.width):
        found = f"{list(vectors.shape)} numbers where {[len(batch), encoder.width]} were expected"
        return [f"the encoder {encoder.name} gave {found}"] * len(batch)
    return [
        vector.astype(np.float32, copy=False)
        if np.isfinite(vector).all()
        else f"the encoder {encoder.name} gave NaN or infinite numbers for it"
        for vector in vectors
    ]
