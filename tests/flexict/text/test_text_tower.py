"""Image and text in one space, whole: a tiny Qwen3 and a tokenizer made here stand in for the published tower."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from flexict import CheckpointError, FlexiCTBackbone, load_encoder
from flexict.errors import FlexiCTError
from flexict.hub import registry as registry_module
from flexict.hub.registry import EncoderSpec, TextTowerSpec
from flexict.text.text_tower import TextError, load_text_tower, similarity, zero_shot

WIDTH, LONGEST = 32, 16
WORDS = ("<pad>", "<end>", "no", "mass", "effusion", "left", "right", ".", "a")
SHAPE = {"embed_dim": 72, "depth": 2, "num_heads": 1}
CONFIG = {
    "model_type": "qwen3",
    "vocab_size": len(WORDS),
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": LONGEST,
    "pad_token_id": 0,
    "eos_token_id": 1,
}


def write_tower(folder: Path, **changes: object) -> Path:
    """`config.json` and a tokenizer of nine words that ends every text."""
    folder.mkdir()
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "<end>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder


def tower_model():
    from transformers import Qwen3Config, Qwen3Model

    torch.manual_seed(1)
    return Qwen3Model(Qwen3Config(**{k: v for k, v in CONFIG.items() if k != "model_type"})).eval()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, FlexiCTBackbone, torch.Tensor]:
    """A checkpoint with published names, the tower's folder, and what went into it."""
    folder = tmp_path_factory.mktemp("vlm")
    torch.manual_seed(0)
    backbone = FlexiCTBackbone(**SHAPE, layer_scale=0.3).eval()
    projection = torch.randn(WIDTH, 2 * SHAPE["embed_dim"])
    tensors = {f"vision_model.{k}": v for k, v in backbone.state_dict().items()}
    tensors |= {f"text_model.backbone.{k}": v.clone() for k, v in tower_model().state_dict().items()}
    tensors |= {"vlm_vision_projection.weight": projection, "logit_scale": torch.tensor([2.0])}
    path = folder / "model.safetensors"
    save_file(tensors, path)
    return path, write_tower(folder / "text"), backbone, projection


@pytest.fixture(autouse=True)
def tiny_spec(monkeypatch: pytest.MonkeyPatch) -> EncoderSpec:
    """`tiny-vlm` in the registry: FlexiCT-3D-VLM at another size."""
    published = registry_module.REGISTRY["flexict-3d-vlm"]
    spec = replace(published, name="tiny-vlm", shape=SHAPE, text=replace(published.text, width=WIDTH))
    monkeypatch.setitem(registry_module.REGISTRY, "tiny-vlm", spec)
    for variable in ("FLEXICT_CHECKPOINT", "FLEXICT_VLM_CHECKPOINT", "FLEXICT_TEXT_TOWER"):
        monkeypatch.delenv(variable, raising=False)
    return spec


def test_the_registry_describes_the_published_model() -> None:
    spec = registry_module.REGISTRY["flexict-3d-vlm"]
    assert (spec.width, spec.pooling, spec.patch, spec.is_published) == (1024, "vlm", 8, True)
    assert spec.variable == "FLEXICT_VLM_CHECKPOINT"
    assert spec.text == TextTowerSpec(1024, "Qwen/Qwen3-Embedding-0.6B", "FLEXICT_TEXT_TOWER")


def test_image_vectors_are_the_pooled_vector_projected_to_unit_length(checkpoint) -> None:
    path, _, backbone, projection = checkpoint
    backbone.set_patch_size(8)
    x = torch.randn(2, 1, 16, 24, 16)
    encoder = load_encoder("tiny-vlm", weights=path)
    with torch.no_grad():
        wanted = backbone(x).pooled() @ projection.T
    wanted = wanted / wanted.norm(dim=1, keepdim=True)
    assert encoder.pooling == "vlm"
    assert np.allclose(encoder.encode(x), wanted.numpy(), atol=2e-5)
    pooled = load_encoder("tiny-vlm", weights=path, pooling="pooled")
    assert pooled.encode(x).shape == (2, 144)


