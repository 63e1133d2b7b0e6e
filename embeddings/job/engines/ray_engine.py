"""The engine of a cluster: the same tasks, prepared and encoded by Ray Data on every node.

Reading is a flat map over tasks, encoding a map over batches by a pool of actors that each hold one encoder. What they
yield comes back in any order, and twice where a node was lost on the way: the collector gathers by item id.
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
# A prepared volume is 16 MB: blocks of a few, so that no worker holds a scan's 300 slices at once.
BLOCK_BYTES = 32 * 2**20


@dataclass
class RayEngine:
    """Works through tasks on a Ray cluster.

    The same code, of the same version, has to be importable on every node, and the scans to lie under the same paths.

    Args:
        make_encoder: loads the encoder on a device (`cpu` or `cuda`); called once in every actor.
        weights_sha256: of the weights that the driver has; an actor with others ends the run.
        batch_size: items through an encoder on a GPU at once; on a CPU each goes alone.
        address: of the cluster, `auto` or `HOST:PORT`; None starts Ray on this machine for this run.
        device: `cpu`, `cuda`, or `auto` for a GPU an actor where the cluster has any.
    """

    make_encoder: Callable[[str], Encoder]
    weights_sha256: str
    preparation: Preparation
    batch_size: int
    address: str | None = None
    device: str = "auto"

    @property
    def pace(self) -> Pace | None:
        """Not known: the work is done elsewhere."""
        return None

    def messages(self, tasks: Sequence[Task], stop: threading.Event) -> Generator[Message | None, None, None]:
        """See `embeddings.job.engines.engine.Engine`.

        Raises:
            JobError: no cluster, or workers that are not of this program's version.
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
                    # What a cluster has not begun is not waited for.
                    if stop.is_set():
                        return
                    yield message
            except Exception as error:
                raise _for_people(error) from error
            finally:
                results.close()

    def _stream(self, tasks: Sequence[Task], resources: dict[str, float]) -> Iterator[Message]:
        import ray.data

        gpus = int(resources.get("GPU", 0))
        on_gpu = self.device.startswith("cuda") or (self.device == "auto" and gpus > 0)
        most = max(1, gpus if on_gpu else int(resources.get("CPU", 1)) // 2)
        rows = ray.data.from_items([{"message": task} for task in tasks], override_num_blocks=len(tasks))
        prepared = rows.flat_map(_Preparing(self.preparation))
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


class _Preparing:
    """Reads the scans of a task, on whatever node has a core to spare."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        torch.set_num_threads(1)
        for message in prepare_case(row["message"], self._preparation):
            yield {"message": message}


class EncodingActor:
    """One encoder on one node."""

    def __init__(
        self, make_encoder: Callable[[str], Encoder], device: str, weights_sha256: str, expected: dict[str, str | None]
    ) -> None:
        here = same_everywhere()
        if here != expected:
            raise JobError(f"a worker on {platform.node()} runs {here}, this program {expected}: install the same")
        torch.set_num_threads(1)
        self._encoder = make_encoder(device)
        if self._encoder.weights_sha256 != weights_sha256:
            raise JobError(f"a worker on {platform.node()} loaded other weights than this machine: give all the same")
        self._on_gpu = device != "cpu"

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        messages = list(batch["message"])
        found: list[Message] = [message for message in messages if isinstance(message, CaseEnd)]
        items = sorted((m for m in messages if isinstance(m, Prepared)), key=lambda item: item.set_id)
        for _, group in groupby(items, key=lambda item: item.set_id):
            of_set = list(group)
            # One by one on a CPU: a vector then depends on no other item, however the cluster cuts the batches.
            size = len(of_set) if self._on_gpu else 1
            for start in range(0, len(of_set), size):
                found.extend(encode(self._encoder, of_set[start : start + size]))
        column = np.empty(len(found), dtype=object)
        column[:] = found
        return {"message": column}


def same_everywhere() -> dict[str, str | None]:
    """The versions that have to be the same on all nodes for the same vectors."""
    return {**versions(("torch", "numpy"), optional=()), "embedding code": CODE_VERSION}


def check_ray() -> None:
    """Raise `JobError` where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise JobError("the engine ray needs Ray, which is not installed: pip install -e '.[ray]'")


@contextmanager
def _cluster(address: str | None) -> Iterator[dict[str, float]]:
    """The resources of the cluster while it is connected; what was started here is ended here."""
    check_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    joined = ray.is_initialized()
    if not joined:
        _check_reachable(address)
        try:
            # A dashboard can only be asked for where Ray is started.
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
    """Ray itself waits for minutes for a cluster that is not there.

    Raises:
        JobError: nobody listens at HOST:PORT.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except OSError as error:
        raise JobError(f"there is no Ray cluster at {address}: {error.strerror or error}") from error


def _for_people(error: BaseException) -> BaseException:
    """What a worker raised, without Ray's wrapping where it was meant for the reader."""
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
