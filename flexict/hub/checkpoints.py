"""Finding weights files, and loading them into a model: without running code, and only if every name matches."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from flexict.errors import FlexiCTError

OVERRIDE_VARIABLE = "FLEXICT_CHECKPOINT"
HUB_FILE = "model.safetensors"
_TRAINING_HEADS = ("dino_head", "ibot")
_CONTAINERS = ("teacher", "model")
_OTHER_PARTS = ("text_model.", "vlm_vision_projection.", "logit_scale")
_LISTED = 4


class CheckpointError(FlexiCTError):
    """Weights that cannot be found, read or matched; the message says what to do."""


@dataclass(frozen=True)
class WeightsFile:
    """A weights file on disk and how it was chosen (`argument`, an environment variable, `hub` or `bundled`)."""

    path: Path
    chosen_by: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def find_weights(
    name: str, weights: str | Path | None, variable: str | None, hub: str | None, bundled: Path | None
) -> WeightsFile:
    """Choose the weights of encoder `name`.

    The order is that of the published code: an explicit argument (a file, a folder with `model.safetensors`, or a
    hub name `owner/model`), `FLEXICT_CHECKPOINT`, the model's own variable, the bundled file, the Hugging Face hub
    (its local cache first; `HF_HOME` and `HF_HUB_OFFLINE` are honoured by the hub client).
    The variables refer to the published models; an encoder with bundled weights ignores them.

    Raises:
        CheckpointError: if there are no weights in the chosen place.
    """
    if weights is not None:
        return _from_argument(name, weights)
    if bundled is not None:
        return _existing(name, bundled, "bundled")
    for candidate in (OVERRIDE_VARIABLE, variable):
        value = os.environ.get(candidate, "") if candidate else ""
        if value:
            return _existing(name, Path(value), str(candidate))
    if hub is None:
        raise CheckpointError(f"{name} has no weights of its own; give a file with --weights (weights=... in Python)")
    return WeightsFile(_download(name, hub, variable), "hub")


def _from_argument(name: str, weights: str | Path) -> WeightsFile:
    path = Path(weights).expanduser()
    text = str(weights)
    looks_like_hub = text.count("/") == 1 and not text.startswith((".", "/", "~")) and not path.suffix
    if looks_like_hub and not path.exists():
        try:
            return WeightsFile(_download(name, text, None), "hub")
        except CheckpointError as error:
            raise CheckpointError(f"there is no file or folder {text}, and {error}") from error
    return _existing(name, path, "argument")


def _existing(name: str, path: Path, chosen_by: str) -> WeightsFile:
    path = path.expanduser()
    if path.is_dir():
        path = path / HUB_FILE
    if not path.is_file():
        raise CheckpointError(f"the weights of {name} ({chosen_by}) are not at {path}: check the path")
    return WeightsFile(path, chosen_by)


def _download(name: str, hub: str, variable: str | None) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(hub, HUB_FILE))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        give = "give the file with --weights (weights=... in Python)"
        ways = f"set {variable} to the file, or {give}" if variable else give
        raise CheckpointError(
            f"the weights of {name} are not on this machine and could not be downloaded from {hub} on the Hugging Face "
            f"hub ({type(error).__name__}): download {HUB_FILE} there and {ways}"
        ) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a `.safetensors`, `.pth` or `.pt` file, on the CPU.

    A `.pth` is read with `weights_only=True`, so no code in it runs; the dict under `teacher` or `model` is taken if
    there is one.

    Raises:
        CheckpointError: if the file is damaged, contains anything but tensors, or has another format.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is not a complete safetensors file ({error}): download it again") from error
    if path.suffix not in (".pth", ".pt"):
        raise CheckpointError(f"{path} is neither .safetensors nor .pth: give a FlexiCT checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A file that is not a pickle fails anywhere in torch's reader: KeyError, IndexError, struct.error and more.
        raise CheckpointError(
            f"{path} could not be read as plain tensors ({type(error).__name__}); it is damaged or contains code, "
            f"which is never run: use the .safetensors copy"
        ) from error
    for key in _CONTAINERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not any(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(f"{path} contains no named tensors: give a FlexiCT checkpoint")
    return {str(k): v for k, v in content.items() if isinstance(v, Tensor)}


def load_into(model: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Copy `tensors` into `model`, matching every name and shape.

    The names may carry one common prefix (`backbone.`, `vision_model.` or any other: the hub does not document the
    prefix of its copies). Training heads and, in a file of several parts, everything outside the prefix are left out.

    Raises:
        CheckpointError: with the lists of missing, unexpected and differently shaped names, or naming a tensor with
            NaN or infinite values.
    """
    wanted = model.state_dict()
    offered = {k: v for k, v in tensors.items() if not any(head in k for head in _TRAINING_HEADS)}
    prefix = _common_prefix(wanted.keys(), offered.keys())
    stripped = {k.removeprefix(prefix): v for k, v in offered.items() if k.startswith(prefix)}
    unexpected = sorted(set(stripped) - set(wanted))
    if prefix:
        outside = {k for k in offered if not k.startswith(prefix)}
        unexpected += sorted(k for k in outside if not k.startswith(_OTHER_PARTS))
    missing = sorted(set(wanted) - set(stripped))
    shapes = [
        f"{k} {list(stripped[k].shape)} instead of {list(wanted[k].shape)}"
        for k in sorted(set(wanted) & set(stripped))
        if stripped[k].shape != wanted[k].shape
    ]
    if missing or unexpected or shapes:
        raise CheckpointError(
            f"{source} is a checkpoint of another model: give the weights of this encoder. "
            f"Missing: {_listed(missing)}. Unexpected: {_listed(unexpected)}. Of another shape: {_listed(shapes)}."
        )
    check_finite(stripped, source)
    model.load_state_dict(stripped, strict=True)


def check_finite(tensors: Mapping[str, Tensor], source: str) -> None:
    """Refuse weights with NaN or infinite values.

    Raises:
        CheckpointError: naming the first such tensor.
    """
    bad = next((name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()), None)
    if bad is not None:
        raise CheckpointError(f"{source} contains NaN or infinite values in {bad}: download it again")


def _common_prefix(wanted: Iterable[str], offered: Iterable[str]) -> str:
    """The prefix under which most of `wanted` is found among `offered`; empty if none does better."""
    names, found = set(wanted), list(offered)
    best, best_hits = "", sum(k in names for k in found)
    prefixes = {k[: -len(anchor)] for k in found for anchor in ("cls_token", "norm.weight") if k.endswith(anchor)}
    for prefix in sorted(prefixes):
        hits = sum(k.startswith(prefix) and k.removeprefix(prefix) in names for k in found)
        if hits > best_hits:
            best, best_hits = prefix, hits
    return best


def _listed(names: list[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
