"""The backbone against tensors of the published implementation, and its own promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from flexict import FlexiCTBackbone
from flexict.pretrain.distil import inflate

RMS_BOUND, LARGEST_BOUND = 2e-4, 2e-3


@pytest.fixture(scope="module")
def small(parity: Path) -> FlexiCTBackbone:
    model = FlexiCTBackbone(embed_dim=144, depth=3, num_heads=2).eval()
    tensors = load_file(parity / "small_weights.safetensors")
    model.load_state_dict({k.removeprefix("backbone."): v for k, v in tensors.items()}, strict=True)
    return model


@pytest.fixture(scope="module")
def fixture(parity: Path) -> dict[str, torch.Tensor]:
    return load_file(parity / "small_io.safetensors")


@pytest.mark.parametrize("kind", ["2d", "3d", "2d_patch16"])
def test_every_tensor_of_the_fixture_agrees(
    small: FlexiCTBackbone, fixture: dict[str, torch.Tensor], kind: str
) -> None:
    x = fixture[f"{kind[:2]}_input"]
    small.set_patch_size(16 if kind.endswith("16") else 8)
    with torch.no_grad():
        tokens = small(x)
        got = {"cls": tokens.cls, "registers": tokens.registers, "patches": tokens.patches}
        for block, out in zip((0, 2), small.intermediate(x, [0, 2]), strict=True):
            got |= {f"block{block}_cls": out.cls, f"block{block}_patches": out.patches}
    small.set_patch_size(8)
    expected = {
        k.removeprefix(f"{kind}_"): v
        for k, v in fixture.items()
        if k.startswith(f"{kind}_") and not k.endswith("input") and ("patch16" in k) == ("patch16" in kind)
    }
    assert len(expected) >= 2
    for name, tensor in expected.items():
        difference = got[name] - tensor
        assert difference.pow(2).mean().sqrt() < RMS_BOUND, name
        assert difference.abs().max() < LARGEST_BOUND, name


def test_bfloat16_rounding_of_class_tokens_is_part_of_the_model(
    small: FlexiCTBackbone, fixture: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_float32(x: torch.Tensor, sin: torch.Tensor, cos: torch.Tensor, n_prefix: int) -> torch.Tensor:
        head, patches = x[:, :, :n_prefix], x[:, :, n_prefix:]
        first, second = patches.chunk(2, dim=-1)
        turned = patches * cos.float() + torch.cat((-second, first), dim=-1) * sin.float()
        return torch.cat((head, turned), dim=-2)

    monkeypatch.setattr("flexict.model.backbone.rotate", in_float32)
    with torch.no_grad():
        off = small(fixture["2d_input"]).patches - fixture["2d_patches"]
    assert off.pow(2).mean().sqrt() > RMS_BOUND


def test_state_dict_has_the_published_names_shapes_and_types(parity: Path) -> None:
    published = json.loads((parity / "full_state_dict.json").read_text(encoding="utf-8"))
    with torch.device("meta"):
        model = FlexiCTBackbone()
    own = {f"backbone.{k}": (list(v.shape), str(v.dtype).split(".")[1]) for k, v in model.state_dict().items()}
    assert own == {k: (v["shape"], v["dtype"]) for k, v in published.items()}


def test_fresh_rotary_periods_equal_the_stored_ones(parity: Path) -> None:
    stored = load_file(parity / "small_weights.safetensors")
    fresh = FlexiCTBackbone(embed_dim=144, depth=1, num_heads=2).state_dict()
    for n in (2, 3):
        assert torch.equal(fresh[f"rope_embed_{n}D.periods"], stored[f"backbone.rope_embed_{n}D.periods"])


def test_moving_and_casting_keep_the_periods_in_bfloat16() -> None:
    model = FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1).double().float()
    assert model.rope_embed_2D.periods.dtype == torch.bfloat16
    assert model.rope_embed_3D.periods.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("size", "shape", "grid"), [((8, 16, 16), (16, 48, 32), (2, 3, 2)), (4, (8, 8, 12), (2, 2, 3))]
)
def test_run_time_patch_sets_the_grid(
    size: int | tuple[int, ...], shape: tuple[int, ...], grid: tuple[int, ...]
) -> None:
    model = FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1)
    model.set_patch_size(size)
    assert model(torch.randn(1, 1, *shape)).grid == grid


def test_a_resampled_kernel_gives_an_upsampled_patch_the_same_token() -> None:
    model = FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1)
    patch = torch.randn(1, 1, 8, 8, 8)
    larger = torch.nn.functional.interpolate(patch, size=(16, 16, 16), mode="trilinear", align_corners=False)
    trained, _ = model.patch_embed_3D(patch)
    model.set_patch_size(16)
    resampled, _ = model.patch_embed_3D(larger)
    assert torch.allclose(trained, resampled, atol=1e-4)


def test_a_patch_size_first_used_in_inference_mode_can_be_trained_later() -> None:
    model = FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1)
    model.set_patch_size(7)
    with torch.inference_mode():
        model(torch.zeros(1, 1, 14, 14))
    model(torch.zeros(1, 1, 14, 14)).cls.sum().backward()
    assert model.patch_embed_2D.proj.bias.grad is not None


def test_an_inflated_kernel_sees_a_constant_stack_as_its_slice() -> None:
    model = FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1)
    inflate(model)
    pixels = torch.randn(1, 1, 8, 8)
    flat, _ = model.patch_embed_2D(pixels)
    deep, _ = model.patch_embed_3D(pixels[:, :, None].expand(1, 1, 8, 8, 8))
    assert torch.allclose(flat, deep, atol=1e-5)


@pytest.mark.parametrize("bad", [0, (8, 8, 8, 8), (8, 0), 2.5])
def test_an_impossible_patch_size_is_refused(bad: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1).set_patch_size(bad)  # type: ignore[arg-type]


def test_an_input_smaller_than_a_patch_is_refused_by_name() -> None:
    model = FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1)
    with pytest.raises(ValueError, match="smaller than one patch"):
        model(torch.zeros(1, 1, 4, 16))


def test_an_absent_block_is_refused() -> None:
    model = FlexiCTBackbone(embed_dim=72, depth=2, num_heads=1)
    with pytest.raises(ValueError, match="blocks 0 to 1"):
        model.intermediate(torch.zeros(1, 1, 16, 16), [2])
