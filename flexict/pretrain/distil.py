"""Student, momentum teacher and one training step."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from flexict.backbone import FlexiCTBackbone
from flexict.pretrain.crops import CropPlan, multi_crop
from flexict.pretrain.losses import Centre, Head, dino, distillation, koleo
from flexict.pretrain.scans import Scans
from flexict.pretrain.stage import Stage

LAYER_SCALE = 0.1


class Distiller(nn.Module):
    """A student and its momentum teacher, each a backbone with a class-token and a patch head."""

    def __init__(self, shape: Mapping[str, int], stage: Stage) -> None:
        super().__init__()
        backbone = FlexiCTBackbone(**shape, layer_scale=LAYER_SCALE)
        width = shape["embed_dim"]
        self.student = nn.ModuleDict(
            {
                "backbone": backbone,
                "class_head": Head(width, stage.n_prototypes),
                "patch_head": Head(width, stage.n_prototypes),
            }
        )
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.class_centre = Centre(stage.n_prototypes, stage.centre_momentum)
        self.patch_centre = Centre(stage.n_prototypes, stage.centre_momentum)
        self.stage = stage

    def backbones(self) -> tuple[FlexiCTBackbone, FlexiCTBackbone]:
        """The student's and the teacher's backbone."""
        student, teacher = self.student["backbone"], self.teacher["backbone"]
        assert isinstance(student, FlexiCTBackbone)
        assert isinstance(teacher, FlexiCTBackbone)
        return student, teacher

    def losses(self, crops: list[Tensor], local: Tensor | None, masks: Tensor) -> dict[str, Tensor]:
        """Losses of one batch.

        Args:
            crops: two global crops, each `[B, 1, ...]`.
            local: local crops `[n_local * B, 1, ...]`, crop-major.
            masks: bool `[2 * B, N]`, patches of the global crops hidden from the student.
        """
        stage = self.stage
        both = torch.cat(crops)
        batch = len(crops[0])
        with torch.no_grad():
            seen = self.teacher["backbone"](both)
            class_targets = self.class_centre.targets(self.teacher["class_head"](seen.cls), stage.teacher_temperature)
            patch_logits = self.teacher["patch_head"](seen.patches[masks])
            patch_targets = self.patch_centre.targets(patch_logits, stage.teacher_temperature)
        tokens = self.student["backbone"](both, mask=masks)
        student = list(self.student["class_head"](tokens.cls).split(batch))
        if local is not None:
            student += self.student["class_head"](self.student["backbone"](local).cls).split(batch)
        hidden = self.student["patch_head"](tokens.patches[masks])
        return {
            "dino": dino(student, list(class_targets.split(batch)), stage.student_temperature),
            "ibot": distillation(hidden, patch_targets, stage.student_temperature),
            "koleo": torch.stack([koleo(c) for c in tokens.cls.split(batch)]).mean(),
        }

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the teacher towards the student."""
        for teacher, student in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            teacher.lerp_(student, 1 - momentum)


def draw_batch(scans: Scans, stage: Stage, step: int, seed: int) -> tuple[list[Tensor], Tensor | None, Tensor]:
    """The batch of a step: the same for the same seed and step, so that a resumed run sees what it would have seen."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    slices = stage.n_axes == 2 or float(torch.rand((), generator=generator)) < stage.slice_share
    n_axes = 2 if slices else 3
    in_mixed = slices and stage.n_axes == 3
    global_edge = stage.slice_global_edge if in_mixed else stage.global_edge
    local_edge = stage.slice_local_edge if in_mixed else stage.local_edge
    plans = [
        CropPlan(global_edge, stage.global_scale, 2),
        CropPlan(local_edge, stage.local_scale, stage.n_local),
    ]
    drawn = [
        multi_crop(scans.draw(generator, stage.phantom_share), plans, n_axes, generator)
        for _ in range(stage.batch_size)
    ]
    globals_ = [torch.stack([sample[0][i] for sample in drawn]) for i in range(2)]
    local = None
    if stage.n_local:
        local = torch.cat([torch.stack([sample[1][i] for sample in drawn]) for i in range(stage.n_local)])
    n_patches = (global_edge // 8) ** n_axes
    return globals_, local, _masks(2 * stage.batch_size, n_patches, stage.mask_share, generator)


def _masks(n: int, n_patches: int, share: float, generator: torch.Generator) -> Tensor:
    """Random patches hidden in every second crop (as in iBOT, half of the crops are left whole)."""
    order = torch.rand(n, n_patches, generator=generator).argsort(dim=1)
    masks = order < round(share * n_patches)
    masks[1::2] = False
    return masks


def cosine(start: float, end: float, progress: float) -> float:
    """Cosine from `start` at progress 0 to `end` at 1."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2


def inflate(backbone: FlexiCTBackbone) -> None:
    """Make the 3D patch kernel from the 2D one: copied along depth and divided by its length (phase 2)."""
    flat = backbone.patch_embed_2D.proj
    deep = backbone.patch_embed_3D.proj
    with torch.no_grad():
        depth = deep.weight.shape[2]
        deep.weight.copy_(flat.weight[:, :, None].expand_as(deep.weight) / depth)
        if deep.bias is not None and flat.bias is not None:
            deep.bias.copy_(flat.bias)
