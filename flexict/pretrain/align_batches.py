"""The input of a step of the stage on reports: patients in one view, each with a report and two opposite sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flexict.pretrain.phantom_views import PhantomViews
from flexict.pretrain.reports import LESION_FIXED, LESION_SCALED, WHOLE, Finding, findings, varied_report
from flexict.pretrain.stages import AlignStage
from flexict.text.text_tower import NEGATIVE, POSITIVE

MOST_SHIFT = 3
GAIN, NOISE = 0.05, 0.1


@dataclass(frozen=True)
class AlignBatch:
    """Patients (`rows` of the data) in one view; a report, a true and a false sentence of each.

    `rng` serves the later draws of the step.
    """

    view: str
    rows: list[int]
    reports: list[str]
    right: list[str]
    wrong: list[str]
    rng: np.random.Generator


def draw_align_batch(data: PhantomViews, stage: AlignStage, size: int, step: int, seed: int) -> AlignBatch:
    """The batch of a step: the same for the same seed and step."""
    rng = np.random.default_rng([seed, step])
    view = WHOLE if rng.uniform() >= stage.lesion_share else str(rng.choice((LESION_FIXED, LESION_SCALED)))
    rows = [int(row) for row in rng.choice(len(data.truths), min(size, len(data.truths)), replace=False)]
    truths = [data.truths[row] for row in rows]
    pairs = [_opposites(findings(truth, view), rng) for truth in truths]
    reports = [varied_report(truth, view, rng) for truth in truths]
    return AlignBatch(view, rows, reports, [pair[0] for pair in pairs], [pair[1] for pair in pairs], rng)


def varied_volumes(data: PhantomViews, batch: AlignBatch) -> Tensor:
    """The volumes of a batch `[B, 1, 80, 80, 80]`, each varied a little."""
    return torch.stack([_varied(data.inputs[batch.view][row], batch.rng) for row in batch.rows])[:, None]


def kept_patches(n_patches: int, share: float, rng: np.random.Generator) -> Tensor:
    """Indices, in order, of the patches that a step uses."""
    return torch.from_numpy(np.sort(rng.choice(n_patches, max(1, round(share * n_patches)), replace=False)))


def _opposites(statements: Sequence[Finding], rng: np.random.Generator) -> tuple[str, str]:
    """A statement and its negation, the true one first; present and absent findings are equally likely."""
    there = [one for one in statements if one.present]
    absent = [one for one in statements if not one.present]
    pool = there if there and (not absent or rng.uniform() < 0.5) else absent
    chosen = pool[int(rng.integers(len(pool)))]
    sentences = POSITIVE.format(finding=chosen.phrase), NEGATIVE.format(finding=chosen.phrase)
    return sentences if chosen.present else sentences[::-1]


def _varied(volume: Tensor, rng: np.random.Generator) -> Tensor:
    """The volume moved by a few voxels, slightly lighter or darker, with noise; not mirrored, as reports name sides."""
    moved = torch.roll(volume.float(), tuple(rng.integers(-MOST_SHIFT, MOST_SHIFT + 1, 3).tolist()), (0, 1, 2))
    gain, offset = (float(rng.uniform(-GAIN, GAIN)) for _ in range(2))
    noise = torch.from_numpy(rng.standard_normal(tuple(volume.shape), dtype=np.float32))
    return moved * (1 + gain) + offset + float(rng.uniform(0, NOISE)) * noise
