"""The losses of self-distillation against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from flexict.pretrain.losses import Head, balanced_targets, dino, distillation, gram, koleo


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


def test_balanced_targets_are_distributions_that_use_every_prototype_equally() -> None:
    biased = torch.randn(64, 4) * 0.05 + torch.tensor([5.0, 0.0, 0.0, 0.0])
    targets = balanced_targets(biased, 0.05, n_iterations=30)
    assert torch.allclose(targets.sum(dim=1), torch.ones(64), atol=1e-5)
    assert torch.allclose(targets.mean(dim=0), torch.full((4,), 0.25), atol=1e-3)


def test_balanced_targets_keep_the_order_within_a_prototype() -> None:
    logits = torch.randn(32, 4)
    targets = balanced_targets(logits, 1.0)
    odds = (targets[:, 0] / targets[:, 1]).log()
    assert torch.allclose(odds - odds[0], (logits[:, 0] - logits[:, 1]) - (logits[0, 0] - logits[0, 1]), atol=1e-4)


def test_gram_is_zero_for_rotated_features_and_grows_with_mixed_places() -> None:
    patches = torch.randn(2, 5, 6)
    turn, _ = torch.linalg.qr(torch.randn(6, 6))
    assert gram(patches @ turn, 3 * patches).item() == pytest.approx(0.0, abs=1e-10)
    one, other = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    assert gram(one, other).item() == pytest.approx(0.5)


def test_koleo_is_minus_the_log_of_the_nearest_distance() -> None:
    square = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    assert koleo(square).item() == pytest.approx(-math.log(math.sqrt(2)), abs=1e-4)
    assert koleo(torch.randn(8, 3) * 1e-3 + 1) > koleo(square)


def test_a_head_gives_cosines_without_what_a_batch_shares() -> None:
    torch.manual_seed(0)
    head, tokens = Head(6, 9), torch.randn(40, 6)
    out = head(tokens)
    assert out.shape == (40, 9)
    assert out.abs().max() <= 1.0 + 1e-5
    alike = head(tokens * 0.01 + 5.0)
    assert alike.std(dim=0).mean() > 0.3 * out.std(dim=0).mean()
