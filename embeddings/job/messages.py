"""The messages between reading, encoding and storing; each names its set, case and item."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embeddings.records import AcquisitionRecord, Failure, LesionRecord, Source, Thumbnail


@dataclass(frozen=True)
class Item:
    """What one vector is of; `slice_index` and `z_lps_mm` are of slices alone."""

    set_id: str
    item_id: str
    case_id: str
    source: Source
    slice_index: int | None = None
    z_lps_mm: float | None = None
    thumbnail: Thumbnail | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared(Item):
    """One item ready for the encoder: its input without batch and channel axes, `[H, W]` or `[D, H, W]`.

    `mask`: the lesion on the grid of the input, where the encoder pools over it.
    """

    array: NDArray[np.float32]
    mask: NDArray[np.uint8] | None = None


@dataclass(frozen=True, kw_only=True)
class Encoded(Item):
    """One item after the encoder; `outcome` is its vector `[width]` float32, or the reason why it has none.

    `fault`: the traceback, if the program is to blame for that.
    """

    outcome: NDArray[np.float32] | str
    fault: str | None = None


@dataclass
class CaseEnd:
    """The end of a case in one set, sent when its last item was prepared; it may arrive before the items.

    Attributes:
        stamp: sizes and times of the case's files when they were read.
        source: what its vectors are made from; None if the files could not be read.
        item_ids: the items that were prepared.
        broken: items are missing.
        changed: the set has vectors of other files or another seed.
        vanished: the folder that disappeared, if that is why the case could not be read.
    """

    case_id: str
    set_id: str
    stamp: str
    source: Source | None = None
    item_ids: list[str] = field(default_factory=list)
    broken: bool = False
    changed: bool = False
    vanished: str | None = None
    acquisition: AcquisitionRecord | None = None
    lesions: list[LesionRecord] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


Message = Encoded | CaseEnd