def test_text_vectors_are_the_last_token_of_unit_length_whatever_shares_the_batch(checkpoint) -> None:
    path, folder, _, _ = checkpoint
    tower = load_text_tower("tiny-vlm", weights=path, text_folder=folder)
    texts = ["no effusion .", "a mass", "a right mass", "left left left left left"]
    together = tower.encode(texts)
    model = tower_model()
    for text, row in zip(texts, together, strict=True):
        ids = torch.tensor([[WORDS.index(word) for word in text.split()] + [1]])
        with torch.no_grad():
            last = model(input_ids=ids).last_hidden_state[0, -1]
        assert np.allclose(row, (last / last.norm()).numpy(), atol=1e-5), text
    assert np.allclose(tower.encode(texts, batch_size=1), together, atol=1e-5)
    assert tower.encode([]).shape == (0, WIDTH)


def test_similarity_is_the_scaled_cosine(checkpoint) -> None:
    path, folder, _, _ = checkpoint
    tower = load_text_tower("tiny-vlm", weights=path, text_folder=folder)
    images = load_encoder("tiny-vlm", weights=path).encode(torch.randn(3, 1, 16, 16, 16))
    prompts = tower.encode(["mass .", "no mass ."])
    scores = similarity(images, prompts, tower.logit_scale)
    assert np.allclose(scores, np.exp(2.0) * images @ prompts.T, atol=1e-5)
    assert np.allclose(similarity(5 * images, prompts, 2.0), scores, atol=1e-5)


