"""The registry: what a name stands for, and that the bundled encoder keeps its promises."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from flexict import REGISTRY, CheckpointError, FlexiCTBackbone, load_encoder
from flexict.errors import FlexiCTError

MAX_NANO_BYTES = 8_000_000


def test_the_registry_names_the_family() -> None:
    assert {"flexict-2d", "flexict-3d", "flexict-nano"} <= set(REGISTRY)
    assert REGISTRY["flexict-3d"].width == 1728
    assert REGISTRY["flexict-2d"].views == {"slices": "slice"}
    assert REGISTRY["flexict-3d"].is_published
    assert not REGISTRY["flexict-nano"].is_published


def test_nano_is_small_and_names_its_weights() -> None:
    file = REGISTRY["flexict-nano"].bundled
    assert file is not None
    assert file.stat().st_size <= MAX_NANO_BYTES
    encoder = load_encoder("flexict-nano")
    assert encoder.weights_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert encoder.weights_source.startswith("bundled")


@pytest.mark.parametrize("shape", [(2, 1, 512, 512), (1, 1, 160, 160, 160)])
def test_nano_gives_one_finite_vector_per_item(shape: tuple[int, ...]) -> None:
    encoder = load_encoder("flexict-nano")
    vectors = encoder.encode(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    assert vectors.shape == (shape[0], encoder.width)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()


def test_the_pooled_vector_is_class_token_and_mean_patch() -> None:
    encoder = load_encoder("flexict-nano")
    x = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        tokens = encoder.backbone(x)
    expected = torch.cat((tokens.cls, tokens.patches.mean(dim=1)), dim=1).numpy()
    assert np.allclose(encoder.encode(x), expected, atol=1e-5)


def test_a_published_size_checkpoint_loads_by_path(tmp_path: Path) -> None:
    with torch.device("meta"):  # Drawing random weights of this size takes longer than the rest.
        model = FlexiCTBackbone()
    tensors = {f"backbone.{k}": torch.zeros(v.shape, dtype=v.dtype) for k, v in model.state_dict().items()}
    save_file(tensors, tmp_path / "model.safetensors")
    encoder = load_encoder("flexict-2d", weights=tmp_path)
    assert encoder.width == 1728
    assert encoder.backbone.patch_embed_2D.size == (8, 8)
    assert encoder.encode(np.zeros((1, 1, 32, 32), np.float32)).shape == (1, 1728)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1).state_dict(), path)
    with pytest.raises(CheckpointError, match="another model"):
        load_encoder("flexict-nano", weights=path)


def test_weights_with_nan_are_refused(tmp_path: Path) -> None:
    tensors = dict(load_encoder("flexict-nano").backbone.state_dict())
    tensors["norm.weight"] = torch.full_like(tensors["norm.weight"], float("nan"))
    path = tmp_path / "w.safetensors"
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=r"NaN.*norm\.weight"):
        load_encoder("flexict-nano", weights=path)


def test_an_unknown_encoder_and_device_are_named() -> None:
    with pytest.raises(FlexiCTError, match="flexict-nano"):
        load_encoder("flexict-4d")
    with pytest.raises(FlexiCTError, match="no device 'abacus'"):
        load_encoder("flexict-nano", device="abacus")
