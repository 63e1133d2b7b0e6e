"""Multi-crop views of a scan: where a crop lies, its size, and how its intensities vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# HU are calibrated, and density tells tissues apart: intensities vary little here, unlike in photographs.
NOISE_STD = 0.1
GAIN_RANGE = 0.05
OFFSET_RANGE = 0.05
BLUR_CHANCE = 0.2


@dataclass(frozen=True)
class CropPlan:
    """Edges (voxels after resizing) and scales (share of the field's edge) of one kind of crop."""

    edge: int
    scale: tuple[float, float]
    n: int


def multi_crop(scan: Tensor, plans: Sequence[CropPlan], n_axes: int, generator: torch.Generator) -> list[list[Tensor]]:
    """For each plan, its crops `[1, edge, ...]` of one scan `[z, y, x]`.

    In 2D all crops come from one axial slice. A crop is a box of random place and edge, flipped left to right with
    probability one half, resized with averaging where it shrinks, then jittered in intensity.
    """
    if n_axes == 2:
        inner = _integer(scan.shape[0], generator)
        field = scan[inner]
    else:
        field = scan
    return [[_crop(field, plan, generator) for _ in range(plan.n)] for plan in plans]


def _crop(field: Tensor, plan: CropPlan, generator: torch.Generator) -> Tensor:
    low, high = plan.scale
    share = low + (high - low) * _uniform(generator)
    edge = max(8, round(share * min(field.shape[-2:])))
    box = []
    for n in field.shape:
        length = min(edge, n)
        start = _integer(n - length + 1, generator)
        box.append(slice(start, start + length))
    crop = field[tuple(box)].float()
    if _uniform(generator) < 0.5:
        crop = crop.flip(-1)
    return _jitter(_resize(crop, plan.edge), generator)[None]


def _resize(crop: Tensor, edge: int) -> Tensor:
    """Resize to a square or cube, averaging first by whole factors so that shrinking does not alias."""
    x = crop[None, None]
    factors = [max(1, n // edge) for n in crop.shape]
    if max(factors) > 1:
        pool = F.avg_pool2d if crop.ndim == 2 else F.avg_pool3d
        x = pool(x, factors)
    mode = "bilinear" if crop.ndim == 2 else "trilinear"
    return F.interpolate(x, size=(edge,) * crop.ndim, mode=mode, align_corners=False)[0, 0]


def _jitter(crop: Tensor, generator: torch.Generator) -> Tensor:
    gain = 1 + GAIN_RANGE * (2 * _uniform(generator) - 1)
    offset = OFFSET_RANGE * (2 * _uniform(generator) - 1)
    out = crop * gain + offset
    if _uniform(generator) < BLUR_CHANCE:
        pool = F.avg_pool2d if crop.ndim == 2 else F.avg_pool3d
        out = pool(out[None, None], 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    return out + NOISE_STD * _uniform(generator) * torch.randn(out.shape, generator=generator)


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _integer(below: int, generator: torch.Generator) -> int:
    return int(torch.randint(max(1, below), (), generator=generator))
