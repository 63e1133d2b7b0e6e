"""Weights: where they are looked for, and what happens to a file that is not what it should be."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from flexict import CheckpointError, FlexiCTBackbone
from flexict.hub.checkpoints import find_weights, load_into, read_tensors

SHAPE = {"embed_dim": 72, "depth": 2, "num_heads": 1}


@pytest.fixture
def model() -> FlexiCTBackbone:
    torch.manual_seed(3)
    return FlexiCTBackbone(**SHAPE)


def other_model() -> FlexiCTBackbone:
    torch.manual_seed(4)
    return FlexiCTBackbone(**SHAPE)


@pytest.mark.parametrize("prefix", ["", "backbone.", "vision_model.", "module.anything."])
def test_any_single_common_prefix_loads(model: FlexiCTBackbone, tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "w.safetensors"
    save_file({prefix + k: v for k, v in model.state_dict().items()}, path)
    fresh = other_model()
    load_into(fresh, read_tensors(path), "w")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), fresh.parameters(), strict=True))


def test_a_published_pth_loads_without_its_training_heads(model: FlexiCTBackbone, tmp_path: Path) -> None:
    teacher = {f"backbone.{k}": v for k, v in model.state_dict().items()}
    teacher |= {"dino_head.mlp.0.weight": torch.zeros(2), "ibot_patch_loss.center": torch.zeros(2)}
    path = tmp_path / "teacher.pth"
    torch.save({"teacher": teacher}, path)
    fresh = other_model()
    load_into(fresh, read_tensors(path), "w")
    assert torch.equal(model.cls_token, fresh.cls_token)


def test_the_vision_part_of_a_vlm_checkpoint_loads(model: FlexiCTBackbone, tmp_path: Path) -> None:
    content = {f"vision_model.{k}": v for k, v in model.state_dict().items()}
    content |= {"logit_scale": torch.zeros(1), "text_model.backbone.norm.weight": torch.zeros(3)}
    path = tmp_path / "vlm.pth"
    torch.save({"model": content}, path)
    fresh = other_model()
    load_into(fresh, read_tensors(path), "w")
    assert torch.equal(model.norm.weight, fresh.norm.weight)


def test_another_model_is_refused_with_missing_unexpected_and_misshapen_names(model: FlexiCTBackbone) -> None:
    tensors = dict(FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1).state_dict())
    tensors["blocks.0.extra.weight"] = torch.zeros(1)
    tensors["cls_token"] = torch.zeros(1, 1, 5)
    before = model.cls_token.clone()
    with pytest.raises(CheckpointError) as caught:
        load_into(model, tensors, "foreign.safetensors")
    text = str(caught.value)
    assert "foreign.safetensors" in text
    assert "blocks.1.attn.proj.bias" in text
    assert "blocks.0.extra.weight" in text
    assert "cls_token [1, 1, 5] instead of [1, 1, 72]" in text
    assert torch.equal(before, model.cls_token)


def test_a_pickle_with_code_is_never_run(tmp_path: Path) -> None:
    target = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, (str(target), "w")

    for name, write in (
        ("a.pth", lambda p: torch.save({"teacher": Bomb()}, p)),
        ("b.pth", _plain_pickle(Bomb())),
    ):
        path = tmp_path / name
        write(path)
        with pytest.raises(CheckpointError, match="never run"):
            read_tensors(path)
    assert not target.exists()


def _plain_pickle(content: object):
    return lambda path: path.write_bytes(pickle.dumps(content))


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pth"])
def test_a_cut_file_is_refused_with_its_name(model: FlexiCTBackbone, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("pth"):
        torch.save(model.state_dict(), path)
    else:
        save_file(model.state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=name):
        read_tensors(path)


@pytest.mark.parametrize(
    "content", [b"hello", b"<html>404</html>", b"", b"\x80", b"version https://git-lfs.github.com/"]
)
@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_a_file_that_is_not_a_checkpoint_is_refused_with_its_name(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / f"weights.{kind}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=path.name):
        read_tensors(path)


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.txt"
    path.write_text("hello")
    with pytest.raises(CheckpointError, match="neither"):
        read_tensors(path)


def test_argument_beats_override_beats_own_variable_beats_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {}
    for name in ("argument", "override", "own"):
        files[name] = tmp_path / f"{name}.safetensors"
        files[name].write_bytes(name.encode())

    def chosen(weights: Path | None) -> str:
        found = find_weights("flexict-3d", weights, "FLEXICT_3D_CHECKPOINT", "owner/model", None)
        assert found.sha256 == hashlib.sha256(found.path.read_bytes()).hexdigest()
        return found.path.stem

    monkeypatch.setenv("FLEXICT_3D_CHECKPOINT", str(files["own"]))
    monkeypatch.delenv("FLEXICT_CHECKPOINT", raising=False)
    assert chosen(None) == "own"
    monkeypatch.setenv("FLEXICT_CHECKPOINT", str(files["override"]))
    assert chosen(None) == "override"
    assert chosen(files["argument"]) == "argument"


def test_a_variable_that_names_a_missing_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXICT_CHECKPOINT", str(tmp_path / "gone.pth"))
    with pytest.raises(CheckpointError, match=r"FLEXICT_CHECKPOINT.*gone\.pth"):
        find_weights("flexict-2d", None, "FLEXICT_2D_CHECKPOINT", None, None)


def test_the_hub_cache_is_used_without_network(
    model: FlexiCTBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    revision = "0" * 40
    repository = tmp_path / "models--owner--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    snapshot = repository / "snapshots" / revision
    snapshot.mkdir(parents=True)
    save_file(model.state_dict(), snapshot / "model.safetensors")
    for variable in ("FLEXICT_CHECKPOINT", "FLEXICT_3D_CHECKPOINT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = find_weights("flexict-3d", None, "FLEXICT_3D_CHECKPOINT", "owner/model", None)
    assert found.chosen_by == "hub"
    load_into(other_model(), read_tensors(found.path), "hub")


def test_without_network_or_cache_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for variable in ("FLEXICT_CHECKPOINT", "FLEXICT_3D_CHECKPOINT"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(CheckpointError, match="set FLEXICT_3D_CHECKPOINT"):
        find_weights("flexict-3d", None, "FLEXICT_3D_CHECKPOINT", "owner/model", None)
