"""Which engine does a run: this machine's processors and GPUs, or a Ray cluster's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from embeddings.job.engines.engine import Engine
from embeddings.job.engines.local_engine import LocalEngine, cores
from embeddings.job.planning.views import ENGINES, Encoder, JobError
from embeddings.job.preparation.prepare import Preparation
from flexict.hub.devices import devices_of
from flexict.hub.plugins import open_encoder

MOST_READERS = 16


@dataclass(frozen=True)
class EncoderOptions:
    """How an encoder that is asked for by name is loaded; see `flexict.load_encoder`."""

    weights: Path | str | None = None
    pooling: str | None = None
    patch: int | tuple[int, ...] | None = None
    precision: str = "float32"
    backend: str = "auto"

    def load(self, name: str, device: str) -> Encoder:
        """The encoder on a device."""
        return open_encoder(
            name,
            _absolute(self.weights),
            device,
            pooling=self.pooling,
            patch=self.patch,
            precision=self.precision,
            backend=self.backend,
        )


@dataclass(frozen=True)
class EngineChoice:
    """What was asked for; `encoder` is a name of the registry or an encoder that is loaded already."""

    engine: str
    address: str | None
    encoder: str | Encoder
    options: EncoderOptions
    device: str
    batch_size: int | None
    workers: int | None
    views: tuple[str, ...]


@dataclass(frozen=True)
class ChosenEngine:
    """An engine with one of its encoders, which names the sets, and what a run should note of it."""

    engine: Engine
    encoder: Encoder
    settings: dict[str, object]


def choose_engine(choice: EngineChoice, preparation: Preparation) -> ChosenEngine:
    """Load the encoder and make the engine.

    Raises:
        JobError: an engine that there is not, or one that lacks what it needs.
        FlexiCTError: an unknown encoder or device.
        flexict.CheckpointError: the weights cannot be used.
    """
    if choice.engine not in ENGINES:
        raise JobError(f"there is no engine {choice.engine!r}: choose {' or '.join(ENGINES)}")
    if choice.address is not None and choice.engine != "ray":
        raise JobError("an address is that of a Ray cluster: add --engine ray, or leave it out")
    if choice.engine == "ray":
        return _on_ray(choice, preparation)
    encoders = _encoders(choice)
    first = encoders[0]
    on_gpu = first.device.startswith("cuda")
    workers = choice.workers or (min(cores(), MOST_READERS) if on_gpu else cores())
    batch_size = choice.batch_size or _default_batch(on_gpu, choice.views)
    if not on_gpu:
        encoders = [first] * workers
    engine: Engine = LocalEngine(encoders, preparation, batch_size, workers)
    settings: dict[str, object] = {
        "engine": choice.engine,
        "device": ",".join(dict.fromkeys(encoder.device for encoder in encoders)),
        "batch_size": batch_size,
        "workers": workers,
    }
    return ChosenEngine(engine, first, settings)


def _on_ray(choice: EngineChoice, preparation: Preparation) -> ChosenEngine:
    """A cluster's engine; the encoder is loaded here too, on the CPU, for it names the sets."""
    from embeddings.job.engines.ray_engine import RayEngine, check_ray

    check_ray()
    if isinstance(choice.encoder, str):
        encoder = choice.options.load(choice.encoder, "cpu")
        make: Callable[[str], Encoder] = partial(choice.options.load, choice.encoder)
    else:
        encoder, make = choice.encoder, _Loaded(choice.encoder)
    batch_size = choice.batch_size or _default_batch(True, choice.views)
    engine = RayEngine(make, encoder.weights_sha256, preparation, batch_size, choice.address, choice.device)
    settings: dict[str, object] = {"engine": "ray", "device": choice.device, "batch_size": batch_size}
    return ChosenEngine(engine, encoder, settings)


@dataclass(frozen=True)
class _Loaded:
    """An encoder that travels to the workers as it is."""

    encoder: Encoder

    def __call__(self, device: str) -> Encoder:
        return self.encoder


def _absolute(weights: Path | str | None) -> Path | str | None:
    """A path as other processes find it; the name of a hub stays as it is."""
    return Path(weights).absolute() if weights is not None and Path(weights).exists() else weights


def _encoders(choice: EngineChoice) -> Sequence[Encoder]:
    """The encoder on every device; one alone where it came loaded."""
    if not isinstance(choice.encoder, str):
        return [choice.encoder]
    return [choice.options.load(choice.encoder, device) for device in devices_of(choice.device)]


def _default_batch(on_gpu: bool, views: Sequence[str]) -> int:
    """Batches fill a GPU; a CPU core is full with one item, whose vector then depends on no other."""
    if not on_gpu:
        return 1
    return 32 if set(views) == {"slices"} else 8
