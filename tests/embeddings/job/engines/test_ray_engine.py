"""A cluster of two nodes gives what one process gives, also where its parts are killed on the way."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import job
from embeddings.cohort.read import read_cohort
from embeddings.job.engines.choice import choose_engine
from embeddings.job.messages import Encoded
from embeddings.job.planning.plan import Task, Wanted
from embeddings.job.planning.sources import stamp_of
from embeddings.job.planning.views import Recipe
from embeddings.job.preparation.prepare import Preparation
from embeddings.store.store import Store
from tests.embeddings.job.conftest import TinyEncoder

ray = pytest.importorskip("ray", reason="the optional extra ray is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MakeCohort = Callable[..., Path]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of two nodes of one core each."""
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 200 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **memory})
    nodes.add_node(num_cpus=1, **memory)
    yield nodes.address
    ray.shutdown()
    nodes.shutdown()


def on_cluster(csv: Path, address: str, encoder: Any, views: tuple[str, ...], name: str = "ray", **options: Any) -> Any:
    settings = job.JobSettings(encoder=encoder, views=views, engine="ray", address=address, **options)
    return job.run_views(csv, csv.parent / f"{name}.duckdb", settings, commit_s=0)


def vectors(csv: Path, name: str) -> dict[str, tuple[list[str], bytes]]:
    store = Store(csv.parent / f"{name}.duckdb")
    found = {}
    for set_id in store.sets()["set_id"]:
        ids, X = store.vectors(set_id)
        assert len(ids) == len(set(ids))
        found[set_id] = (ids, X.tobytes())
    return found


def test_two_nodes_give_the_vectors_of_one_process(make_cohort: MakeCohort, cluster: str) -> None:
    csv = make_cohort(7)
    (csv.parent / "c3_ct.nii.gz").write_bytes(b"no image")
    views = ("volume", "slices")
    here = job.JobSettings(encoder=TinyEncoder(), views=views, slice_step=5, workers=1)
    job.run_views(csv, csv.parent / "here.duckdb", here)
    summaries = on_cluster(csv, cluster, TinyEncoder(), views, slice_step=5, batch_size=4)
    assert [(s.n_embedded, s.n_failed) for s in summaries] == [(6, 1)] * 2
    assert vectors(csv, "ray") == vectors(csv, "here")
    failures = Store(csv.parent / "ray.duckdb").failures()
    assert failures["case_id"].tolist() == ["c3", "c3"]
    assert failures["attempts"].tolist() == [1, 1]


def test_the_bundled_encoder_gives_the_same_bits_on_a_cluster(make_cohort: MakeCohort, cluster: str) -> None:
    csv = make_cohort(5)
    here = job.JobSettings(encoder="flexict-nano", views=("lesion",), workers=2)
    job.run_views(csv, csv.parent / "here.duckdb", here)
    on_cluster(csv, cluster, "flexict-nano", ("lesion",))
    assert vectors(csv, "ray") == vectors(csv, "here")


@dataclass(frozen=True)
class SlowPreparation(Preparation):
    """Takes a while over every scan, so that a reader can be met at work."""

    def __getattribute__(self, name: str) -> Any:
        if name == "cache":
            time.sleep(0.4)
        return super().__getattribute__(name)


class SlowEncoder(TinyEncoder):
    """Takes a while over every item, so that an encoder can be met at work."""

    def encode(self, batch: Any) -> Any:
        time.sleep(0.3)
        return super().encode(batch)


def workers(title: bytes) -> list[int]:
    """Processes of Ray that are at work on this."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if title in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue  # it has ended meanwhile
    return found


def kill(pid: int) -> bool:
    """Whether the process was there to be killed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find Ray's workers")
@pytest.mark.parametrize(
    "title", [b"ray::MapWorker(MapBatches(EncodingActor", b"ray::FlatMap"], ids=["encoder", "reader"]
)
def test_a_worker_that_is_killed_loses_and_doubles_nothing(make_cohort: MakeCohort, cluster: str, title: bytes) -> None:
    csv = make_cohort(9)
    recipe = Recipe("slices", "slice", 1.5, 64.0, 12)
    tasks = [Task(case, stamp_of(case), (Wanted("set", recipe),)) for case in read_cohort(csv).cases]
    settings = job.JobSettings(
        encoder=SlowEncoder(), views=("slices",), device="cpu", engine="ray", address=cluster, batch_size=2
    )
    killed: list[int] = []
    engine = choose_engine(settings, SlowPreparation(thumbnails=False)).engine
    found: dict[str, bytes] = {}
    for message in engine.messages(tasks, threading.Event()):
        if isinstance(message, Encoded):
            assert isinstance(message.outcome, np.ndarray), message.outcome
            # A repeat is allowed, another vector is not.
            assert found.setdefault(message.item_id, message.outcome.tobytes()) == message.outcome.tobytes()
            if not killed:
                killed = [pid for pid in workers(title) if kill(pid)]
    assert killed
    assert len(found) == 18
    alone = job.JobSettings(encoder=TinyEncoder(), views=("slices",), batch_size=1, workers=1)
    local = choose_engine(alone, Preparation())
    messages = local.engine.messages(tasks, threading.Event())
    expected = {m.item_id: m.outcome.tobytes() for m in messages if isinstance(m, Encoded)}  # type: ignore[union-attr]
    assert found == expected


def test_a_run_that_is_stopped_is_finished_by_the_next(make_cohort: MakeCohort, cluster: str) -> None:
    csv = make_cohort(6)
    settings = job.JobSettings(encoder=SlowEncoder(), views=("volume",), engine="ray", address=cluster)

    asked: list[int] = []

    def stop(progress: Any) -> None:
        if progress.n_items == 2 and not asked:
            asked.append(progress.n_items)
            os.kill(os.getpid(), signal.SIGTERM)

    (first,) = job.run_views(csv, csv.parent / "ray.duckdb", settings, commit_s=0, progress=stop)
    assert first.state == "interrupted"
    assert 2 <= first.n_embedded < 6
    (second,) = on_cluster(csv, cluster, TinyEncoder(), ("volume",))
    assert (second.state, second.n_done_before) == ("finished", first.n_embedded)
    assert len(vectors(csv, "ray")[second.set_id][0]) == 6


def test_other_weights_on_a_worker_end_the_run_with_a_sentence(make_cohort: MakeCohort, cluster: str) -> None:
    from embeddings.job.engines.ray_engine import RayEngine

    csv = make_cohort(1)
    recipe = Recipe("volume", "default", 1.5, 64.0, 1)
    tasks = [Task(case, stamp_of(case), (Wanted("set", recipe),)) for case in read_cohort(csv).cases]
    engine = RayEngine(make_tiny, "another digest", Preparation(), 1, cluster)
    with pytest.raises(job.JobError, match="loaded other weights than this machine"):
        list(engine.messages(tasks, threading.Event()))


def make_tiny(device: str) -> TinyEncoder:
    return TinyEncoder()


def test_a_cluster_that_is_not_there_is_told(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(1)
    with pytest.raises(job.JobError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        on_cluster(csv, "127.0.0.1:1", tiny, ("volume",))


def test_an_address_without_ray_is_refused(make_cohort: MakeCohort, tiny: Any) -> None:
    csv = make_cohort(1)
    with pytest.raises(job.JobError, match="add --engine ray"):
        job.run(csv, csv.parent / "out.duckdb", encoder=tiny, view="volume", address="127.0.0.1:6379")
