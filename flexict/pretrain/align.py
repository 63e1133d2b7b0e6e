"""Stage 3: images and reports in one space, at nano scale on simulated CTs.

Source: arXiv 2605.21906, phase 3: contrast between images and reports (CLIP, Radford et al. 2021, section 2.3) and a
loss on opposite sentences: of a statement and its negation, the true one should lie nearer the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flexict.hub.checkpoints import load_into, read_tensors
from flexict.hub.vlm_checkpoint import PROJECTION, SCALE, TEXT, VISION
from flexict.model.backbone import FlexiCTBackbone
from flexict.pretrain.align_batches import AlignBatch, draw_align_batch, kept_patches, varied_volumes
from flexict.pretrain.loop import Run, decayed, save_tensors, set_rate, update
from flexict.pretrain.nano_text import write_tower_folder
from flexict.pretrain.phantom_views import PhantomViews, simulate
from flexict.pretrain.stages import AlignStage
from flexict.text.text_tower import last_token_vectors, read_configuration

# CLIP's start and ceiling of the scale (section 2.5).
FIRST_SCALE, MOST_SCALE = float(np.log(1 / 0.07)), float(np.log(100.0))
# How much of the largest variance is added to each before pooled vectors are whitened.
SHRINK = 1e-3
LATER_SETTINGS = ("steps", "batch_size", "keep_share", "rate_scale")
COLUMNS = ("contrast", "opposite", "recall_at_1", "opposite_right", "scale", "gradient_norm")


class Aligner(nn.Module):
    """Image tower, projection, text tower and the scale of their cosines."""

    def __init__(self, shape: Mapping[str, int], config: Any) -> None:
        super().__init__()
        from transformers import Qwen3Model

        self.vision = FlexiCTBackbone(**shape)
        self.projection = nn.Linear(2 * shape["embed_dim"], int(config.hidden_size), bias=False)
        self.text = Qwen3Model(config)
        self.logit_scale = nn.Parameter(torch.tensor([FIRST_SCALE]))

    def joint(self, pooled: Tensor) -> Tensor:
        """Unit vectors `[B, joint]` of pooled vectors `[B, 2 * embed_dim]`."""
        return F.normalize(self.projection(pooled).float(), dim=-1)

    def published_names(self) -> dict[str, Tensor]:
        """All weights under the names of a published checkpoint."""
        tensors = {VISION + name: value for name, value in self.vision.state_dict().items()}
        tensors |= {TEXT + name: value for name, value in self.text.state_dict().items()}
        return tensors | {PROJECTION: self.projection.weight, SCALE: self.logit_scale}


@torch.no_grad()
def pooled_vectors(model: Aligner, data: PhantomViews, device: str, batch_size: int = 4) -> dict[str, Tensor]:
    """Pooled vectors `[n, 2 * embed_dim]` of all patients by view, as the backbone is now."""
    return {
        view: torch.cat([model.vision(part[:, None].float().to(device)).pooled() for part in x.split(batch_size)])
        for view, x in data.inputs.items()
    }


@torch.no_grad()
def spread_images(model: Aligner, pooled: Tensor) -> None:
    """Start the projection as a whitening of pooled vectors `[n, 2 * embed_dim]` without what all scans share.

    Pooled vectors of different CTs are nearly parallel. Through a random projection all images would start at one point
    of the joint space, and short runs never leave it.
    """
    pooled = pooled.cpu().double()
    mean = F.normalize(pooled.mean(dim=0), dim=0)
    blind = torch.eye(len(mean), dtype=torch.float64) - torch.outer(mean, mean)
    values, directions = torch.linalg.eigh(blind @ torch.cov(pooled.T) @ blind)
    kept = len(model.projection.weight)
    gain = (values[-kept:].clamp_min(0) + SHRINK * values[-1]).rsqrt()
    model.projection.weight.copy_(((directions[:, -kept:] * gain).T @ blind).float())


def contrast(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Symmetric cross-entropy of matching unit vectors `[B, d]` with each other; `scale` multiplies the cosines."""
    logits = scale * images @ texts.T
    rows = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2


