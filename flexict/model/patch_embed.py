"""Patch embedding whose patch size can be changed at run time without new weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flexict.errors import FlexiCTError


class PatchEmbed(nn.Module):
    """A strided convolution over 2D slices or 3D volumes with a resizable kernel.

    At a run-time patch size other than the trained one the kernel is resampled with the pseudo-inverse of the
    interpolation (FlexiViT, Beyer et al. 2023, section 3.4), so that a patch and its interpolated copy give the same
    token.

    Args:
        embed_dim: width of a token.
        patch_size: edge of the trained kernel in pixels or voxels.
        n_axes: 2 or 3.
    """

    def __init__(self, embed_dim: int, patch_size: int, n_axes: int) -> None:
        super().__init__()
        conv = nn.Conv2d if n_axes == 2 else nn.Conv3d
        self.n_axes = n_axes
        self.trained = (patch_size,) * n_axes
        self.size = self.trained
        self.proj = conv(1, embed_dim, kernel_size=patch_size, stride=patch_size)

    def set_size(self, size: Sequence[int]) -> None:
        """Use patches of `size` (one value per axis) from now on."""
        self.size = tuple(int(n) for n in size)

    def kernel(self) -> Tensor:
        """The kernel at the run-time patch size, `[embed_dim, 1, *size]`."""
        weight = self.proj.weight
        if self.size == self.trained:
            return weight
        inverse = _resize_pinv(self.trained, self.size).to(weight.device)
        flat = weight.float().flatten(2) @ inverse
        return flat.reshape(*weight.shape[:2], *self.size).to(weight.dtype)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """Tokens `[B, N, embed_dim]` in C order and the grid they came from, for `[B, 1, *space]`."""
        space = tuple(x.shape[2:])
        if any(n < p for n, p in zip(space, self.size, strict=True)):
            raise FlexiCTError(f"an input of {space} is smaller than one patch of {self.size}")
        conv = F.conv2d if self.n_axes == 2 else F.conv3d
        out = conv(x, self.kernel(), self.proj.bias, stride=self.size)
        return out.flatten(2).transpose(1, 2), tuple(out.shape[2:])


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # tensors made in inference mode cannot be used in training
def _resize_pinv(old: tuple[int, ...], new: tuple[int, ...]) -> Tensor:
    """`pinv(R)`, `[prod(old), prod(new)]`, of the interpolation R from `old` to `new` patches, in float32."""
    n_old = int(torch.tensor(old).prod())
    basis = torch.eye(n_old).reshape(n_old, 1, *old)
    if len(old) == 2:
        resized = F.interpolate(basis, size=new, mode="bicubic", antialias=True, align_corners=False)
    else:
        resized = F.interpolate(basis, size=new, mode="trilinear", align_corners=False)
    return torch.linalg.pinv(resized.flatten(1).T)
