"""How the tokens of a scan become one vector; `flexict.kinds` names the kinds of vector.

Source: arXiv 2605.21906, the vectors of the phenotype, slice and text experiments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flexict.kinds import CLS, HIERARCHICAL, MASK_POOLED, POOLED, VLM
from flexict.model.backbone import Tokens


def vectors(
    kind: str, levels: Sequence[Tokens], cells: Tensor | None = None, projection: nn.Module | None = None
) -> Tensor:
    """Vectors `[B, width]` of one kind.

    Args:
        levels: tokens after each block of `flexict.kinds.blocks_of`.
        cells: for `mask_pooled`, bool `[B, N]`: the patches that the mask touches (see `touched_cells`).
        projection: for `vlm`, pooled vector -> joint space.

    Returns:
        `cls`: the class token. `pooled`: class token and mean patch token. `hierarchical`: the pooled vectors of all
        levels side by side, of unit length. `mask_pooled`: the mean of the touched patch tokens, the class token
        where the mask touches none. `vlm`: the pooled vector projected, of unit length.

    Raises:
        ValueError: an unknown kind, or one whose mask or projection is missing.
    """
    last = levels[-1]
    if kind == CLS:
        return last.cls
    if kind == POOLED:
        return last.pooled()
    if kind == HIERARCHICAL:
        return F.normalize(torch.cat([level.pooled() for level in levels], dim=-1), dim=-1)
    if kind == MASK_POOLED and cells is not None:
        weights = cells.to(last.patches.dtype)
        count = weights.sum(dim=1, keepdim=True)
        mean = (weights[:, None] @ last.patches)[:, 0] / count.clamp_min(1)
        return torch.where(count > 0, mean, last.cls)
    if kind == VLM and projection is not None:
        return F.normalize(projection(last.pooled()), dim=-1)
    raise ValueError(f"the vector {kind!r} is unknown, or its mask or projection is missing")


def touched_cells(mask: Tensor, patch: Sequence[int]) -> Tensor:
    """Which patches a mask touches, bool `[B, N]` in C order, for a mask `[B, *space]` on the grid of the input.

    Voxels beyond the last complete patch belong to no patch, as in the patch embedding.

    >>> mask = torch.zeros(1, 4, 4)
    >>> mask[0, 3, 0] = 1
    >>> touched_cells(mask, patch=(2, 2)).tolist()
    [[False, False, True, False]]
    """
    pool = F.max_pool2d if mask.ndim == 3 else F.max_pool3d
    return pool((mask[:, None] != 0).float(), kernel_size=tuple(patch)).flatten(1) > 0
