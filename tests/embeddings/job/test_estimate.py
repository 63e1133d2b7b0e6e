"""The estimate of a run from a sample of its cases, held against runs whose cost is known."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from embeddings.cohort.read import Case, read_cohort
from embeddings.job.dry_run import dry_run
from embeddings.job.estimate import BYTES_AN_ITEM, EngineSize, Estimate, Range, bytes_of, estimate
from embeddings.job.planning.plan import Task, Wanted, missing
from embeddings.job.planning.sources import stamp_of
from embeddings.job.planning.views import Recipe, identity_of
from embeddings.job.preparation import prepare
from embeddings.job.preparation.prepare import Preparation
from embeddings.job.settings import JobSettings
from embeddings.records import EmbeddedItem
from embeddings.store.store import Store

VOLUME = Recipe("volume", "default", 1.5, 64.0, 1)
SLICES = Recipe("slices", "slice", 1.5, 64.0, 4)
SIZE = EngineSize(readers=2, encoders=1, batch_size=1, cores=8)
Waiting = Callable[[float], Callable[[NDArray[np.float32]], None]]


@pytest.fixture
def sized_cohort(tmp_path: Path) -> list[Case]:
    """Twelve scans of 4 to 48 slices, uncompressed, so that bytes and slices go together."""
    rng = np.random.default_rng(0)
    lines = ["case_id,image_path"]
    for n in range(12):
        image = sitk.GetImageFromArray(rng.normal(-500, 300, (4 * (n + 1), 48, 48)).astype(np.int16))
        image.SetSpacing((4.0, 4.0, 4.0))
        sitk.WriteImage(image, str(tmp_path / f"c{n}.nii"))
        lines.append(f"c{n},c{n}.nii")
    (tmp_path / "cohort.csv").write_text("\n".join(lines) + "\n")
    return read_cohort(tmp_path / "cohort.csv").cases


def tasks_of(cases: list[Case], recipes: Mapping[str, Recipe]) -> list[Task]:
    return [Task(case, stamp_of(case), tuple(Wanted(s, r) for s, r in recipes.items())) for case in cases]


class Clock:
    """Time as the estimate sees it: it passes where a test says so, and nowhere else."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the estimate."""
    made = Clock()
    monkeypatch.setattr(sys.modules[estimate.__module__], "time", made)
    return made


