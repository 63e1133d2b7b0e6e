"""From the files of a case to the inputs of the encoder, one case at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from embeddings.imaging.acquisition import acquisition_of
from embeddings.imaging.images import read_mask, read_scan
from embeddings.imaging.masks.lesions import Lesion, measure
from embeddings.job.faults import failure_of
from embeddings.job.messages import CaseEnd, Prepared
from embeddings.job.planning.plan import Task, Wanted
from embeddings.job.planning.sources import Digests, stamp_of, vanished_folder
from embeddings.job.planning.views import Recipe
from embeddings.job.preparation.input_cache import CachedCase, InputCache, NewEntry
from embeddings.job.preparation.thumbnails import Painter
from embeddings.records import LesionRecord, Source, Thumbnail
from flexict.errors import FlexiCTError
from flexict.presets.preprocess import Scan, slice_range
from flexict.presets.presets import PRESETS, Subject
from flexict.volume import Volume

if TYPE_CHECKING:
    from embeddings.cohort.read import Case

_LOG = logging.getLogger(__name__)
# A thumbnail of a lesion is this many times its extent, and at least this many mm.
SURROUNDINGS = 2.0
LEAST_SIDE_MM = 60.0


@dataclass(frozen=True)
class Preparation:
    """How every case is prepared: with or without thumbnails, and the folder that keeps prepared input, if any."""

    thumbnails: bool = True
    cache: Path | None = None


class ChangedMeanwhileError(FlexiCTError):
    """The files changed while they were read."""


def prepare_case(task: Task, preparation: Preparation) -> Iterator[Prepared | CaseEnd]:
    """Yield the items of a case that the sets lack, and one `CaseEnd` per set.

    The files are read once for all sets. Whatever goes wrong with a case, even a fault of this program, is recorded in
    its ends: one bad scan must not end a run. The stored items of a changed case stay until it has given a new one.
    """
    stamp = stamp_of(task.case)
    wanted = list(task.wanted)
    cache = None if preparation.cache is None else InputCache(preparation.cache)
    if cache is not None:
        for one in task.wanted:
            found = cache.find(task.case, one.recipe, stamp, preparation.thumbnails)
            if found is None:
                continue
            try:
                yield from _from_cache(task.case, one, stamp, found)
            except (OSError, ValueError) as error:
                # Items that were already handed over are repeated from the scan, which does no harm.
                _LOG.warning("the cached input disappeared while it was read (%s); reading the scan again", error)
            else:
                wanted.remove(one)
    if not wanted:
        return
    ends = {one.set_id: CaseEnd(task.case.case_id, one.set_id, stamp) for one in wanted}
    try:
        scan = _Scan(task.case)
        digests = Digests(task.case)
        contents = {one.set_id: digests.content(one.recipe) for one in wanted}
        if stamp_of(task.case) != stamp:
            raise ChangedMeanwhileError(
                f"{task.case.image_path.name} or its mask changed while it was read: run the same command again "
                "once it is complete"
            )
    except Exception as error:
        for end in ends.values():
            yield _broken(task, end, "read", error)
        return
    for one in wanted:
        end = ends[one.set_id]
        source = Source(task.case.case_id, contents[one.set_id], stamp, scan.doubt)
        yield from _prepare_set(task, one, source, scan, end, preparation, cache)


class _Scan:
    """What all sets share of a case: its files, read."""

    def __init__(self, case: Case) -> None:
        self.volume, header, self.doubt = read_scan(case.image_path)
        self.acquisition = acquisition_of(case.case_id, header)
        self.preprocessed = Scan(self.volume)
        self.painter = Painter(self.volume)
        self.mask: Volume | None = None
        self.lesion: Lesion | None = None
        self.mask_error: Exception | None = None
        self.lesions: list[LesionRecord] = []
        if case.seed_lps is not None:
            self.lesions.append(LesionRecord(case.case_id, "seed", case.seed_lps))
        if case.mask_path is not None:
            try:
                self.mask = read_mask(case.mask_path, self.volume, case.mask_label, header)
                self.lesion = measure(self.mask)
            except Exception as error:
                self.mask_error = error
            else:
                self.lesions.append(_record(case.case_id, self.lesion))


def _record(case_id: str, lesion: Lesion) -> LesionRecord:
    return LesionRecord(
        case_id,
        "mask",
        lesion.centroid_lps,
        lesion.volume_ml,
        lesion.equivalent_diameter_mm,
        lesion.max_extent_mm,
        lesion.n_components,
    )


def _prepare_set(
    task: Task,
    one: Wanted,
    source: Source,
    scan: _Scan,
    end: CaseEnd,
    preparation: Preparation,
    cache: InputCache | None,
) -> Iterator[Prepared | CaseEnd]:
    """The items of one set, also written to the cache if there is one, then the end."""
    case, recipe = task.case, one.recipe
    end.acquisition, end.lesions = scan.acquisition, scan.lesions
    end.changed = one.content not in (None, source.content)
    held = frozenset() if end.changed else one.held
    stage = "read"
    try:
        if scan.mask_error is not None:
            by_mask = recipe.preset == "lesion_mask" or recipe.with_mask
            if by_mask or (recipe.preset == "lesion_seed" and case.seed_lps is None):
                raise scan.mask_error
            end.failures.append(failure_of(case.case_id, "measure", scan.mask_error))
        stage = "preprocess"
        items = _items(case, one, held if cache is None else frozenset(), source, scan, preparation.thumbnails)
        if cache is not None:
            items = _kept(items, cache.keep(case, recipe, source.stamp, preparation.thumbnails), source, end)
        for item in items:
            if item.item_id not in held:
                end.item_ids.append(item.item_id)
                yield item
        end.source = source
    except Exception as error:
        if end.item_ids:
            end.source = source
        end = _broken(task, end, stage, error)
    yield end


def _kept(items: Iterator[Prepared], entry: NewEntry, source: Source, end: CaseEnd) -> Iterator[Prepared]:
    """The items, each written to the cache as it passes; the entry is complete once all have passed."""
    with entry:
        for item in items:
            entry.add(item)
            yield item
        if not any(failure.fault for failure in end.failures):  # the next run may do better
            entry.finish(source, end)


def _broken(task: Task, end: CaseEnd, stage: str, error: Exception) -> CaseEnd:
    end.broken = True
    end.vanished = vanished_folder(task.case, task.stamp, error)
    end.failures.append(failure_of(task.case.case_id, stage, error))
    return end


def _from_cache(case: Case, one: Wanted, stamp: str, found: CachedCase) -> Iterator[Prepared | CaseEnd]:
    end = CaseEnd(case.case_id, one.set_id, stamp, found.source)
    end.changed = one.content not in (None, found.source.content)
    end.acquisition, end.lesions, end.failures = found.acquisition, found.lesions, found.failures
    held = frozenset() if end.changed else one.held
    for item in found.items(one.set_id, one.recipe):
        if item.item_id not in held:
            end.item_ids.append(item.item_id)
            yield item
    yield end


def _items(
    case: Case, one: Wanted, held: frozenset[str], source: Source, scan: _Scan, thumbnails: bool
) -> Iterator[Prepared]:
    recipe, ct = one.recipe, scan.preprocessed
    if recipe.with_mask and scan.mask is None:
        raise FlexiCTError(
            "the case has no lesion mask, which its vector is pooled over: add one, or choose another --pooling"
        )
    centre = case.seed_lps or (scan.lesion.centroid_lps if scan.lesion is not None else None)
    subject = Subject(ct, scan.mask, centre)
    for index in slice_range(ct.n_slices, recipe.slice_step) if recipe.view == "slices" else (None,):
        item_id = recipe.item_id(case.case_id, index)
        if item_id in held:
            continue
        crop = PRESETS[recipe.preset].crop(replace(subject, slice_index=index), recipe.parameter)
        height = None if index is None else ct.slice_height_mm(index)
        picture = _picture(recipe, subject, scan, index) if thumbnails else None
        mask = crop.mask(scan.mask) if recipe.with_mask and scan.mask is not None else None
        of = (one.set_id, item_id, case.case_id, source, index, height, picture)
        yield Prepared(*of, array=crop.voxels(), mask=mask)


def _picture(recipe: Recipe, subject: Subject, scan: _Scan, index: int | None) -> Thumbnail:
    """The slice, the middle of the volume, or the lesion with its surroundings."""
    if index is not None:
        return scan.painter.axial(index)
    if recipe.view == "volume":
        return scan.painter.middle()
    if recipe.preset == "lesion_seed":
        assert subject.centre_lps is not None
        return scan.painter.around(subject.centre_lps, max(LEAST_SIDE_MM, recipe.seed_side_mm))
    assert scan.lesion is not None
    side_mm = max(LEAST_SIDE_MM, SURROUNDINGS * max(scan.lesion.bounding_box_mm))
    return scan.painter.around(scan.lesion.centroid_lps, side_mm)
