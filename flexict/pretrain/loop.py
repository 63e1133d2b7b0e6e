"""A resumable training loop: updates, learning rate, checkpoints, and a loss curve that fits them."""

from __future__ import annotations

import csv
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from flexict.errors import FlexiCTError

LOG = logging.getLogger(__name__)
SAVE_EVERY_S = 120.0
LOG_EVERY = 10
CLIP_NORM = 1.0


@dataclass(frozen=True)
class Run:
    """One stage in a run folder.

    Attributes:
        name: of the stage; becomes part of the file names.
        settings: all that decides the result; a checkpoint made with others is refused.
        columns: what a step returns, by name, for the loss curve.
    """

    name: str
    settings: Mapping[str, Any]
    steps: int
    seed: int
    out: Path
    columns: Sequence[str]

    @property
    def checkpoint(self) -> Path:
        """The file of the saved state."""
        return self.out / f"{self.name}.checkpoint.pt"

    def go(self, model: nn.Module, optimiser: torch.optim.Optimizer, step: Callable[[int], list[float]]) -> None:
        """Call `step` for every remaining step and save at intervals.

        Raises:
            FlexiCTError: if the checkpoint in `out` was made with other settings.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        curve = self.out / f"{self.name}.loss.csv"
        first = self._resume(model, optimiser)
        _trim_curve(curve, first)
        saved_at, began = time.monotonic(), time.monotonic()
        with curve.open("a", newline="") as stream:
            writer = csv.writer(stream)
            if stream.tell() == 0:
                writer.writerow(["step", *self.columns, "seconds"])
            for number in range(first, self.steps):
                row = step(number)
                writer.writerow([number, *(f"{v:.5f}" for v in row), f"{time.monotonic() - began:.1f}"])
                if number % LOG_EVERY == 0:
                    found = " ".join(f"{name} {value:.3f}" for name, value in zip(self.columns, row, strict=True))
                    LOG.info("%s %d/%d %s", self.name, number, self.steps, found)
                if number + 1 == self.steps or time.monotonic() - saved_at > SAVE_EVERY_S:
                    stream.flush()
                    self._save(model, optimiser, number + 1)
                    saved_at = time.monotonic()

    def _save(self, model: nn.Module, optimiser: torch.optim.Optimizer, step: int) -> None:
        content = {
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
            "stage": dict(self.settings),
            "seed": self.seed,
            "step": step,
        }
        with replacing(self.checkpoint) as temporary:
            torch.save(content, temporary)

    def _resume(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> int:
        if not self.checkpoint.exists():
            return 0
        content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if content["stage"] != dict(self.settings) or content["seed"] != self.seed:
            raise FlexiCTError(f"{self.checkpoint} was made with other settings: move it away or choose another --out")
        model.load_state_dict(content["model"])
        optimiser.load_state_dict(content["optimiser"])
        LOG.info("resuming from step %d", content["step"])
        return int(content["step"])


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which replaces it once it is completely written."""
    temporary = path.with_suffix(".partial")
    yield temporary
    os.replace(temporary, path)


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write weights as `.safetensors` in float16 (rotary periods stay bfloat16)."""
    halves = {
        name: value.detach().cpu().to(torch.float16 if value.dtype == torch.float32 else value.dtype).contiguous()
        for name, value in tensors.items()
    }
    with replacing(path) as temporary:
        save_file(halves, temporary)


def update(optimiser: torch.optim.Optimizer, loss: Tensor, parameters: Iterable[Tensor], where: str) -> float:
    """One step down the gradient of `loss`, its norm clipped to `CLIP_NORM`; the norm before clipping.

    Raises:
        FlexiCTError: if the loss is NaN or infinite; `where` names step and stage.
    """
    if not torch.isfinite(loss):
        raise FlexiCTError(f"the loss of {where} is {loss.item()}: lower the learning rate")
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
    optimiser.step()
    return float(norm)


def cosine(start: float, end: float, progress: float) -> float:
    """Cosine from `start` at progress 0 to `end` at 1.

    >>> cosine(1.0, 0.0, 0.5)
    0.5
    """
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


def set_rate(optimiser: torch.optim.Optimizer, rate: float, warm_up: float, step: int, steps: int) -> None:
    """Cosine decay to a hundredth after a linear warm-up; groups may scale it by their `rate_scale`."""
    warm_steps = max(1, round(warm_up * steps))
    now = cosine(rate, rate / 100, step / steps) * min(1.0, (step + 1) / warm_steps)
    for group in optimiser.param_groups:
        group["lr"] = now * group.get("rate_scale", 1.0)


def decayed(model: nn.Module, weight_decay: float, rate_scale: float = 1.0) -> list[dict[str, Any]]:
    """Parameter groups of AdamW: weight decay on matrices only."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay, "rate_scale": rate_scale},
        {"params": others, "weight_decay": 0.0, "rate_scale": rate_scale},
    ]


def _trim_curve(curve: Path, first: int) -> None:
    """Drop loss rows that a stopped run wrote after its last checkpoint."""
    if not curve.exists():
        return
    with curve.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    kept = rows[:1] + [r for r in rows[1:] if r and int(r[0]) < first]
    with curve.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(kept)
