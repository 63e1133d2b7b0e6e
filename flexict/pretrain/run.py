"""A resumable run of one stage: checkpoints, loss curve, and the encoder it ends in."""

from __future__ import annotations

import csv
import logging
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from flexict.checkpoints import load_into, read_tensors
from flexict.pretrain.distil import Distiller, cosine, draw_batch, inflate
from flexict.pretrain.scans import Scans
from flexict.pretrain.stage import Stage

LOG = logging.getLogger(__name__)
CLIP_NORM = 1.0
SAVE_EVERY_S = 120.0
LOG_EVERY = 10


def run_stage(
    stage: Stage,
    scans: Scans,
    shape: Mapping[str, int],
    out: Path,
    *,
    init: Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    bfloat16: bool = False,
) -> Path:
    """Train `stage`, going on from its checkpoint in `out` if there is one.

    Args:
        scans: what to draw crops from.
        shape: arguments of `FlexiCTBackbone`.
        out: folder for `STAGE.checkpoint.pt`, `STAGE.loss.csv` and `STAGE.safetensors`.
        init: weights of the stage before; a 3D stage inflates its 2D patch kernel.
        bfloat16: autocast the forward passes.

    Returns:
        The teacher backbone, float16, as `.safetensors`.

    Raises:
        ValueError: if the checkpoint in `out` was made with other settings, or the loss is no number.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = Distiller(shape, stage)
    if init is not None:
        for backbone in model.backbones():
            load_into(backbone, read_tensors(init), str(init))
            if stage.n_axes == 3:
                inflate(backbone)
    model.to(device)
    optimiser = torch.optim.AdamW(_groups(model.student, stage.weight_decay), lr=stage.learning_rate)
    checkpoint, curve = out / f"{stage.name}.checkpoint.pt", out / f"{stage.name}.loss.csv"
    first = _resume(checkpoint, model, optimiser, stage, seed)
    _trim_curve(curve, first)
    saved_at, began = time.monotonic(), time.monotonic()
    with curve.open("a", newline="") as stream:
        writer = csv.writer(stream)
        if stream.tell() == 0:
            writer.writerow(["step", "dino", "ibot", "koleo", "gradient_norm", "seconds"])
        for step in range(first, stage.steps):
            row = _step(model, optimiser, scans, stage, step, seed, device, bfloat16)
            writer.writerow([step, *(f"{v:.5f}" for v in row), f"{time.monotonic() - began:.1f}"])
            if step % LOG_EVERY == 0:
                LOG.info("%s %d/%d dino %.3f ibot %.3f koleo %.3f", stage.name, step, stage.steps, *row[:3])
            last = step + 1 == stage.steps
            if last or time.monotonic() - saved_at > SAVE_EVERY_S:
                stream.flush()
                _save(checkpoint, model, optimiser, stage, seed, step + 1)
                saved_at = time.monotonic()
    weights = out / f"{stage.name}.safetensors"
    save_backbone(model.teacher["backbone"], weights)
    return weights


def save_backbone(backbone: torch.nn.Module, path: Path) -> None:
    """Write a backbone as `.safetensors` in float16 (rotary periods stay bfloat16)."""
    tensors = {
        k: v.detach().cpu().to(torch.float16 if v.dtype == torch.float32 else v.dtype).contiguous()
        for k, v in backbone.state_dict().items()
    }
    temporary = path.with_suffix(".partial")
    save_file(tensors, temporary)
    os.replace(temporary, path)


def _step(
    model: Distiller,
    optimiser: torch.optim.Optimizer,
    scans: Scans,
    stage: Stage,
    step: int,
    seed: int,
    device: str,
    bfloat16: bool,
) -> list[float]:
    progress = step / stage.steps
    warm_steps = max(1, round(stage.warm_up * stage.steps))
    rate = cosine(stage.learning_rate, stage.learning_rate / 100, progress) * min(1.0, (step + 1) / warm_steps)
    for group in optimiser.param_groups:
        group["lr"] = rate
    crops, local, masks = draw_batch(scans, stage, step, seed)
    crops = [c.to(device) for c in crops]
    local = None if local is None else local.to(device)
    kind = torch.device(device).type
    with torch.autocast(kind, dtype=torch.bfloat16) if bfloat16 else nullcontext():
        losses = model.losses(crops, local, masks.to(device))
    total: Tensor = losses["dino"] + stage.ibot_weight * losses["ibot"] + stage.koleo_weight * losses["koleo"]
    if not torch.isfinite(total):
        raise ValueError(f"the loss of step {step} is {total.item()}: lower the learning rate of {stage.name}")
    optimiser.zero_grad(set_to_none=True)
    total.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.student.parameters(), CLIP_NORM)
    optimiser.step()
    model.follow(cosine(stage.momentum, 1.0, progress))
    return [float(losses[k].detach()) for k in ("dino", "ibot", "koleo")] + [float(norm)]


def _groups(student: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices only."""
    matrices = [p for p in student.parameters() if p.ndim > 1]
    others = [p for p in student.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _save(path: Path, model: Distiller, optimiser: torch.optim.Optimizer, stage: Stage, seed: int, step: int) -> None:
    content = {
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "stage": stage.to_dict(),
        "seed": seed,
        "step": step,
    }
    temporary = path.with_suffix(".partial")
    torch.save(content, temporary)
    os.replace(temporary, path)


def _resume(path: Path, model: Distiller, optimiser: torch.optim.Optimizer, stage: Stage, seed: int) -> int:
    if not path.exists():
        return 0
    content = torch.load(path, map_location="cpu", weights_only=True)
    if content["stage"] != stage.to_dict() or content["seed"] != seed:
        raise ValueError(f"{path} was made with other settings: move it away or choose another --out")
    model.load_state_dict(content["model"])
    optimiser.load_state_dict(content["optimiser"])
    LOG.info("going on from step %d", content["step"])
    return int(content["step"])


def _trim_curve(curve: Path, first: int) -> None:
    """Drop loss rows that a stopped run wrote after its last checkpoint."""
    if not curve.exists():
        return
    with curve.open(newline="") as stream:
        rows = list(csv.reader(stream))
    kept = rows[:1] + [r for r in rows[1:] if r and int(r[0]) < first]
    with curve.open("w", newline="") as stream:
        csv.writer(stream).writerows(kept)
