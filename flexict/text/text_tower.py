"""The text side of FlexiCT-3D-VLM: a Hugging Face Qwen3 encoder, without remote code.

Source: arXiv 2605.21906, phase 3. Text vector: last-token pooling with left padding, then unit length; the joint space
is the tower's own hidden width. Zero-shot prompts are those of the published evaluation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from flexict.errors import FlexiCTError
from flexict.hub.checkpoints import CheckpointError, check_finite, find_weights, read_tensors
from flexict.hub.devices import pick_device
from flexict.hub.registry import REGISTRY, TextTowerSpec
from flexict.hub.vlm_checkpoint import split_parts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Qwen3Model

MODEL_TYPE = "qwen3"
MOST_TOKENS = 8192
POSITIVE, NEGATIVE = "{finding} .", "No {finding}."
SHOWN = 40


class TextError(FlexiCTError):
    """A text that cannot be encoded; the message names it."""


@dataclass(frozen=True)
class TextTower:
    """A loaded text tower.

    Attributes:
        logit_scale: natural logarithm of what multiplies a cosine.
        most_tokens: the longest text it takes, in tokens.
    """

    name: str
    model: Qwen3Model
    tokenizer: PreTrainedTokenizerBase
    logit_scale: float
    weights_sha256: str
    most_tokens: int
    device: str

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return int(self.model.config.hidden_size)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch_size: int = 32) -> NDArray[np.float32]:
        """Vectors `[n, width]` of unit length.

        Raises:
            TextError: a text that is empty or longer than the tower takes, with its position and first words.
        """
        tokens = self._tokens(texts)
        # Texts of similar length share a batch, so that little is computed on padding.
        order = sorted(range(len(texts)), key=lambda i: len(tokens[i]))
        out = np.empty((len(texts), self.width), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            out[rows] = self._encode([tokens[i] for i in rows]).float().cpu().numpy()
        bad = np.flatnonzero(~np.isfinite(out).all(axis=1))
        if bad.size:
            raise TextError(f"the text tower of {self.name} gave NaN for {_named(texts, int(bad[0]))}")
        return out

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        if isinstance(texts, str):
            raise TextError("give a list of texts, not one text")
        for number, text in enumerate(texts):
            if not text.strip():
                raise TextError(f"text {number + 1} of {len(texts)} is empty: write what to look for")
        tokens: list[list[int]] = self.tokenizer(list(texts))["input_ids"] if texts else []
        for number, one in enumerate(tokens):
            if not one:
                raise TextError(f"{_named(texts, number)} contains nothing that the tokenizer knows: use other words")
            if len(one) > self.most_tokens:
                raise TextError(
                    f"{_named(texts, number)} has {len(one)} tokens; {self.name} takes {self.most_tokens}: shorten it"
                )
        return tokens

    def _encode(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        longest = max(len(one) for one in tokens)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (longest - len(one)) + list(one) for one in tokens], device=self.device)
        mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in tokens], device=self.device)
        return last_token_vectors(self.model, ids, mask)


def last_token_vectors(model: torch.nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """Unit vectors `[B, width]` of left-padded token ids `[B, L]` and their attention mask `[B, L]`."""
    hidden: Tensor = model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    return F.normalize(hidden[:, -1], dim=-1)


def load_text_tower(
    name: str,
    weights: str | Path | None = None,
    text_folder: str | Path | None = None,
    device: str = "cpu",
) -> TextTower:
    """Load the text tower of an aligned encoder.

    Args:
        name: `flexict-3d-vlm` or `flexict-nano-vlm`.
        weights: as for `flexict.load_encoder`: the file of image and text tower.
        text_folder: a folder with `config.json` and the tokenizer of the tower; by default the folder that its
            environment variable names (`FLEXICT_TEXT_TOWER`), the bundled one, or the Hugging Face hub.
        device: `cpu`, `cuda`, `cuda:1` or `auto`.

    Raises:
        FlexiCTError: an encoder without text, or an unknown device.
        CheckpointError: configuration, tokenizer or weights are absent, damaged or of another model.
    """
    spec = REGISTRY.get(name)
    if spec is None or spec.text is None:
        names = ", ".join(one.name for one in REGISTRY.values() if one.text is not None)
        raise FlexiCTError(f"{name!r} is not an encoder that reads text: choose {names}")
    place = pick_device(device)
    found = find_weights(name, weights, spec.variable, spec.hub, spec.bundled)
    parts = split_parts(read_tensors(found.path), str(found.path))
    config, tokenizer = _configuration(name, spec.text, text_folder)
    if int(config.hidden_size) != spec.text.width:
        raise CheckpointError(
            f"the text tower of {name} is {spec.text.width} wide, and its config.json says {config.hidden_size}: give "
            "the folder of this model"
        )
    model = _model(config, parts.text, str(found.path)).requires_grad_(False).eval().to(place)
    most = min(MOST_TOKENS, int(config.max_position_embeddings))
    return TextTower(name, model, tokenizer, parts.logit_scale, found.sha256, most, place)


def _configuration(name: str, spec: TextTowerSpec, folder: str | Path | None) -> tuple[Any, PreTrainedTokenizerBase]:
    named = folder or (os.environ.get(spec.variable) if spec.variable else None) or spec.bundled
    if named is not None and not (Path(named).expanduser() / "config.json").is_file():
        raise CheckpointError(f"the text tower of {name} has no config.json in {named}: check the folder")
    place = str(Path(named).expanduser()) if named is not None else str(spec.hub)
    try:
        return read_configuration(place)
    except CheckpointError:
        raise
    except (OSError, ValueError) as error:
        ways = f"set {spec.variable} to a folder with both" if spec.variable else "reinstall this package"
        raise CheckpointError(
            f"configuration and tokenizer of {name}'s text tower could not be read from {place} "
            f"({type(error).__name__}): {ways}"
        ) from error


def read_configuration(place: str) -> tuple[Any, PreTrainedTokenizerBase]:
    """Configuration and tokenizer of a Qwen3 text tower in a folder or a Hugging Face repository.

    Raises:
        CheckpointError: a network of another kind.
        OSError, ValueError: files that are missing or damaged.
    """
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    if config.model_type != MODEL_TYPE:
        raise CheckpointError(f"{place} is a {config.model_type}, not a {MODEL_TYPE} text tower: give its folder")
    return config, AutoTokenizer.from_pretrained(place, trust_remote_code=False, padding_side="left")


def _model(config: Any, tensors: Mapping[str, Tensor], source: str) -> Qwen3Model:
    from transformers import Qwen3Model

    config._attn_implementation = "sdpa"
    model = Qwen3Model(config)
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    offered = {key: tuple(value.shape) for key, value in tensors.items()}
    if wanted != offered:
        wrong = sorted(set(wanted.items()) ^ set(offered.items()))
        raise CheckpointError(
            f"the text tower in {source} does not fit its config.json: {len(wrong)} names or shapes differ, the first "
            f"is {wrong[0][0]} {list(wrong[0][1])}"
        )
    check_finite(tensors, source)
    model.load_state_dict({key: value.float() for key, value in tensors.items()}, strict=True)
    return model


def similarity(images: NDArray[np.floating], texts: NDArray[np.floating], logit_scale: float) -> NDArray[np.float64]:
    """exp(logit_scale) times the cosine of every image with every text, `[n, m]`, of vectors `[n, d]` and `[m, d]`.

    Raises:
        FlexiCTError: vectors of different width, or an image vector of length 0.

    >>> similarity(np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0]]), logit_scale=0.0).round(2).tolist()
    [[1.0], [0.71]]
    """
    if images.ndim != 2 or texts.ndim != 2 or images.shape[1] != texts.shape[1]:
        raise FlexiCTError(f"image and text vectors do not share a space: {images.shape} against {texts.shape}")
    lengths = [np.linalg.norm(side, axis=1, keepdims=True) for side in (images, texts)]
    if any((length == 0).any() for length in lengths):
        raise FlexiCTError("a vector has the length 0: embed that scan again")
    cosine = (images / lengths[0]).astype(np.float64) @ (texts / lengths[1]).astype(np.float64).T
    return np.exp(logit_scale) * cosine


def zero_shot(images: NDArray[np.floating], tower: TextTower, findings: Sequence[str]) -> NDArray[np.float64]:
    """How much more likely each finding is than its negation, `[n, n_findings]` in 0 to 1, for image vectors `[n, d]`.

    The softmax over the similarities with `"{finding} ."` and `"No {finding}."`. It ranks scans; it is not a
    probability that a patient has the finding.

    Raises:
        TextError: a finding that is empty or too long.
        FlexiCTError: vectors of another width.
    """
    if any(not finding.strip() for finding in findings):
        raise TextError("a finding is empty: name what to look for")
    prompts = [template.format(finding=f.strip()) for template in (POSITIVE, NEGATIVE) for f in findings]
    scores = similarity(images, tower.encode(prompts), tower.logit_scale)
    positive, negative = np.split(scores, 2, axis=1)
    return np.asarray(1.0 / (1.0 + np.exp(negative - positive)))


def _named(texts: Sequence[str], number: int) -> str:
    text = " ".join(texts[number].split())
    return f"text {number + 1} ({text if len(text) <= SHOWN else text[:SHOWN] + '...'!s})"
