"""How long a run will take and what it will need, estimated from a sample of its cases: `--dry-run`.

A few cases, spread over the plan by file size, are read, prepared and encoded one after another on one core, as a
thread of the local engine does; nothing is stored. Reading is assumed to grow with the bytes of the files and encoding
with the number of items; each sampled case represents the cases of about its size.
"""

from __future__ import annotations

import math
import re
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from embeddings.formatting import counted, duration
from embeddings.formatting import size as size_words
from embeddings.imaging.images import inspect
from embeddings.job.engines.encoding import encode
from embeddings.job.engines.one_thread import one_thread
from embeddings.job.messages import Prepared
from embeddings.job.planning.plan import Task
from embeddings.job.planning.views import Encoder
from embeddings.job.preparation.input_cache import InputCache
from embeddings.job.preparation.prepare import Preparation, prepare_case
from embeddings.records import Failure
from embeddings.store.number_types import number_type_of
from flexict.errors import FlexiCTError

SAMPLE = 5
# Encoding the sample must not take as long as a run if one item takes half a minute.
MOST_ENCODING_S = 60.0
WARM_UP_S = 5.0
# Added to the spread of the sample: threads that share memory and disk, commits, a warm disk cache.
MODEL_ERROR = 0.3
ALONE_SPREAD = 0.5
BYTES_AN_ITEM = 150  # ids, place and index entries of an item in the store
BYTES_A_VOXEL = 16  # as read, as float32, reoriented, and normalised
_SIZE = re.compile(r" of (\d+) bytes")


@dataclass(frozen=True)
class EngineSize:
    """The resources of the run: `readers` and `encoders` that work at once, and the `cores` that they share.

    Attributes:
        on_gpu: encoding takes no core.
    """

    readers: int
    encoders: int
    batch_size: int
    cores: int
    on_gpu: bool = False


@dataclass(frozen=True)
class Range:
    """An estimate with the range in which the true value is expected."""

    likely: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """The expected time and size of a run.

    Attributes:
        n_cases: planned; `n_items` is estimated if the view is slices.
        n_sampled: cases in the sample.
        seconds: from the first case to the last, without loading the encoder; None if no sampled case could be read.
        vector_bytes, thumbnail_bytes, cache_bytes: on disk.
        memory_bytes: a rough estimate of the peak, at the largest scan.
        limit: what will limit the speed, `reading` or `encoding`; None if `seconds` is.
        failures: what went wrong with sampled cases.
    """

    n_cases: int
    n_items: int
    n_sampled: int
    seconds: Range | None
    vector_bytes: int
    thumbnail_bytes: int
    cache_bytes: int
    memory_bytes: int
    limit: str | None
    failures: tuple[Failure, ...] = ()

    def text(self) -> str:
        """The estimate as text."""
        if not self.n_cases:
            return "Nothing is left to do."
        lines = [
            f"{counted(self.n_cases, 'case')} to embed, about {counted(self.n_items, 'vector')}; "
            f"sampled: {counted(self.n_sampled, 'case')}."
        ]
        if self.seconds is None:
            lines.append("Cannot estimate the duration: none of the sampled cases could be embedded.")
        else:
            low, high = duration(self.seconds.low), duration(self.seconds.high)
            lines.append(
                f"It will take about {duration(self.seconds.likely)} ({low} to {high}); {self.limit} limits the speed."
            )
        disk = f"On disk {size_words(self.vector_bytes)} of vectors and {size_words(self.thumbnail_bytes)} of pictures"
        cache = f", and {size_words(self.cache_bytes)} in the cache" if self.cache_bytes else ""
        lines.append(f"{disk}{cache}; in memory up to about {size_words(self.memory_bytes)}.")
        if self.failures:
            cases = len({failure.case_id for failure in self.failures})
            lines.append(f"{cases} of the {counted(self.n_sampled, 'sampled case')} could not be embedded:")
            lines += [f"  {failure.case_id} ({failure.stage_of_work}): {failure.reason}" for failure in self.failures]
        return "\n".join(lines)


