"""From a case's files to model inputs: everything that happens before the encoder, one case at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embeddings.acquisition import acquisition_of
from embeddings.images import ImageError, plausibility, read_mask, read_scan
from embeddings.job.plan import Task
from embeddings.job.sources import content_of
from embeddings.job.thumbnails import Painter
from embeddings.job.views import Recipe
from embeddings.lesions import Lesion, measure
from embeddings.records import AcquisitionRecord, Failure, LesionRecord, Source, Thumbnail
from flexict import preprocess
from flexict.volume import Volume

if TYPE_CHECKING:
    from embeddings.cohort import Case

# A lesion is shown with this much around it, and never in less than this many mm.
SURROUNDINGS = 2.0
LEAST_SIDE_MM = 60.0


@dataclass(frozen=True)
class Prepared:
    """One item ready for the encoder: its input without batch and channel axes, `[H, W]` or `[D, H, W]`."""

    item_id: str
    case_id: str
    array: NDArray[np.float32]
    slice_index: int | None = None
    z_lps_mm: float | None = None
    thumbnail: Thumbnail | None = None


@dataclass
class CaseEnd:
    """What is known of a case once its last item was prepared.

    `broken` if items are missing; `changed` if the set held vectors of other files or another seed.
    """

    case_id: str
    n_prepared: int = 0
    broken: bool = False
    changed: bool = False
    acquisition: AcquisitionRecord | None = None
    lesions: list[LesionRecord] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


def prepare_case(task: Task, recipe: Recipe, thumbnails: bool) -> Iterator[Source | Prepared | CaseEnd]:
    """Yield what the case is made from, its items that the set does not hold yet, then one `CaseEnd`.

    The source of a case that has changed comes only once it has given an item: until then, what was embedded
    before is kept. Whatever goes wrong with a case is told in its `CaseEnd`: one bad scan must not end a run.
    """
    end = CaseEnd(task.case.case_id)
    stage = "read"
    try:
        volume, header = read_scan(task.case.image_path)
        end.acquisition = acquisition_of(task.case.case_id, header)
        mask, lesion = _read_lesion(task.case, recipe, volume, end)
        source = Source(task.case.case_id, content_of(task.case, recipe), task.stamp, plausibility(volume))
        end.changed = task.content not in (None, source.content)
        stage = "preprocess"
        held = frozenset() if end.changed else task.held
        items = _items(task.case, held, recipe, volume, mask, lesion, thumbnails)
        first = next(items, None)
        yield source
        for item in chain([] if first is None else [first], items):
            end.n_prepared += 1
            yield item
    except Exception as error:
        end.broken = True
        end.failures.append(Failure(task.case.case_id, stage, reason_of(error)))
    yield end


def reason_of(error: Exception) -> str:
    """The error as a sentence; the kind is named where the message was not written for the reader."""
    text = " ".join(str(error).split())
    if isinstance(error, ImageError | preprocess.PreprocessError | ValueError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__} without a message"


def _read_lesion(case: Case, recipe: Recipe, volume: Volume, end: CaseEnd) -> tuple[Volume | None, Lesion | None]:
    """The mask and its measures; without them only a view that needs them fails."""
    if case.seed_lps is not None:
        end.lesions.append(LesionRecord(case.case_id, "seed", case.seed_lps))
    if case.mask_path is None:
        return None, None
    try:
        mask = read_mask(case.mask_path, volume)
        lesion = measure(mask)
    except (ValueError, OSError, RuntimeError) as error:
        if recipe.preset == "lesion_mask" or (recipe.preset == "lesion_seed" and case.seed_lps is None):
            raise
        end.failures.append(Failure(case.case_id, "measure", reason_of(error)))
        return None, None
    end.lesions.append(
        LesionRecord(
            case.case_id,
            "mask",
            lesion.centroid_lps,
            lesion.volume_ml,
            lesion.equivalent_diameter_mm,
            lesion.max_extent_mm,
            lesion.n_components,
        )
    )
    return mask, lesion


def _items(
    case: Case,
    held: frozenset[str],
    recipe: Recipe,
    volume: Volume,
    mask: Volume | None,
    lesion: Lesion | None,
    thumbnails: bool,
) -> Iterator[Prepared]:
    case_id = case.case_id
    painter = Painter(volume)
    if recipe.view == "slices":
        for placed in preprocess.slice_stack(volume, recipe.slice_step):
            item_id = recipe.item_id(case_id, placed.index)
            if item_id not in held:
                picture = painter.axial(placed.index) if thumbnails else None
                yield Prepared(item_id, case_id, placed.pixels, placed.index, placed.z_lps_mm, picture)
        return
    item_id = recipe.item_id(case_id)
    if item_id in held:
        return
    if recipe.view == "volume":
        array = getattr(preprocess, recipe.preset)(volume)
        yield Prepared(item_id, case_id, array, thumbnail=painter.middle() if thumbnails else None)
        return
    array, centre, side_mm = _lesion_crop(case, recipe, volume, mask, lesion)
    picture = painter.around(centre, max(LEAST_SIDE_MM, SURROUNDINGS * side_mm)) if thumbnails else None
    yield Prepared(item_id, case_id, array, thumbnail=picture)


def _lesion_crop(
    case: Case, recipe: Recipe, volume: Volume, mask: Volume | None, lesion: Lesion | None
) -> tuple[NDArray[np.float32], tuple[float, float, float], float]:
    """The input, the lesion's centre (LPS mm) and its extent in mm."""
    if recipe.preset == "lesion_mask":
        if mask is None or lesion is None:
            raise ValueError(
                "the case has no lesion mask, which the preset lesion_mask needs: add one, or embed the "
                "cohort with the preset lesion_seed"
            )
        array = preprocess.lesion_mask(volume, mask, recipe.scale)
        return array, lesion.centroid_lps, max(lesion.bounding_box_mm)
    centre = case.seed_lps or (lesion.centroid_lps if lesion is not None else None)
    if centre is None:
        raise ValueError("the case has no seed and no lesion mask: add seed_x, seed_y and seed_z in LPS mm")
    array = preprocess.lesion_seed(volume, centre, recipe.seed_side_mm)
    return array, centre, recipe.seed_side_mm / SURROUNDINGS