def opposite(images: Tensor, right: Tensor, wrong: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of choosing the true of two opposite sentences for each image, unit vectors `[B, d]`."""
    margin = scale * ((images * right).sum(dim=1) - (images * wrong).sum(dim=1))
    return F.softplus(-margin).mean()


def run_align_stage(
    stage: AlignStage,
    shape: Mapping[str, int],
    out: Path,
    *,
    init: Path | None,
    device: str = "cpu",
    seed: int = 0,
    bfloat16: bool = False,
) -> Path:
    """Train the stage, resuming from its checkpoints in `out` if there are any.

    Args:
        init: backbone weights of the stage before; None starts from untrained ones.
        out: folder for the checkpoints and loss curves of the locked steps and of the others, the simulated patients,
            `STAGE-locked.safetensors` and `STAGE.safetensors` (all parts, with published names) and the folder
            `STAGE-text` (configuration and tokenizer).

    Returns:
        `STAGE.safetensors`.

    Raises:
        FlexiCTError: if a checkpoint in `out` was made with other settings, or the loss is NaN or infinite.
    """
    torch.manual_seed(seed)
    data = simulate(range(stage.first_seed, stage.first_seed + stage.n_phantoms), out)
    folder = out / f"{stage.name}-text"
    write_tower_folder(folder, data.truths, seed)
    config, tokenizer = read_configuration(str(folder))
    model = Aligner(shape, config)
    if init is not None:
        load_into(model.vision, read_tensors(init), str(init))
    model.to(device)
    settings = asdict(stage)
    kind = torch.device(device).type

    def encode_texts(texts: Sequence[str]) -> Tensor:
        tokens = tokenizer(list(texts), padding=True, return_tensors="pt").to(device)
        return last_token_vectors(model.text, tokens["input_ids"], tokens["attention_mask"])

    pooled = pooled_vectors(model, data, device)
    spread_images(model, torch.cat(list(pooled.values())))
    text_side = nn.ModuleList([model.projection, model.text])
    groups = [*decayed(text_side, stage.weight_decay), {"params": [model.logit_scale], "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=stage.learning_rate)
    # Other settings of the later steps leave the locked ones as they are.
    of_locked = {name: value for name, value in settings.items() if name not in LATER_SETTINGS}
    locked = Run(f"{stage.name}-locked", of_locked, stage.locked_steps, seed, out, COLUMNS)

    def locked_step(number: int) -> list[float]:
        set_rate(optimiser, stage.learning_rate, stage.warm_up, number, stage.locked_steps)
        batch = draw_align_batch(data, stage, stage.locked_batch_size, number, seed)
        images = model.joint(pooled[batch.view][batch.rows])
        return _learn(model, optimiser, stage, images, batch, encode_texts, f"locked step {number}")

    locked.go(model, optimiser, locked_step)
    save_tensors(model.published_names(), out / f"{locked.name}.safetensors")

    rate = stage.learning_rate * stage.rate_scale
    optimiser = torch.optim.AdamW(groups + decayed(model.vision, stage.weight_decay), lr=rate)
    n_patches = (next(iter(data.inputs.values())).shape[-1] // model.vision.patch_embed_3D.size[0]) ** 3

    def step(number: int) -> list[float]:
        set_rate(optimiser, rate, stage.warm_up, number, stage.steps)
        batch = draw_align_batch(data, stage, stage.batch_size, stage.locked_steps + number, seed)
        volumes, keep = varied_volumes(data, batch), kept_patches(n_patches, stage.keep_share, batch.rng)
        with torch.autocast(kind, dtype=torch.bfloat16) if bfloat16 else nullcontext():
            images = model.joint(model.vision(volumes.to(device), keep=keep.to(device)).pooled())
        return _learn(model, optimiser, stage, images, batch, encode_texts, f"step {number}")

    run = Run(stage.name, settings, stage.steps, seed, out, COLUMNS)
    run.go(model, optimiser, step)
    weights = out / f"{stage.name}.safetensors"
    save_tensors(model.published_names(), weights)
    return weights


def _learn(
    model: Aligner,
    optimiser: torch.optim.Optimizer,
    stage: AlignStage,
    images: Tensor,
    batch: AlignBatch,
    encode_texts: Callable[[Sequence[str]], Tensor],
    where: str,
) -> list[float]:
    """One update towards the batch's texts; the values of `COLUMNS`."""
    texts, right, wrong = encode_texts([*batch.reports, *batch.right, *batch.wrong]).split(len(images))
    scale = model.logit_scale.exp()
    matched, chosen = contrast(images, texts, scale), opposite(images, right, wrong, scale)
    total = matched + stage.opposite_weight * chosen
    norm = update(optimiser, total, model.parameters(), f"{where} of {stage.name}")
    with torch.no_grad():
        model.logit_scale.clamp_(0.0, MOST_SCALE)
        hits = (images @ texts.T).argmax(dim=1) == torch.arange(len(images), device=images.device)
        better = (images * right).sum(dim=1) > (images * wrong).sum(dim=1)
    shares = (float(one.float().mean()) for one in (hits, better))
    return [float(matched.detach()), float(chosen.detach()), *shares, float(scale.detach()), norm]
