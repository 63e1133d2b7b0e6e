"""Records that the embedding job passes to the store, and the store's description of a cohort."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Views of imported vectors; slices are not possible, because their positions are unknown.
IMPORT_VIEWS = ("volume", "lesion")
LONGEST_REASON = 400


@dataclass(frozen=True)
class CohortInfo:
    """The cohort in one store.

    Attributes:
        simulated: True where any of its cases are simulated, which every page must state.
        created: UTC, without a time zone.
        data_root: folder that relative image paths start from.
        stage_order: the stages found, in clinical order.
    """

    name: str
    simulated: bool
    n_cases: int
    n_patients: int
    schema_version: int
    created: datetime
    data_root: Path
    cohort_csv: str
    cohort_sha256: str
    stage_order: tuple[str, ...]


@dataclass(frozen=True)
class SetIdentity:
    """The properties that make two vectors comparable; vectors of different identities are never mixed.

    Attributes:
        preset: preprocessing with its parameters, such as `lesion_mask@1.5`.
        width: dimensions of one vector.
        code_version: changes when the same scan, weights and preset would give another vector.
        weights_source, is_published: shown to users, not part of the identity.
    """

    encoder: str
    weights_sha256: str
    view: str
    preset: str
    pooling: str
    width: int
    code_version: str
    weights_source: str = field(compare=False)
    is_published: bool = field(compare=False)

    @property
    def set_id(self) -> str:
        """Readable and unique to the identity, such as `flexict-nano.lesion.1a2b3c4d`."""
        identity = {k: v for k, v in asdict(self).items() if k not in ("weights_source", "is_published")}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return f"{self.encoder}.{self.view}.{digest[:8]}"


@dataclass(frozen=True)
class Thumbnail:
    """A small axial picture of an item, so that a store can be browsed without the CTs.

    Attributes:
        png: 8-bit greyscale PNG of 128 x 128 pixels; patient's left on the right, anterior at the top.
        window: `lung` or `soft tissue`.
        pixel_mm: side of one pixel.
        z_lps_mm: height of the slice.
    """

    png: bytes
    window: str
    pixel_mm: float
    z_lps_mm: float


@dataclass(frozen=True)
class EmbeddedItem:
    """One vector `[width]` float32 and its item; only slices have `slice_index` and `z_lps_mm`."""

    item_id: str
    case_id: str
    vector: NDArray[np.float32]
    slice_index: int | None = None
    z_lps_mm: float | None = None
    thumbnail: Thumbnail | None = None


@dataclass(frozen=True)
class LesionRecord:
    """Size and position of a case's lesion; a seed has only a position. Lengths in mm, centroid in LPS."""

    case_id: str
    source: str
    centroid_lps: tuple[float, float, float]
    volume_ml: float | None = None
    equivalent_diameter_mm: float | None = None
    max_extent_mm: float | None = None
    n_components: int | None = None


@dataclass(frozen=True)
class AcquisitionRecord:
    """How a case's scan was acquired; lengths in mm, None where the file does not state it.

    Attributes:
        spacing_xy_mm, spacing_z_mm: distance between voxels in a slice, and between slices.
        slice_thickness_mm: of the reconstruction, which may overlap or leave gaps.
        kernel: of the reconstruction, in the manufacturer's words.
        kvp: peak voltage of the tube.
    """

    case_id: str
    spacing_xy_mm: float
    spacing_z_mm: float
    n_slices: int
    slice_thickness_mm: float | None = None
    manufacturer: str | None = None
    scanner_model: str | None = None
    kernel: str | None = None
    kvp: float | None = None


@dataclass(frozen=True)
class Source:
    """The source of a case's vectors in one set.

    Attributes:
        content: digest of the files and the seed that determine the vectors; another digest means other vectors.
        stamp: sizes and times of the files, a quick check for changes.
        doubt: why the voxels may not be HU, as a sentence; None where they look like CT.
    """

    case_id: str
    content: str
    stamp: str
    doubt: str | None = None


@dataclass(frozen=True)
class Failure:
    """Why a case (or one of its items) has no vector, as a sentence, and in which stage of the work.

    `stamp`: sizes and times of the case's files at that moment, where known.
    `fault`: the traceback of a fault in the program; then the next run tries again. Not stored.
    """

    case_id: str
    stage_of_work: str
    reason: str
    item_id: str | None = None
    stamp: str | None = None
    fault: str | None = None


def shortened(reason: str) -> str:
    """A reason of readable length: a longer one loses its middle."""
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON // 2]} ... {reason[-100:]}"


@dataclass(frozen=True)
class CaseOutcome:
    """A processed case; `complete` if the set has all of its items at this slice step."""

    case_id: str
    complete: bool
    slice_step: int = 1


@dataclass(frozen=True)
class RunProgress:
    """Progress of a run, in cases except `n_items`."""

    n_planned: int
    n_done: int
    n_failed: int
    n_items: int
