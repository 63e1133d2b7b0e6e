"""The weights on this machine, for each encoder of the registry; nothing is downloaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import try_to_load_from_cache

from embeddings.doctor.check import Check
from embeddings.doctor.disk import hub_cache
from flexict.hub.checkpoints import (
    HUB_FILE,
    OVERRIDE_VARIABLE,
    CheckpointError,
    WeightsFile,
    find_weights,
    read_tensors,
)
from flexict.hub.plugins import encoder_names
from flexict.hub.registry import REGISTRY, EncoderSpec
from flexict.hub.vlm_checkpoint import PROJECTION

_PREFIX = 12


def check_weights(given: str | None = None) -> Iterator[Check]:
    """One finding per encoder, and one for the given weights."""
    if given is not None:
        yield _check_given(given)
    for spec in REGISTRY.values():
        yield _check_encoder(spec)
    for name in encoder_names():
        if name not in REGISTRY:
            yield Check(f"encoder {name}", "ok", "is provided by another package")


def _check_given(given: str) -> Check:
    name = f"weights {given}"
    path = Path(given).expanduser()
    if not path.exists():
        cached = _cached(given)
        if cached is None:
            return Check(name, "problem", "are not on this machine", "check the path, or download them first")
        path = cached
    try:
        found = find_weights("the encoder", path, None, None, None)
        tensors = read_tensors(found.path)
    except CheckpointError as error:
        return Check(name, "problem", str(error), "give a .safetensors or .pth file of FlexiCT")
    token = next((value for key, value in tensors.items() if key.endswith("cls_token")), None)
    wide = None if token is None else int(token.shape[-1])
    aligned = any(key.endswith(PROJECTION) for key in tensors)
    fits = [s.name for s in REGISTRY.values() if s.shape["embed_dim"] == wide and (s.text is not None) == aligned]
    values = {"file": str(found.path), "sha256": found.sha256, "fits": fits}
    if not fits:
        return Check(name, "problem", "belong to another model", "give weights of an encoder of the registry", values)
    return Check(name, "ok", f"{_file(found)}, fits {' or '.join(fits)}", values=values)


def _check_encoder(spec: EncoderSpec) -> Check:
    """Looks in the order of `find_weights`, but only in the cache of the hub."""
    name = f"weights of {spec.name}"
    chosen: tuple[str, Path] | None
    if spec.bundled is not None:
        places = ["bundled"]
        chosen = ("bundled", spec.bundled)
    else:
        variables = [variable for variable in (OVERRIDE_VARIABLE, spec.variable) if variable]
        places = [*(f"${variable}" for variable in variables), f"hub cache {hub_cache()}"]
        named = next(((v, Path(os.environ[v])) for v in variables if os.environ.get(v)), None)
        cached = None if named or spec.hub is None else _cached(spec.hub)
        chosen = named or (("hub cache", cached) if cached is not None else None)
    values: dict[str, object] = {"looked": places, "present": False}
    looked = ", ".join(places)
    if chosen is None:
        finding = f"not on this machine (looked: {looked})"
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
            advice = f"HF_HUB_OFFLINE prevents their download: set {spec.variable} to the file"
        else:
            advice = f"they are downloaded from the hub on first use; without a network, set {spec.variable}"
        return Check(name, "warning", finding, f"{advice}. Not needed for flexict-nano", values)
    by, path = chosen
    try:
        found = find_weights(spec.name, path, None, None, None)
        sha256 = found.sha256
    except (CheckpointError, OSError) as error:
        return Check(name, "problem", f"{by} names {path}: {error}", f"correct {by}", values)
    values |= {"present": True, "chosen_by": by, "file": str(found.path), "sha256": sha256}
    return Check(name, "ok", f"{_file(found)} ({by})", values=values)


def _file(found: WeightsFile) -> str:
    return f"{found.path}, SHA-256 {found.sha256[:_PREFIX]}"


def _cached(hub: str) -> Path | None:
    """The file of the hub, if it was downloaded before."""
    try:
        found = try_to_load_from_cache(hub, HUB_FILE, cache_dir=hub_cache())
    except ValueError:
        # Not a possible name on the hub.
        return None
    return Path(found) if isinstance(found, str) else None
