"""One stage of self-distillation: from the checkpoint of the stage before to the weights of an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from flexict.pretrain.distil import Distiller, draw_batch, inflate
from flexict.pretrain.loop import Run, cosine, decayed, save_tensors, set_rate, update
from flexict.pretrain.scans import Scans
from flexict.pretrain.stages import Stage

LOSSES = ("dino", "ibot", "koleo", "gram")


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
    """Train `stage`, resuming from its checkpoint in `out` if there is one.

    Args:
        scans: what to draw crops from.
        shape: arguments of `FlexiCTBackbone`.
        out: folder for `STAGE.checkpoint.pt`, `STAGE.loss.csv` and `STAGE.safetensors`.
        init: the run folder's checkpoint of the stage before, heads and all; a 3D stage that follows a 2D one
            inflates its patch kernel, and a Gram loss keeps the patches near those of this checkpoint.
        bfloat16: autocast the forward passes.

    Returns:
        The checkpoint; beside it lies the teacher backbone, float16, as `STAGE.safetensors` (after a 2D stage with its
        kernel inflated, so that it also encodes volumes).

    Raises:
        FlexiCTError: if the checkpoint in `out` was made with other settings, or the loss is NaN or infinite.
    """
    torch.manual_seed(seed)
    model = Distiller(shape, stage)
    if init is not None:
        start = torch.load(init, map_location="cpu", weights_only=True)
        model.load_state_dict(start["model"])
        if stage.n_axes == 3 and start["stage"]["n_axes"] == 2:
            for backbone in model.backbones():
                inflate(backbone)
    model.to(device)
    if stage.gram_weight > 0:
        model.drop_anchor()
    optimiser = torch.optim.AdamW(decayed(model.student, stage.weight_decay), lr=stage.learning_rate)
    run = Run(stage.name, asdict(stage), stage.steps, seed, out, (*LOSSES, "gradient_norm"))
    run.go(model, optimiser, lambda step: _step(model, optimiser, scans, stage, step, seed, device, bfloat16))
    teacher = model.backbones()[1]
    if stage.n_axes == 2:
        # The checkpoint is written; the exported weights encode volumes too.
        inflate(teacher)
    save_tensors(teacher.state_dict(), out / f"{stage.name}.safetensors")
    return run.checkpoint


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
    set_rate(optimiser, stage.learning_rate, stage.warm_up, step, stage.steps)
    batch = draw_batch(scans, stage, step, seed).to(device)
    kind = torch.device(device).type
    with torch.autocast(kind, dtype=torch.bfloat16) if bfloat16 else nullcontext():
        losses = model.losses(batch)
    total: Tensor = (
        losses["dino"]
        + stage.ibot_weight * losses["ibot"]
        + stage.koleo_weight * losses["koleo"]
        + stage.gram_weight * losses["gram"]
    )
    norm = update(optimiser, total, model.student.parameters(), f"step {step} of {stage.name}")
    model.follow(cosine(stage.momentum, 1.0, step / stage.steps))
    return [float(losses[name].detach()) for name in LOSSES] + [norm]