def test_zero_shot_asks_the_published_pair_of_prompts(checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder, _, _ = checkpoint
    tower = load_text_tower("tiny-vlm", weights=path, text_folder=folder)
    asked: list[str] = []

    def listen(texts, batch_size=32):
        asked.extend(texts)
        return np.eye(len(texts), WIDTH, dtype=np.float32)

    monkeypatch.setattr(type(tower), "encode", lambda self, texts, batch_size=32: listen(texts))
    images = np.eye(4, WIDTH, dtype=np.float32)
    found = zero_shot(images, tower, ["pleural effusion", " mass "])
    assert asked == ["pleural effusion .", "mass .", "No pleural effusion.", "No mass."]
    both = np.exp([[np.exp(2.0), 0.0], [0.0, 0.0]])
    assert found[0, 0] == pytest.approx(both[0, 0] / both[0].sum())
    assert found[2, 0] == pytest.approx(both[0, 1] / both[0].sum())
    assert found[3, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("outer", ["", "model.", "module.vlm."])
def test_one_common_prefix_and_a_pth_with_model_are_accepted(checkpoint, tmp_path: Path, outer: str) -> None:
    path, folder, _, _ = checkpoint
    tensors = {outer + k: v for k, v in load_file(path).items()}
    other = tmp_path / "vlm.pth"
    torch.save({"model": tensors}, other)
    x = torch.randn(1, 1, 16, 16, 16)
    assert np.array_equal(load_encoder("tiny-vlm", weights=other).encode(x), load_encoder("tiny-vlm", path).encode(x))
    assert load_text_tower("tiny-vlm", other, folder).encode(["mass"]).shape == (1, WIDTH)


@pytest.mark.parametrize("part", ["vlm_vision_projection.weight", "logit_scale", "vision_model.", "text_model."])
def test_a_checkpoint_that_lacks_a_part_is_refused_by_its_name(checkpoint, tmp_path: Path, part: str) -> None:
    tensors = {k: v for k, v in load_file(checkpoint[0]).items() if not k.startswith(part)}
    path = tmp_path / "part.safetensors"
    save_file(tensors, path)
    with pytest.raises(CheckpointError, match=part.replace(".", r"\.") + ".* is missing"):
        load_encoder("tiny-vlm", weights=path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("vlm_vision_projection.weight", torch.zeros(WIDTH, 9), r"projection\.weight is \[32, 9\] instead of"),
        ("vlm_vision_projection.weight", torch.full((WIDTH, 144), float("nan")), "NaN"),
        ("logit_scale", torch.tensor([float("nan")]), "impossible logit_scale"),
        ("something.else", torch.zeros(1), r"Unexpected: something\.else"),
        ("vision_model.norm.weight", torch.zeros(3), "another model"),
    ],
)
def test_a_damaged_checkpoint_is_refused(checkpoint, tmp_path: Path, name: str, value, message: str) -> None:
    path = tmp_path / "bad.safetensors"
    save_file({**load_file(checkpoint[0]), name: value}, path)
    with pytest.raises(CheckpointError, match=message):
        load_encoder("tiny-vlm", weights=path)


def test_texts_that_cannot_be_encoded_are_named(checkpoint) -> None:
    tower = load_text_tower("tiny-vlm", weights=checkpoint[0], text_folder=checkpoint[1])
    assert tower.most_tokens == LONGEST
    with pytest.raises(TextError, match="text 2 of 2 is empty"):
        tower.encode(["mass", "  "])
    with pytest.raises(TextError, match=r"text 1 \(mass mass.*has 17 tokens; tiny-vlm takes 16: shorten it"):
        tower.encode(["mass " * 16])
    assert tower.encode(["mass " * 15]).shape == (1, WIDTH)
    with pytest.raises(TextError, match="finding is empty"):
        zero_shot(np.ones((1, WIDTH)), tower, ["mass", ""])
    with pytest.raises(TextError, match="list of texts"):
        tower.encode("mass")  # type: ignore[arg-type]


def test_vectors_of_another_space_are_refused() -> None:
    with pytest.raises(FlexiCTError, match="do not share a space"):
        similarity(np.ones((2, 3)), np.ones((2, 4)), 1.0)
    with pytest.raises(FlexiCTError, match="length 0"):
        similarity(np.zeros((2, 3)), np.ones((2, 3)), 1.0)


def test_a_tower_of_another_kind_or_width_is_refused(checkpoint, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a bert, not a qwen3"):
        load_text_tower("tiny-vlm", checkpoint[0], write_tower(tmp_path / "bert", model_type="bert"))
    with pytest.raises(CheckpointError, match="is 32 wide"):
        load_text_tower("tiny-vlm", checkpoint[0], write_tower(tmp_path / "wide", hidden_size=64))
    with pytest.raises(CheckpointError, match="names or shapes differ"):
        load_text_tower("tiny-vlm", checkpoint[0], write_tower(tmp_path / "deep", num_hidden_layers=3))
    with pytest.raises(CheckpointError, match=r"no config\.json in"):
        load_text_tower("tiny-vlm", checkpoint[0], tmp_path)


def test_a_folder_with_code_of_its_own_is_never_run(checkpoint, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    code = {"AutoConfig": "trap.Config", "AutoModel": "trap.Model"}
    folder = write_tower(tmp_path / "code", model_type="trap", auto_map=code)
    (folder / "trap.py").write_text(f"open({str(trap)!r}, 'w').close()\n")
    with pytest.raises(CheckpointError, match="could not be read"):
        load_text_tower("tiny-vlm", checkpoint[0], folder)
    assert not trap.exists()


def test_the_folder_comes_from_its_variable_or_the_hub(checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEXICT_TEXT_TOWER", str(checkpoint[1]))
    assert load_text_tower("tiny-vlm", checkpoint[0]).width == WIDTH
    monkeypatch.delenv("FLEXICT_TEXT_TOWER")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match=r"from Qwen/Qwen3-Embedding-0\.6B .*FLEXICT_TEXT_TOWER"):
        load_text_tower("tiny-vlm", checkpoint[0])


def test_an_encoder_without_text_lists_those_with_text() -> None:
    with pytest.raises(FlexiCTError, match="choose flexict-3d-vlm, flexict-nano-vlm"):
        load_text_tower("flexict-3d")
