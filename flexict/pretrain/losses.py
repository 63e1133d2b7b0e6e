"""The losses of self-distillation: DINO on class tokens, iBOT on masked patches, KoLeo on the batch, Gram on patches.

Sources: DINO (Caron et al. 2021, section 3.1), iBOT (Zhou et al. 2022, section 3.2), KoLeo (Sablayrolles et al.
2019, section 3.3), in the combination of DINOv2 (Oquab et al. 2024, section 4); Gram anchoring (DINOv3, Simeoni et
al. 2025, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Head(nn.Module):
    """Projection of tokens `[n, width]` to prototype logits `[n, n_prototypes]`.

    What all tokens of a batch share is removed before the prototypes (a batch norm without parameters): the tokens of
    CTs are so similar that short runs would never separate them.
    """

    def __init__(self, width: int, n_prototypes: int, hidden: int = 512, bottleneck: int = 128) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
            nn.BatchNorm1d(bottleneck, affine=False, track_running_stats=False),
        )
        self.prototypes = nn.Parameter(F.normalize(torch.randn(n_prototypes, bottleneck), dim=-1))
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                # The usual 0.02 leaves the cosines of different scans so similar that short runs make no progress.
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.normalize(self.mlp(tokens), dim=-1, eps=1e-6) @ F.normalize(self.prototypes, dim=-1).T


@torch.no_grad()
def balanced_targets(logits: Tensor, temperature: float, n_iterations: int = 3) -> Tensor:
    """Teacher probabilities `[n, n_prototypes]` of logits `[n, n_prototypes]`, every prototype used equally often.

    Sinkhorn-Knopp (Caron et al. 2020, section 3.1), as in DINOv2: no prototype can win everywhere, so the network
    cannot reach agreement by giving all scans the same output.
    """
    scaled = logits.float() / temperature
    weights = (scaled - scaled.max()).exp()
    n, n_prototypes = weights.shape
    for _ in range(n_iterations):
        weights = weights / weights.sum(dim=0, keepdim=True).clamp_min(1e-30) / n_prototypes
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-30) / n
    return weights * n


def distillation(student: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of student logits against teacher probabilities, both `[..., n_prototypes]`."""
    return -(targets * (student.float() / temperature).log_softmax(dim=-1)).sum(dim=-1).mean()


def dino(student: Sequence[Tensor], targets: Sequence[Tensor], temperature: float) -> Tensor:
    """Every student crop against every teacher crop but its own copy; crops `[B, n_prototypes]`, globals first."""
    terms = [
        distillation(logits, target, temperature)
        for i, logits in enumerate(student)
        for j, target in enumerate(targets)
        if i != j
    ]
    return torch.stack(terms).mean()


def koleo(vectors: Tensor) -> Tensor:
    """Minus the mean log distance of each unit vector of `[B, width]` to its nearest other."""
    unit = F.normalize(vectors.float(), dim=-1, eps=1e-6)
    similarity = unit @ unit.T
    similarity.fill_diagonal_(-1.0)
    nearest = unit[similarity.argmax(dim=1)]
    return -torch.log((unit - nearest).norm(dim=-1) + 1e-6).mean()


def gram(student: Tensor, anchor: Tensor) -> Tensor:
    """Mean squared difference of the cosines between all pairs of patches of an image, both `[B, N, width]`.

    The anchor is an earlier, frozen network: class tokens keep learning while patch tokens stay distinct by place.
    """
    ours = F.normalize(student.float(), dim=-1, eps=1e-6)
    theirs = F.normalize(anchor.float(), dim=-1, eps=1e-6)
    return F.mse_loss(ours @ ours.transpose(1, 2), theirs @ theirs.transpose(1, 2))
