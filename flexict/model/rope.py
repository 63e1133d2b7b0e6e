"""Axial rotary position embedding for 2D and 3D patch grids.

Rounding to bfloat16 is part of the published model, not an optimisation: periods, coordinates, angles, sine and
cosine are bfloat16, and leaving any of it out shifts the outputs by 6e-4 to 3e-3 (root mean square).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

BASE = 100.0


class AxialRope(nn.Module):
    """Sine and cosine tables for the patches of an n-dimensional grid.

    Args:
        head_dim: width of one attention head; must be even.
        n_axes: 2 for (h, w), 3 for (d, h, w).
    """

    periods: Tensor

    def __init__(self, head_dim: int, n_axes: int) -> None:
        super().__init__()
        if head_dim % (2 * n_axes) != 0:
            raise ValueError(f"head width {head_dim} cannot be split over {n_axes} axes of sine and cosine")
        n_periods = head_dim // (2 * n_axes)
        exponents = 2 * torch.arange(n_periods, dtype=torch.bfloat16) / (head_dim // 2)
        self.n_axes = n_axes
        self.register_buffer("periods", BASE**exponents)

    def forward(self, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Sine and cosine, each bfloat16 `[prod(grid), head_dim]`, patches in C order."""
        if len(grid) != self.n_axes:
            raise ValueError(f"expected {self.n_axes} axes, got grid {tuple(grid)}")
        device = self.periods.device
        axes = [torch.arange(0.5, n, device=device, dtype=torch.bfloat16) / n for n in grid]
        coords = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2)
        coords = 2.0 * coords - 1.0
        angles = 2 * math.pi * coords[:, :, None] / self.periods[None, None, :]
        angles = angles.flatten(1, 2).tile(2)
        return torch.sin(angles), torch.cos(angles)


def rotate(x: Tensor, sin: Tensor, cos: Tensor, n_prefix: int) -> Tensor:
    """Rotate the patch tokens of queries or keys; the first `n_prefix` tokens are only rounded.

    Args:
        x: `[B, heads, n_prefix + N, head_dim]` in any float type.
        sin: `[N, head_dim]`; element j of a head is paired with element j + head_dim / 2.
        cos: `[N, head_dim]`.
        n_prefix: class and register tokens, which carry no position.

    Returns:
        The same shape and type as `x`; every token has passed through the type of `sin` (bfloat16).
    """
    rounded = x.to(sin.dtype)
    prefix, patches = rounded[:, :, :n_prefix], rounded[:, :, n_prefix:]
    first, second = patches.chunk(2, dim=-1)
    turned = patches * cos + torch.cat((-second, first), dim=-1) * sin
    return torch.cat((prefix, turned), dim=-2).to(x.dtype)
