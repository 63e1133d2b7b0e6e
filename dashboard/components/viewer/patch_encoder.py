"""Patch tokens of items, computed in the background by the encoder of an embedding set."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dashboard.components.viewer.patch_maps import PatchTokens
from dashboard.data.scans import ItemFiles, modified, subject_of
from flexict.errors import FlexiCTError
from flexict.hub.registry import REGISTRY, EncoderSpec
from flexict.kinds import read_label
from flexict.presets.preprocess import PreprocessError
from flexict.presets.presets import crop_of

if TYPE_CHECKING:
    from flexict import Encoder

MOST_KEPT_BYTES = 512 * 2**20

_worker = ThreadPoolExecutor(1, thread_name_prefix="patch-tokens")
_lock = threading.Lock()
# Each with the number of the request that started it.
_kept: OrderedDict[Any, tuple[Future[PatchTokens], int]] = OrderedDict()
_encoders: dict[SetEncoder, Encoder] = {}
_log = logging.getLogger(__name__)


class EncoderUnavailableError(FlexiCTError):
    """The encoder of a set cannot be loaded on this machine; the message says why."""


@dataclass(frozen=True)
class SetEncoder:
    """The encoder of an embedding set."""

    name: str
    weights_sha256: str
    pooling: str


@dataclass(frozen=True)
class Progress:
    """The state of the tokens of some items: those that are ready, and why others failed.

    Attributes:
        tokens, errors: by item id.
        n_waiting: items still to be computed.
    """

    tokens: dict[str, PatchTokens]
    errors: dict[str, str]
    n_waiting: int


def request_tokens(encoder: SetEncoder, items: Sequence[ItemFiles], attempt: int = 0) -> Progress:
    """Start what is missing and return at once what is there; call again until nothing is waiting.

    Args:
        attempt: what failed with a lower number is tried again.
    """
    tokens: dict[str, PatchTokens] = {}
    errors: dict[str, str] = {}
    n_waiting = 0
    for files in items:
        try:
            key = (encoder, files, modified(files))
        except (FlexiCTError, OSError) as error:
            errors[files.item_id] = str(error)
            continue
        future = in_background(key, lambda files=files: _tokens_of(encoder, files), attempt)  # type: ignore[misc]
        if not future.done():
            n_waiting += 1
        elif (problem := future.exception()) is not None:
            errors[files.item_id] = _sentence(problem)
        else:
            tokens[files.item_id] = future.result()
    _forget_oldest({files.item_id for files in items})
    return Progress(tokens, errors, n_waiting)


def in_background(key: Any, work: Callable[[], PatchTokens], attempt: int = 0) -> Future[PatchTokens]:
    """The work of a key, one after the other, in a background thread; started once, and again if it failed with a lower
    attempt."""
    with _lock:
        known, of_attempt = _kept.get(key, (None, 0))
        if known is None or (of_attempt < attempt and known.done() and known.exception() is not None):
            known = _worker.submit(_logged, work)
            _kept[key] = known, attempt
        _kept.move_to_end(key)
        return known


def _logged(work: Callable[[], PatchTokens]) -> PatchTokens:
    try:
        return work()
    except (FlexiCTError, OSError):
        raise
    except Exception:
        _log.exception("patch tokens could not be computed")
        raise


def _sentence(problem: BaseException) -> str:
    if isinstance(problem, FlexiCTError | OSError):
        return str(problem)
    return f"it ended with an error of the program ({type(problem).__name__}: {problem}); see the log of the server"


def available_encoder(encoder: SetEncoder) -> Encoder:
    """The encoder of a set, loaded from this machine only and cached.

    Raises:
        EncoderUnavailableError: unknown encoder, no weights on this machine, or not the weights of the set.
        CheckpointError: weights that cannot be read.
    """
    from flexict import load_encoder
    from flexict.hub.checkpoints import WeightsFile

    if encoder in _encoders:
        return _encoders[encoder]
    spec = REGISTRY.get(encoder.name)
    if spec is None:
        raise EncoderUnavailableError(
            f"this program does not have the set's encoder {encoder.name}, so it cannot compute patch maps"
        )
    found: WeightsFile = _weights_here(spec)
    if found.sha256 != encoder.weights_sha256:
        raise EncoderUnavailableError(
            f"the weights of {encoder.name} on this machine ({found.sha256[:8]}) differ from those of the set "
            f"({encoder.weights_sha256[:8]})"
        )
    made = read_label(encoder.pooling)
    loaded = load_encoder(encoder.name, found.path, pooling=made.kind, patch=made.patch, precision=made.precision)
    _encoders.clear()  # One at a time: a published encoder is half a gigabyte.
    _encoders[encoder] = loaded
    return loaded


def _weights_here(spec: EncoderSpec) -> Any:
    """The weights as `find_weights` finds them, without a download."""
    from huggingface_hub import try_to_load_from_cache

    from flexict.hub.checkpoints import HUB_FILE, CheckpointError, find_weights

    argument = None
    if spec.bundled is None and spec.hub is not None:
        cached = try_to_load_from_cache(spec.hub, HUB_FILE)
        argument = cached if isinstance(cached, str) else None
    try:
        return find_weights(spec.name, None, spec.variable, None, spec.bundled)
    except CheckpointError as error:
        if argument is not None:
            return find_weights(spec.name, argument, None, None, None)
        raise EncoderUnavailableError(
            f"the weights of {spec.name} are not on this machine: set {spec.variable} to the file and start the app "
            "again"
        ) from error


def _tokens_of(encoder: SetEncoder, files: ItemFiles) -> PatchTokens:
    loaded = available_encoder(encoder)
    if files.preset is None:
        raise PreprocessError("the preset of this set is unknown")
    crop = crop_of(files.preset, subject_of(files))
    grid = loaded.patch_grid(crop.voxels()[None, None])
    (tokens,) = grid.tokens
    patch = grid.patch
    if tokens.ndim == 3:
        tokens, patch = tokens[None], (1, *patch)
    d, h, w = patch
    return PatchTokens(tokens.astype(np.float16), (d, h, w), crop.placement)


def _forget_oldest(shown: set[str]) -> None:
    """Keep what is shown, and the newest of the rest that fit."""
    with _lock:
        sizes = {
            key: future.result().tokens.nbytes
            for key, (future, _) in _kept.items()
            if future.done() and not future.cancelled() and future.exception() is None
        }
        total = sum(sizes.values())
        for key, size in sizes.items():
            if total <= MOST_KEPT_BYTES:
                break
            if key[1].item_id not in shown:
                del _kept[key]
                total -= size
