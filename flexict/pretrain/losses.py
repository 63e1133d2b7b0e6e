"""The losses of self-distillation: DINO on class tokens, iBOT on masked patches, KoLeo on the batch.

Sources: DINO (Caron et al. 2021, section 3.1), iBOT (Zhou et al. 2022, section 3.2), KoLeo (Sablayrolles et al.
2019, section 3.3), in the combination of DINOv2 (Oquab et al. 2024, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Head(nn.Module):
    """Projection of tokens `[..., width]` to prototype logits `[..., n_prototypes]`."""

    def __init__(self, width: int, n_prototypes: int, hidden: int = 512, bottleneck: int = 128) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        self.prototypes = nn.Parameter(F.normalize(torch.randn(n_prototypes, bottleneck), dim=-1))
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                # The usual 0.02 leaves the cosines of different scans so alike that short runs never leave the start.
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.normalize(self.mlp(tokens), dim=-1, eps=1e-6) @ F.normalize(self.prototypes, dim=-1).T


class Centre(nn.Module):
    """Running mean of the teacher's logits; subtracting it keeps any one prototype from winning always."""

    value: Tensor

    def __init__(self, n_prototypes: int, momentum: float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("value", torch.zeros(n_prototypes))

    @torch.no_grad()
    def targets(self, logits: Tensor, temperature: float) -> Tensor:
        """Teacher probabilities of `[..., n_prototypes]` logits, centred and sharpened; then moves the centre."""
        logits = logits.float()
        probabilities = ((logits - self.value) / temperature).softmax(dim=-1)
        mean = logits.flatten(0, -2).mean(dim=0)
        self.value.mul_(self.momentum).add_(mean, alpha=1 - self.momentum)
        return probabilities


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
