"""Encoders of other packages, found by their Python entry points in the group `flexict.encoders`.

An entry point names a class or function that is called with a device and returns an object with `name`, `preset`,
`width` and `encode(batch)`; docs/encoders.md shows one. Only installed packages can register one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flexict.errors import FlexiCTError
from flexict.hub.devices import pick_device
from flexict.hub.encoders import Encoder, load_encoder
from flexict.hub.registry import REGISTRY
from flexict.presets.presets import PRESETS

GROUP = "flexict.encoders"
AS_IT_COMES = "as the encoder gives it"


class PluginError(FlexiCTError):
    """An encoder from an entry point that cannot be used; the message names the package."""


class PluginEncoder(Protocol):
    """What an entry point must return. `weights_sha256` is used if it exists."""

    name: str
    preset: str
    width: int

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors `[B, width]` of inputs `[B, 1, H, W]` or `[B, 1, D, H, W]` of its preset."""


@dataclass(frozen=True)
class ForeignEncoder:
    """An encoder of another package, as the job sees it.

    Attributes:
        views: the one view of its preset.
        weights_sha256: its own, or a digest of its package's name and version.
    """

    name: str
    width: int
    views: Mapping[str, str]
    weights_sha256: str
    weights_source: str
    device: str
    is_published: bool
    inner: PluginEncoder
    pooling: str = AS_IT_COMES
    needs_mask: bool = False

    def encode(self, batch: NDArray[np.float32], masks: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """Vectors `[B, width]`; the job refuses other shapes and values that are not finite."""
        return np.asarray(self.inner.encode(batch), dtype=np.float32)


def encoder_names() -> list[str]:
    """All encoders by name: those of the registry, then those of entry points.

    >>> encoder_names()[:2]
    ['flexict-2d', 'flexict-3d']
    """
    return [*REGISTRY, *sorted(point.name for point in entry_points(group=GROUP) if point.name not in REGISTRY)]


def open_encoder(
    name: str,
    weights: str | Path | None = None,
    device: str = "cpu",
    *,
    pooling: str | None = None,
    patch: int | Sequence[int] | None = None,
    precision: str = "float32",
    backend: str = "auto",
) -> Encoder | ForeignEncoder:
    """An encoder of the family (see `flexict.load_encoder` for the arguments) or of an entry point.

    Raises:
        FlexiCTError: an unknown name or device, or options that the encoder does not take.
        CheckpointError: weights that are absent, damaged or of another model.
        PluginError: an entry point that cannot be loaded or lacks what an encoder needs.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name in REGISTRY or name not in points:
        if name not in REGISTRY:
            raise FlexiCTError(f"there is no encoder {name!r}: choose one of {', '.join(encoder_names())}")
        return load_encoder(name, weights, device, pooling=pooling, patch=patch, precision=precision, backend=backend)
    if (weights, pooling, patch, precision, backend) != (None, None, None, "float32", "auto"):
        raise FlexiCTError(
            f"the encoder {name} comes from another package and decides for itself on weights, pooling, patch, "
            "precision and back end: leave them out"
        )
    return _open_plugin(points[name], pick_device(device))


def _open_plugin(point: EntryPoint, device: str) -> ForeignEncoder:
    package = "an unnamed package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    where = f"the encoder {point.name} of {package}"
    try:
        inner: Any = point.load()(device=device)
    except Exception as error:
        # Other people's code may raise anything; it is named in the message and kept as the cause.
        raise PluginError(f"{where} cannot be loaded ({type(error).__name__}: {error})") from error
    lacking = [part for part in ("name", "preset", "width", "encode") if not hasattr(inner, part)]
    if lacking:
        raise PluginError(f"{where} lacks {', '.join(lacking)}: see docs/encoders.md")
    if inner.name != point.name:
        raise PluginError(f"{where} calls itself {inner.name!r}: entry point and encoder must have one name")
    if inner.preset not in PRESETS:
        raise PluginError(f"{where} has the preset {inner.preset!r}: choose one of {', '.join(PRESETS)}")
    if not isinstance(inner.width, int) or inner.width < 1:
        raise PluginError(f"{where} has the width {inner.width!r}: it must be a whole number above 0")
    digest = getattr(inner, "weights_sha256", None) or hashlib.sha256(package.encode()).hexdigest()
    return ForeignEncoder(
        name=point.name,
        width=inner.width,
        views={PRESETS[inner.preset].view: inner.preset},
        weights_sha256=str(digest),
        weights_source=f"entry point of {package}",
        device=device,
        is_published=False,
        inner=inner,
    )
