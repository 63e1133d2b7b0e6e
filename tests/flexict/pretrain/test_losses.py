"""The losses of self-distillation against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from flexict.pretrain.losses import Centre, Head, dino, distillation, koleo


def test_distillation_of_the_teachers_own_logits_is_its_entropy() -> None:
    logits = torch.randn(5, 7)
    targets = (logits / 0.1).softmax(dim=-1)
    entropy = -(targets * targets.log()).sum(dim=-1).mean()
    assert distillation(logits, targets, 0.1).item() == pytest.approx(entropy.item(), rel=1e-4)


def test_dino_never_compares_a_crop_with_its_own_target() -> None:
    sure = torch.tensor([[10.0, -10.0]])
    other = torch.tensor([[-10.0, 10.0]])
    targets = [sure.softmax(-1), other.softmax(-1)]
    crossed = dino([sure, other], targets, 1.0)
    swapped = dino([other, sure], targets, 1.0)
    assert crossed > 10
    assert swapped < 1e-3


def test_the_centre_keeps_a_dominant_prototype_from_winning() -> None:
    centre = Centre(4, momentum=0.0)
    biased = torch.randn(64, 4) * 0.01 + torch.tensor([5.0, 0.0, 0.0, 0.0])
    first = centre.targets(biased, 0.05)
    second = centre.targets(biased, 0.05)
    assert first[:, 0].mean() > 0.99
    assert second.mean(dim=0).max() < 0.5


def test_koleo_is_minus_the_log_of_the_nearest_distance() -> None:
    square = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    assert koleo(square).item() == pytest.approx(-math.log(math.sqrt(2)), abs=1e-4)
    assert koleo(torch.randn(8, 3) * 1e-3 + 1) > koleo(square)


def test_a_head_gives_cosines() -> None:
    out = Head(6, 9)(torch.randn(3, 2, 6))
    assert out.shape == (3, 2, 9)
    assert out.abs().max() <= 1.0 + 1e-5