@pytest.fixture
def slow_reading(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Callable[[float], None]:
    """`slow_reading(s)`: reading takes so many seconds a megabyte."""

    def slow(seconds: float) -> None:
        read = prepare.read_scan

        def read_and_wait(path: Path) -> Any:
            found = read(path)
            clock.wait(seconds * path.stat().st_size / 1e6)
            return found

        monkeypatch.setattr(prepare, "read_scan", read_and_wait)

    return slow


@pytest.fixture
def waiting(clock: Clock) -> Callable[[float], Callable[[NDArray[np.float32]], None]]:
    """`waiting(s)`: what an encoder does before it computes, as long for each item of a batch."""
    return lambda seconds: lambda batch: clock.wait(seconds * len(batch))


def scheduled(cases: list[tuple[float, int]], encoding_s: float, readers: int) -> float:
    """When the last of some cases is encoded, one item after the other, as soon as a free reader has read it.

    Args:
        cases: seconds to read, and items, of each in the order of the run.
    """
    free, encoded = [0.0] * readers, 0.0
    for reading_s, n_items in cases:
        reader = free.index(min(free))
        free[reader] += reading_s
        encoded = max(encoded, free[reader]) + encoding_s * n_items
    return encoded


@pytest.mark.parametrize(
    ("reading_s", "encoding_s", "recipe", "limit"),
    [(4.0, 0.02, VOLUME, "reading"), (0.2, 0.25, VOLUME, "encoding"), (0.5, 0.03, SLICES, "encoding")],
    ids=["reading limits the speed", "encoding limits the speed", "slices"],
)
def test_the_range_holds_what_the_run_takes(
    reading_s: float,
    encoding_s: float,
    recipe: Recipe,
    limit: str,
    sized_cohort: list[Case],
    slow_reading: Callable[[float], None],
    waiting: Waiting,
    make_encoder: Any,
) -> None:
    slow_reading(reading_s)
    tasks = tasks_of(sized_cohort, {"set": recipe})
    found = estimate(tasks, Preparation(), make_encoder(before=waiting(encoding_s)), SIZE)
    megabytes = [case.image_path.stat().st_size / 1e6 for case in sized_cohort]
    n_items = [1 if recipe is VOLUME else n + 1 for n in range(len(sized_cohort))]
    seconds = scheduled(
        [(reading_s * mb, n) for mb, n in zip(megabytes, n_items, strict=True)], encoding_s, SIZE.readers
    )
    assert found.seconds is not None
    assert found.seconds.low <= seconds <= found.seconds.high, (found, seconds)
    # Not so wide that it says nothing.
    assert found.seconds.high < 4 * found.seconds.low
    assert (found.limit, found.n_cases, found.n_sampled) == (limit, 12, 5)
    assert found.n_items == pytest.approx(sum(n_items), rel=0.05)
    assert found.failures == ()


def test_large_files_weigh_by_their_bytes(
    sized_cohort: list[Case], slow_reading: Callable[[float], None], make_encoder: Any
) -> None:
    slow_reading(3.0)
    tasks = tasks_of(sized_cohort, {"set": VOLUME})
    found = estimate(tasks, Preparation(thumbnails=False), make_encoder(), replace(SIZE, readers=1), sample=3)
    truth = 3.0 * sum(case.image_path.stat().st_size for case in sized_cohort) / 1e6
    assert found.seconds is not None
    assert 0.99 * truth <= found.seconds.likely <= 1.5 * truth


def test_cores_that_are_shared_set_the_pace(
    sized_cohort: list[Case], slow_reading: Callable[[float], None], waiting: Waiting, make_encoder: Any
) -> None:
    slow_reading(0.1)
    tasks = tasks_of(sized_cohort, {"set": VOLUME})
    encoder = make_encoder(before=waiting(0.05))
    wide = estimate(tasks, Preparation(), encoder, EngineSize(8, 8, 1, 8))
    narrow = estimate(tasks, Preparation(), encoder, EngineSize(8, 8, 1, 1))
    gpu = estimate(tasks, Preparation(), encoder, EngineSize(8, 1, 1, 8, on_gpu=True))
    assert wide.seconds is not None
    assert narrow.seconds is not None
    assert gpu.seconds is not None
    assert narrow.seconds.likely > 4 * wide.seconds.likely
    assert gpu.seconds.likely == pytest.approx(12 * 0.05, rel=0.3)


def test_disk_is_counted_by_width_storage_pictures_and_cache(
    sized_cohort: list[Case], make_encoder: Any, tmp_path: Path
) -> None:
    tasks = tasks_of(sized_cohort, {"set": SLICES})
    encoder = make_encoder()
    cache = tmp_path / "cache"
    full = estimate(tasks, Preparation(cache=cache), encoder, SIZE, number_types={"set": "float32"})
    # Slices are kept in half precision, unless the store has turned their set to float32.
    half = estimate(tasks, Preparation(thumbnails=False), encoder, SIZE)
    assert full.n_items == half.n_items
    assert full.vector_bytes - half.vector_bytes == 2 * 12 * full.n_items
    assert full.thumbnail_bytes > 1000 * full.n_items
    assert half.thumbnail_bytes == 0
    assert full.cache_bytes == full.n_items * 512 * 512 * 4
    assert half.cache_bytes == 0
    assert half.memory_bytes > 50e6
    # The sample was not kept.
    assert not cache.exists()


def test_nothing_to_do_is_said(make_encoder: Any) -> None:
    found = estimate([], Preparation(), make_encoder(), SIZE)
    assert found == Estimate(0, 0, 0, Range(0.0, 0.0, 0.0), 0, 0, 0, 0, None)
    assert found.text() == "Nothing is left to do."


def test_what_goes_wrong_in_the_sample_is_told(
    sized_cohort: list[Case], slow_reading: Callable[[float], None], make_encoder: Any
) -> None:
    slow_reading(3.0)
    broken = sized_cohort[10].image_path
    broken.write_bytes(bytes(352) + broken.read_bytes()[352:])
    sized_cohort[5].image_path.unlink()
    tasks = tasks_of([sized_cohort[n] for n in (5, 7, 10)], {"set": VOLUME})
    found = estimate(tasks, Preparation(), make_encoder(), SIZE)
    assert {failure.case_id for failure in found.failures} == {"c5", "c10"}
    assert found.seconds is not None
    assert "2 of the 3 sampled cases could not be embedded:" in found.text()
    assert "c10 (read): " in found.text()
    # A file that fails at once says nothing of how long others of its size take.
    assert found.seconds.likely > 3.0 * (tasks[1].case.image_path.stat().st_size + broken.stat().st_size) / 1e6 / 2
    for case in sized_cohort:
        case.image_path.unlink(missing_ok=True)
    nothing = estimate(tasks_of(sized_cohort, {"set": VOLUME}), Preparation(), make_encoder(), SIZE)
    assert (nothing.seconds, nothing.limit) == (None, None)
    assert "Cannot estimate the duration" in nothing.text()


def test_an_encoder_that_refuses_is_told(sized_cohort: list[Case], make_encoder: Any) -> None:
    def refuse(batch: NDArray[np.float32]) -> None:
        raise RuntimeError("out of memory")

    found = estimate(tasks_of(sized_cohort, {"set": VOLUME}), Preparation(), make_encoder(before=refuse), SIZE)
    assert len(found.failures) == 5
    assert "out of memory" in found.text()


def test_the_sentences_name_time_disk_and_memory() -> None:
    found = Estimate(1000, 200_000, 5, Range(7200, 5400, 9600), 300_000_000, 10**9, 0, 3_500_000_000, "reading")
    assert found.text() == (
        "1,000 cases to embed, about 200,000 vectors; sampled: 5 cases.\n"
        "It will take about 2 h 0 min (90 min to 2 h 40 min); reading limits the speed.\n"
        "On disk 300 MB of vectors and 1 GB of pictures; in memory up to about 3.5 GB."
    )


def test_the_size_of_a_case_is_that_of_its_files(make_cohort: Callable[..., Path]) -> None:
    for task in tasks_of(read_cohort(make_cohort(2)).cases, {"set": VOLUME}):
        assert task.case.mask_path is not None
        assert bytes_of(task) == task.case.image_path.stat().st_size + task.case.mask_path.stat().st_size


def test_the_plan_of_a_dry_run_is_that_of_the_run_and_writes_nothing(
    make_cohort: Callable[..., Path], make_encoder: Any, tmp_path: Path
) -> None:
    from embeddings import job

    csv, db, encoder = make_cohort(4), tmp_path / "x.duckdb", make_encoder()
    cases = read_cohort(csv).cases
    volumes, slices = identity_of(encoder, VOLUME).set_id, identity_of(encoder, SLICES).set_id
    both = {volumes: VOLUME, slices: SLICES}
    # Without a store, everything.
    tasks = missing(None, both, cases).tasks
    assert [[one.set_id for one in task.wanted] for task in tasks] == [[volumes, slices]] * 4
    assert not db.exists()
    # With one of the two sets, what that lacks and all of the other.
    job.run(csv, db, encoder=encoder, view="volume", limit=3)
    before = db.read_bytes()
    store = Store(db)
    tasks = missing(store, both, cases).tasks
    assert sorted(tuple(sorted(one.set_id for one in task.wanted)) for task in tasks) == sorted(
        [(slices,)] * 3 + [tuple(sorted((volumes, slices)))]
    )
    assert [task.case.case_id for task in missing(store, {volumes: VOLUME}, cases).tasks] == ["c3"]
    assert len(missing(store, both, cases, limit=2).tasks) == 2
    settings = JobSettings(encoder=encoder, views=("volume", "slices"), slice_step=4, shard=(1, 1), engine="ray")
    found = dry_run(csv, db, settings)
    assert found.n_cases == 4
    assert found.n_items == 1 + 4 * 24 // 4
    assert db.read_bytes() == before
    assert len(Store(db).sets()) == 1


@pytest.mark.parametrize(("first", "number_bytes"), [(0.5, 2), (1e9, 4)], ids=["half precision", "float32"])
def test_a_dry_run_counts_the_bytes_that_the_store_will_hold(
    make_cohort: Callable[..., Path], make_encoder: Any, tmp_path: Path, first: float, number_bytes: int
) -> None:
    csv, db, encoder = make_cohort(3), tmp_path / "x.duckdb", make_encoder()
    settings = JobSettings(encoder=encoder, views=("slices",), slice_step=4, thumbnails=False)
    new = dry_run(csv, db, settings)
    assert new.vector_bytes == new.n_items * (12 * 2 + BYTES_AN_ITEM)
    store = Store(db, read_only=False)
    store.register_cohort(read_cohort(csv))
    set_id = store.open_set(identity_of(encoder, SLICES))
    # A number that half precision cannot hold turns the whole set to float32.
    store.commit(set_id, [EmbeddedItem("c0/slice/0001", "c0", np.full(12, first, np.float32), 1, 0.0)])
    found = dry_run(csv, db, settings)
    assert found.vector_bytes == found.n_items * (12 * number_bytes + BYTES_AN_ITEM)


def test_the_spread_of_the_sample_widens_the_range(
    make_encoder: Any, waiting: Waiting, clock: Clock, sized_cohort: list[Case]
) -> None:
    uneven = iter([0.01, 0.2] * 20)
    tasks = tasks_of(sized_cohort, {"set": VOLUME})
    even = estimate(tasks, Preparation(), make_encoder(before=waiting(0.1)), SIZE).seconds
    wild = estimate(tasks, Preparation(), make_encoder(before=lambda _: clock.wait(next(uneven))), SIZE).seconds
    assert even is not None
    assert wild is not None
    assert statistics.fmean([even.low, even.high]) < 2 * even.likely
    assert wild.high / wild.low > 1.5 * even.high / even.low
