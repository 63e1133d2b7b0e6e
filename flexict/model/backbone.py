"""The FlexiCT vision transformer: tokens of a CT slice or volume (arXiv 2605.21906)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flexict.model.patch_embed import PatchEmbed
from flexict.model.rope import AxialRope, rotate

NORM_EPS = 1e-6
MLP_RATIO = 4


@dataclass(frozen=True)
class Tokens:
    """The tokens of a batch after the final norm.

    Attributes:
        cls: `[B, width]`.
        registers: `[B, n_registers, width]`.
        patches: `[B, N, width]`, in C order of `grid`.
        grid: number of patches along (h, w) or (d, h, w).
    """

    cls: Tensor
    registers: Tensor
    patches: Tensor
    grid: tuple[int, ...]

    def pooled(self) -> Tensor:
        """Class token and mean patch token side by side, `[B, 2 * width]` (the published pooled vector)."""
        return torch.cat((self.cls, self.patches.mean(dim=1)), dim=-1)


class Attention(nn.Module):
    """Multi-head self-attention with rotary positions on the patch tokens."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], n_prefix: int) -> Tensor:
        batch, length, dim = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.num_heads, dim // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q, k = rotate(q, *rope, n_prefix), rotate(k, *rope, n_prefix)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).reshape(batch, length, dim))


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, MLP_RATIO * dim)
        self.fc2 = nn.Linear(MLP_RATIO * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    """A learned gain a channel on a residual branch."""

    def __init__(self, dim: int, initial: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, dim: int, num_heads: int, layer_scale: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = Attention(dim, num_heads)
        self.ls1 = LayerScale(dim, layer_scale)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim)
        self.ls2 = LayerScale(dim, layer_scale)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], n_prefix: int) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x), rope, n_prefix))
        return x + self.ls2(self.mlp(self.norm2(x)))


class FlexiCTBackbone(nn.Module):
    """One transformer for axial slices `[B, 1, H, W]` and volumes `[B, 1, D, H, W]`.

    The input is a preprocessed CT (see `flexict.presets`), not HU. The names in `state_dict()` are those of a
    published checkpoint without its `backbone.` prefix.

    Args:
        embed_dim: token width.
        depth: number of blocks.
        num_heads: attention heads; `embed_dim / num_heads` must be divisible by 12.
        patch_size: edge of the stored patch kernels, in pixels or voxels.
        n_registers: storage tokens beside the class token.
        layer_scale: initial gain of the residual branches, replaced by those of a checkpoint.

    >>> backbone = FlexiCTBackbone(embed_dim=72, depth=1, num_heads=1)
    >>> tokens = backbone(torch.zeros(2, 1, 16, 24, 32))
    >>> tokens.grid, tuple(tokens.pooled().shape)
    ((2, 3, 4), (2, 144))
    """

    def __init__(
        self,
        embed_dim: int = 864,
        depth: int = 16,
        num_heads: int = 12,
        patch_size: int = 8,
        n_registers: int = 4,
        layer_scale: float = 1e-5,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f"width {embed_dim} does not divide into {num_heads} heads")
        head_dim = embed_dim // num_heads
        self.embed_dim = embed_dim
        self.n_registers = n_registers
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.storage_tokens = nn.Parameter(torch.zeros(1, n_registers, embed_dim))
        self.mask_token = nn.Parameter(torch.zeros(1, embed_dim))
        self.patch_embed_2D = PatchEmbed(embed_dim, patch_size, n_axes=2)
        self.patch_embed_3D = PatchEmbed(embed_dim, patch_size, n_axes=3)
        self.rope_embed_2D = AxialRope(head_dim, n_axes=2)
        self.rope_embed_3D = AxialRope(head_dim, n_axes=3)
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads, layer_scale) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dim, eps=NORM_EPS)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.cls_token, std=0.02)
        nn.init.normal_(self.storage_tokens, std=0.02)

    def _apply(self, fn: Any, recurse: bool = True) -> FlexiCTBackbone:
        """Move or cast, keeping the rotary periods in bfloat16: `.float()` would change the published vectors."""
        super()._apply(fn, recurse)
        for rope in (self.rope_embed_2D, self.rope_embed_3D):
            rope.periods = rope.periods.to(torch.bfloat16)
        return self

    def set_patch_size(self, size: int | Sequence[int]) -> None:
        """Set the run-time patch: one edge for 2D and 3D, `(h, w)` for slices or `(d, h, w)` for volumes.

        Raises:
            ValueError: if `size` has neither 1, 2 nor 3 positive numbers.
        """
        edges = (size,) if isinstance(size, int) else tuple(size)
        if len(edges) not in (1, 2, 3) or any(int(n) != n or n < 1 for n in edges):
            raise ValueError(f"a patch size is one, two or three positive whole numbers, not {size!r}")
        if len(edges) == 1:
            self.patch_embed_2D.set_size(edges * 2)
            self.patch_embed_3D.set_size(edges * 3)
        elif len(edges) == 2:
            self.patch_embed_2D.set_size(edges)
        else:
            self.patch_embed_3D.set_size(edges)

    def forward(self, x: Tensor, mask: Tensor | None = None, keep: Tensor | None = None) -> Tokens:
        """Tokens after the last block.

        Args:
            x: `[B, 1, H, W]` or `[B, 1, D, H, W]`.
            mask: bool `[B, N]`; patches replaced by the mask token (training only).
            keep: indices `[K]` of the patches that are used; the others are left out (training only).
        """
        return self._run(x, [len(self.blocks) - 1], mask, keep)[0]

    def intermediate(self, x: Tensor, blocks: Sequence[int]) -> list[Tokens]:
        """Tokens after each of `blocks` (counted from 0), the final norm applied to each, in the order of `blocks`.

        Raises:
            ValueError: if a block does not exist.
        """
        absent = [b for b in blocks if not 0 <= b < len(self.blocks)]
        if absent:
            raise ValueError(f"blocks {absent} do not exist: this backbone has blocks 0 to {len(self.blocks) - 1}")
        return self._run(x, list(blocks))

    def _run(
        self, x: Tensor, wanted: list[int], mask: Tensor | None = None, keep: Tensor | None = None
    ) -> list[Tokens]:
        if x.ndim not in (4, 5) or x.shape[1] != 1:
            raise ValueError(f"expected [B, 1, H, W] or [B, 1, D, H, W], got {tuple(x.shape)}")
        flat = x.ndim == 4
        tokens, grid = (self.patch_embed_2D if flat else self.patch_embed_3D)(x)
        if mask is not None:
            tokens = torch.where(mask[..., None], self.mask_token.to(tokens.dtype), tokens)
        if keep is not None:
            tokens = tokens[:, keep]
        batch = x.shape[0]
        prefix = torch.cat((self.cls_token, self.storage_tokens), dim=1).expand(batch, -1, -1)
        n_prefix = prefix.shape[1]
        tokens = torch.cat((prefix.to(tokens.dtype), tokens), dim=1)
        sin, cos = (self.rope_embed_2D if flat else self.rope_embed_3D)(grid)
        rope = (sin, cos) if keep is None else (sin[keep], cos[keep])
        kept: dict[int, Tokens] = {}
        for index, block in enumerate(self.blocks):
            tokens = block(tokens, rope, n_prefix)
            if index in wanted:
                normed = self.norm(tokens)
                kept[index] = Tokens(normed[:, 0], normed[:, 1:n_prefix], normed[:, n_prefix:], grid)
            if index == max(wanted):
                break
        return [kept[index] for index in wanted]
