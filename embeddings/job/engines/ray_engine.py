"""The engine of a cluster: the same tasks, prepared and encoded by Ray Data on every node.

Reading is a flat map over tasks, encoding a map over batches by a pool of actors with one encoder each. Results come
back in any order, and twice if a node was lost meanwhile: the collector gathers them by item id.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import platform
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import torch

from embeddings.job.engines.encoding import encode
from embeddings.job.engines.engine import Pace
from embeddings.job.engines.results import Results
from embeddings.job.interruption import signal_handlers_restored
from embeddings.job.messages import CaseEnd, Message, Prepared
from embeddings.job.planning.plan import Task
from embeddings.job.planning.views import CODE_VERSION, Encoder, JobError
from embeddings.job.preparation.prepare import Preparation, prepare_case
from embeddings.versions import versions

CONNECT_S = 10.0
# A prepared volume is 16 MB: blocks of a few, so that no worker has all 300 slices of a scan in memory.
BLOCK_BYTES = 32 * 2**20


@dataclass
class RayEngine:
    """Works on tasks on a Ray cluster.

    The same version of this program must be importable on every node, and the scans must have the same paths there.

    Args:
        make_encoder: loads the encoder on a device (`cpu` or `cuda`); called once in every actor.
        weights_sha256: of the weights on the driver; an actor with others ends the run.
        batch_size: items encoded at once on a GPU; on a CPU it is one.
        address: of the cluster, `auto` or `HOST:PORT`; None starts Ray on this machine for this run.
        device: `cpu`, `cuda`, or `auto`: one GPU per actor if the cluster has any.
    """

    make_encoder: Callable[[str], Encoder]
    weights_sha256: str
    preparation: Preparation
    batch_size: int
    address: str | None = None
    device: str = "auto"

    @property
    def pace(self) -> Pace | None:
        """Not known: the work is done on other machines."""
        return None

    def messages(self, tasks: Sequence[Task], stop: threading.Event) -> Generator[Message | None, None, None]:
        """See `embeddings.job.engines.engine.Engine`.

        Raises:
            JobError: no cluster, or workers with another version of this program.
        """
        with _cluster(self.address) as resources:
            results = Results(stop)

            def gather() -> None:
                for message in self._stream(tasks, resources):
                    if results.over:
                        return
                    results.put(message)

            results.producer("ray-gather", gather).start()
            try:
                for message in results.messages():
                    # The batches that the cluster still works on are not awaited.
                    if stop.is_set():
                        return
                    yield message
            except Exception as error:
                raise _for_user(error) from error
            finally:
                results.close()

    def _stream(self, tasks: Sequence[Task], resources: dict[str, float]) -> Iterator[Message]:
        import ray.data

        gpus = int(resources.get("GPU", 0))
        on_gpu = self.device.startswith("cuda") or (self.device == "auto" and gpus > 0)
        most = max(1, gpus if on_gpu else int(resources.get("CPU", 1)) // 2)
        rows = ray.data.from_items([{"message": task} for task in tasks], override_num_blocks=len(tasks))
        prepared = rows.flat_map(partial(_prepare, preparation=self.preparation))
        encoded = prepared.map_batches(
            EncodingActor,
            fn_constructor_kwargs={
                "make_encoder": self.make_encoder,
                "device": "cuda" if on_gpu else "cpu",
                "weights_sha256": self.weights_sha256,
                "expected": same_everywhere(),
            },
            batch_size=self.batch_size,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
            num_cpus=None if on_gpu else 1,
            num_gpus=1 if on_gpu else None,
        )
        for row in encoded.iter_rows():
            yield row["message"]


def _prepare(row: dict[str, Any], preparation: Preparation) -> Iterator[dict[str, Any]]:
    """Reads the scans of a task, on any node with a free core."""
    torch.set_num_threads(1)
    for message in prepare_case(row["message"], preparation):
        yield {"message": message}


class EncodingActor:
    """One encoder on one node."""

    def __init__(
        self, make_encoder: Callable[[str], Encoder], device: str, weights_sha256: str, expected: dict[str, str | None]
    ) -> None:
        here = same_everywhere()
        if here != expected:
            raise JobError(
                f"a worker on {platform.node()} runs {here}, this program {expected}: install the same versions"
            )
        torch.set_num_threads(1)
        self._encoder = make_encoder(device)
        if self._encoder.weights_sha256 != weights_sha256:
            raise JobError(
                f"a worker on {platform.node()} loaded other weights than this machine: use the same weights everywhere"
            )
        self._on_gpu = device != "cpu"

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        messages = list(batch["message"])
        found: list[Message] = [message for message in messages if isinstance(message, CaseEnd)]
        items = sorted((m for m in messages if isinstance(m, Prepared)), key=lambda item: item.set_id)
        for _, group in groupby(items, key=lambda item: item.set_id):
            of_set = list(group)
            # One by one on a CPU: a vector then does not depend on how the cluster divides the batches.
            size = len(of_set) if self._on_gpu else 1
            for start in range(0, len(of_set), size):
                found.extend(encode(self._encoder, of_set[start : start + size]))
        column = np.empty(len(found), dtype=object)
        column[:] = found
        return {"message": column}


def same_everywhere() -> dict[str, str | None]:
    """The versions that must be the same on all nodes, or vectors would differ."""
    return {**versions(("torch", "numpy"), optional=()), "embedding code": CODE_VERSION}


def check_ray() -> None:
    """Raise `JobError` if Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise JobError("the engine ray needs Ray, which is not installed: pip install -e '.[ray]'")


@contextmanager
def _cluster(address: str | None) -> Iterator[dict[str, float]]:
    """The resources of the cluster while it is connected; a cluster started here is stopped here."""
    check_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    joined = ray.is_initialized()
    if not joined:
        _check_reachable(address)
        try:
            # The option of a dashboard exists only when Ray is started here.
            dashboard = False if address is None else None
            # Ray takes SIGTERM for itself and would end the program at once; a run ends after the current batch.
            with signal_handlers_restored():
                ray.init(address, include_dashboard=dashboard, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise JobError(f"there is no Ray cluster at {address or 'this machine'}: {_first_line(error)}") from error
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = BLOCK_BYTES
    context.execution_options.preserve_order = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield ray.cluster_resources()
    finally:
        if not joined:
            ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Ray itself waits minutes for a cluster that does not exist.

    Raises:
        JobError: nothing listens at HOST:PORT.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except OSError as error:
        raise JobError(f"there is no Ray cluster at {address}: {error.strerror or error}") from error


def _for_user(error: BaseException) -> BaseException:
    """What a worker raised, without Ray's wrapping if it was meant for the user."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, JobError):
            return JobError(_first_line(seen))
        seen = getattr(seen, "cause", None) or seen.__cause__
    text = str(error)
    if "JobError" in text:
        return JobError(text.rsplit("JobError: ", 1)[-1].splitlines()[0])
    return JobError(f"the Ray cluster ended the run ({_first_line(error)}): run the same command again")


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
