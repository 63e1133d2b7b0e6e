"""Which engine runs a job: this machine's processors and GPUs, or those of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from embeddings.job.engines.engine import Engine
from embeddings.job.engines.local_engine import LocalEngine, cores
from embeddings.job.planning.views import ENGINES, Encoder, JobError
from embeddings.job.preparation.prepare import Preparation
from embeddings.job.settings import JobSettings
from flexict.hub.devices import devices_of
from flexict.hub.plugins import open_encoder

MOST_READERS = 16


@dataclass(frozen=True)
class ChosenEngine:
    """An engine with one of its encoders, which names the sets, and what the store notes of it for a run."""

    engine: Engine
    encoder: Encoder
    settings: dict[str, object]


def choose_engine(settings: JobSettings, preparation: Preparation) -> ChosenEngine:
    """Load the encoder and make the engine.

    Raises:
        JobError: an unknown engine, or one that lacks what it needs.
        FlexiCTError: an unknown encoder or device.
        flexict.CheckpointError: the weights cannot be used.
    """
    if settings.engine not in ENGINES:
        raise JobError(f"there is no engine {settings.engine!r}: choose {' or '.join(ENGINES)}")
    if settings.address is not None and settings.engine != "ray":
        raise JobError("an address is that of a Ray cluster: add --engine ray, or leave it out")
    load = _loader(settings)
    if settings.engine == "ray":
        return _on_ray(settings, load, preparation)
    devices = devices_of(settings.device) if isinstance(settings.encoder, str) else [settings.encoder.device]
    encoders = [load(device) for device in devices]
    first = encoders[0]
    on_gpu = first.device.startswith("cuda")
    workers = settings.workers or (min(cores(), MOST_READERS) if on_gpu else cores())
    batch_size = settings.batch_size or _default_batch(on_gpu, settings.views)
    if not on_gpu:
        encoders = [first] * workers
    noted: dict[str, object] = {
        "engine": settings.engine,
        "device": ",".join(dict.fromkeys(encoder.device for encoder in encoders)),
        "batch_size": batch_size,
        "workers": workers,
    }
    return ChosenEngine(LocalEngine(encoders, preparation, batch_size, workers), first, noted)


def _on_ray(settings: JobSettings, load: Callable[[str], Encoder], preparation: Preparation) -> ChosenEngine:
    """The engine of a cluster; the encoder is loaded here too, on the CPU, because it names the sets."""
    from embeddings.job.engines.ray_engine import RayEngine, check_ray

    check_ray()
    encoder = load("cpu")
    batch_size = settings.batch_size or _default_batch(True, settings.views)
    engine = RayEngine(load, encoder.weights_sha256, preparation, batch_size, settings.address, settings.device)
    return ChosenEngine(engine, encoder, {"engine": "ray", "device": settings.device, "batch_size": batch_size})


def _loader(settings: JobSettings) -> Callable[[str], Encoder]:
    """Loads the encoder on a device, in this process or in another one; an encoder that came loaded stays as it is."""
    if not isinstance(settings.encoder, str):
        return _Loaded(settings.encoder)
    weights = settings.weights
    if weights is not None and Path(weights).exists():  # not the name of a hub
        weights = Path(weights).absolute()
    return partial(
        open_encoder,
        settings.encoder,
        weights,
        pooling=settings.pooling,
        patch=settings.patch,
        precision=settings.precision,
        backend=settings.backend,
    )


@dataclass(frozen=True)
class _Loaded:
    """An encoder that travels to the workers as it is."""

    encoder: Encoder

    def __call__(self, device: str) -> Encoder:
        return self.encoder


def _default_batch(on_gpu: bool, views: Sequence[str]) -> int:
    """Batches fill a GPU; one item is enough for a CPU core, and its vector then depends on no other."""
    if not on_gpu:
        return 1
    return 32 if set(views) == {"slices"} else 8