def estimate(
    tasks: Sequence[Task],
    preparation: Preparation,
    encoder: Encoder,
    size: EngineSize,
    *,
    sample: int = SAMPLE,
    number_types: Mapping[str, str] | None = None,
) -> Estimate:
    """Estimate a run of these tasks. Nothing is written, neither to a store nor to the cache.

    Args:
        preparation: as for the run. A sampled case that is in the cache is read from it.
        sample: number of cases to sample; 3 to 5 are enough.
        number_types: by set, how the store keeps its vectors; for other sets the default of the view applies.

    Raises:
        JobError: the device has failed.
    """
    if not tasks:
        return Estimate(0, 0, 0, Range(0.0, 0.0, 0.0), 0, 0, 0, 0, None)
    strata = _strata(tasks, sample)
    # As in the local engine: the times are then those of one of its threads.
    with one_thread():
        seen = [_try(stratum[len(stratum) // 2], preparation, size.batch_size) for stratum in strata]
        pace, encoding_failures = _pace(encoder, seen, size.batch_size)
    failures = tuple(failure for one in seen for failure in one.failures) + tuple(encoding_failures)
    n_items = _expected_items(strata, seen)
    total_items = sum(n_items.values())
    worked = [one for one in seen if one.worked]
    item_s = _mean_of_sets(pace, n_items)
    n_pictures = sum(one.n_items for one in seen)
    width = encoder.width
    number_types = {w.set_id: number_type_of(w.recipe.view) for t in tasks for w in t.wanted} | dict(number_types or {})
    item_bytes = max((one.item_bytes for one in seen), default=0)
    seconds, limit = None, None
    if worked:
        reading = sum(
            _bytes(stratum) * statistics.fmean(other.seconds_a_byte for other in _like(one, worked))
            for one, stratum in zip(seen, strata, strict=True)
        )
        spread_of_reading = _spread([one.seconds_a_byte for one in worked])
        spread_of_encoding = _spread([s for times in pace.values() for s in times])
        encoding = item_s * total_items
        likely = _elapsed(reading, encoding, size)
        low = _elapsed(reading / (1 + spread_of_reading), encoding / (1 + spread_of_encoding), size)
        high = _elapsed(reading * (1 + spread_of_reading), encoding * (1 + spread_of_encoding), size)
        seconds = Range(likely, low, high)
        limit = "reading" if reading / size.readers > encoding / size.encoders else "encoding"
    return Estimate(
        n_cases=len(tasks),
        n_items=total_items,
        n_sampled=len(seen),
        seconds=seconds,
        vector_bytes=sum(
            n * (width * np.dtype(number_types[set_id]).itemsize + BYTES_AN_ITEM) for set_id, n in n_items.items()
        ),
        thumbnail_bytes=round(total_items * sum(one.picture_bytes for one in seen) / n_pictures) if n_pictures else 0,
        cache_bytes=0 if preparation.cache is None else total_items * item_bytes,
        memory_bytes=_memory(strata[-1][-1], size, item_bytes),
        limit=limit,
        failures=failures,
    )


@dataclass
class _Tried:
    """A sampled case: the time and the result of reading it, and some of its items for the encoder."""

    n_bytes: int
    seconds: float = 0.0
    by_set: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    kept: list[Prepared] = field(default_factory=list)
    picture_bytes: int = 0
    item_bytes: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def n_items(self) -> int:
        return sum(self.by_set.values())

    @property
    def worked(self) -> bool:
        """Whether it gave items, or has none without having failed."""
        return self.n_items > 0 or not self.failures

    @property
    def seconds_a_byte(self) -> float:
        return self.seconds / self.n_bytes


def _strata(tasks: Sequence[Task], sample: int) -> list[list[Task]]:
    """The tasks sorted by file size, in equal parts, one per sampled case."""
    ordered = sorted(tasks, key=bytes_of)
    n_parts = max(1, min(sample, len(ordered)))
    cuts = [round(part * len(ordered) / n_parts) for part in range(n_parts + 1)]
    return [ordered[a:b] for a, b in pairwise(cuts)]


def _like(one: _Tried, worked: Sequence[_Tried]) -> Sequence[_Tried]:
    """The sampled cases that represent a stratum: its own, or all that worked if its own failed."""
    return [one] if one.worked else worked


def bytes_of(task: Task) -> int:
    """Bytes of the image and the mask of a case, from its stamp; at least 1, so that a missing file has a weight."""
    return max(1, sum(int(found) for found in _SIZE.findall(task.stamp)))


def _bytes(tasks: Sequence[Task]) -> int:
    return sum(bytes_of(task) for task in tasks)


def _try(task: Task, preparation: Preparation, batch_size: int) -> _Tried:
    if preparation.cache is not None and not _is_cached(task, preparation):
        preparation = replace(preparation, cache=None)
    tried = _Tried(bytes_of(task))
    began = time.perf_counter()
    for message in prepare_case(task, preparation):
        tried.seconds += time.perf_counter() - began
        if isinstance(message, Prepared):
            if tried.by_set[message.set_id] < batch_size:
                tried.kept.append(message)
            tried.by_set[message.set_id] += 1
            tried.item_bytes = max(tried.item_bytes, message.array.nbytes)
            tried.picture_bytes += 0 if message.thumbnail is None else len(message.thumbnail.png)
        else:
            tried.failures += [failure for failure in message.failures if failure not in tried.failures]
        began = time.perf_counter()
    tried.seconds += time.perf_counter() - began
    return tried


def _is_cached(task: Task, preparation: Preparation) -> bool:
    assert preparation.cache is not None
    cache = InputCache(preparation.cache)
    return all(cache.find(task.case, one.recipe, task.stamp, preparation.thumbnails) for one in task.wanted)


def _pace(encoder: Encoder, seen: Sequence[_Tried], batch_size: int) -> tuple[dict[str, list[float]], list[Failure]]:
    """Seconds per item of the encoded batches, by set, and the failures of the encoder."""
    items: dict[str, list[Prepared]] = defaultdict(list)
    for one in seen:
        for item in one.kept:
            items[item.set_id].append(item)
    pace: dict[str, list[float]] = defaultdict(list)
    failures: list[Failure] = []
    began = time.perf_counter()
    for set_id, kept in items.items():
        for start in range(0, len(kept), batch_size):
            if pace[set_id] and time.perf_counter() - began > MOST_ENCODING_S / len(items):
                break
            batch = kept[start : start + batch_size]
            seconds, encoded = _timed(encoder, batch)
            # The first call is slower: it prepares what later ones reuse.
            if start == 0 and seconds < WARM_UP_S:
                seconds, encoded = _timed(encoder, batch)
            pace[set_id].append(seconds / len(batch))
            failures += [
                Failure(one.case_id, "encode", one.outcome, one.item_id)
                for one in encoded
                if isinstance(one.outcome, str)
            ]
    return dict(pace), failures


def _timed(encoder: Encoder, batch: Sequence[Prepared]) -> tuple[float, list[Any]]:
    began = time.perf_counter()
    encoded = encode(encoder, batch)
    return time.perf_counter() - began, list(encoded)


def _expected_items(strata: Sequence[Sequence[Task]], seen: Sequence[_Tried]) -> dict[str, int]:
    """Items by set: one per case, or for slices as many as the sampled case of that size has."""
    expected: dict[str, float] = defaultdict(float)
    worked = [one for one in seen if one.worked]
    for tried, stratum in zip(seen, strata, strict=True):
        like = _like(tried, worked)
        for task in stratum:
            for one in task.wanted:
                if one.recipe.view == "slices":
                    a_byte = [other.by_set.get(one.set_id, 0) / other.n_bytes for other in like]
                    expected[one.set_id] += bytes_of(task) * statistics.fmean(a_byte) if a_byte else 0.0
                else:
                    expected[one.set_id] += one.recipe.item_id(task.case.case_id) not in one.held
    return {set_id: round(count) for set_id, count in expected.items()}


def _mean_of_sets(pace: Mapping[str, Sequence[float]], n_items: Mapping[str, int]) -> float:
    """Seconds per item over all sets, weighted by their items; a set without items in the sample counts as the mean."""
    means = {set_id: statistics.fmean(times) for set_id, times in pace.items()}
    known = sum(n_items.get(set_id, 0) for set_id in means)
    if not known:
        return statistics.fmean(means.values()) if means else 0.0
    return sum(mean * n_items.get(set_id, 0) for set_id, mean in means.items()) / known


def _spread(rates: Sequence[float]) -> float:
    """Relative half-width: two standard errors of the sample mean, plus the error of the model."""
    if len(rates) < 2:
        return MODEL_ERROR + ALONE_SPREAD
    mean = statistics.fmean(rates)
    error = statistics.stdev(rates) / mean / math.sqrt(len(rates)) if mean > 0 else 0.0
    return MODEL_ERROR + 2.0 * error


def _elapsed(reading_s: float, encoding_s: float, size: EngineSize) -> float:
    """The longest of the times of reading, of encoding, and of the cores that they share."""
    on_cores = reading_s + (0.0 if size.on_gpu else encoding_s)
    return max(reading_s / size.readers, encoding_s / size.encoders, on_cores / size.cores)


def _memory(largest: Task, size: EngineSize, item_bytes: int) -> int:
    """The memory of the process now, plus one scan of the largest size per reader and the items in the queues."""
    try:
        n_voxels = math.prod(inspect(largest.case.image_path).shape_zyx)
    except (FlexiCTError, OSError, RuntimeError):
        n_voxels = 0
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    waiting = max(2, 2 * size.batch_size) * size.encoders + size.readers + size.batch_size * size.encoders
    return int(held + size.readers * n_voxels * BYTES_A_VOXEL + waiting * item_bytes)
