"""Encodes a batch, with a result or a reason for each item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from embeddings.job.faults import reason_and_fault, reason_of
from embeddings.job.messages import Encoded, Item, Prepared
from embeddings.job.planning.views import Encoder, JobError


class DeviceLost(JobError):  # noqa: N818  a state
    """The device no longer works; every further item would fail too."""

    temporary = True


def encode(encoder: Encoder, batch: Sequence[Prepared]) -> list[Encoded]:
    """The items of one set with their vectors, or the reason why an item has none.

    A batch that fails as a whole, through lack of memory or because of one item, is tried again item by item.

    Raises:
        DeviceLost: the device has failed, which is not the fault of an item.
    """
    outcomes = _outcomes(encoder, batch)
    return [
        Encoded(outcome=outcome, fault=fault, **{one.name: getattr(item, one.name) for one in fields(Item)})
        for item, (outcome, fault) in zip(batch, outcomes, strict=True)
    ]


def _outcomes(encoder: Encoder, batch: Sequence[Prepared]) -> list[tuple[NDArray[np.float32] | str, str | None]]:
    """A vector or a reason for each item, and the traceback if a fault of the program is the reason."""
    try:
        inputs = np.stack([item.array for item in batch])[:, None]
        if encoder.needs_mask:
            masks = np.stack([item.mask for item in batch if item.mask is not None])
            vectors = np.asarray(encoder.encode(inputs, masks))
        else:
            vectors = np.asarray(encoder.encode(inputs))
    except (RuntimeError, ValueError, MemoryError) as error:
        if "CUDA error" in str(error):
            raise DeviceLost(
                f"the device {encoder.device} has failed ({reason_of(error)}): check it and run the same command again"
            ) from error
        if len(batch) == 1:
            reason, fault = reason_and_fault(error)
            return [(f"the encoder {encoder.name} failed: {reason}", fault)]
        return [outcome for item in batch for outcome in _outcomes(encoder, [item])]
    if vectors.shape != (len(batch), encoder.width):
        found = f"an array of shape {list(vectors.shape)}, not {[len(batch), encoder.width]}"
        return [(f"the encoder {encoder.name} gave {found}", None)] * len(batch)
    return [
        (vector.astype(np.float32, copy=False), None)
        if np.isfinite(vector).all()
        else (f"the encoder {encoder.name} gave NaN or infinite values", None)
        for vector in vectors
    ]
