"""Student, momentum teacher and one training step."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from flexict.model.backbone import FlexiCTBackbone
from flexict.pretrain.crops import CropPlan, multi_crop
from flexict.pretrain.losses import Head, balanced_targets, dino, distillation, gram, koleo
from flexict.pretrain.scans import Scans
from flexict.pretrain.stages import Stage

LAYER_SCALE = 0.1
FINE, COARSE = 8, 16


@dataclass(frozen=True)
class Batch:
    """The input of one step.

    Attributes:
        crops: two global crops, each `[B, 1, ...]`.
        local: local crops `[n_local * B, 1, ...]`, crop-major.
        masks: bool `[2 * B, N]`, patches of the global crops hidden from the student.
        patch: run-time patch edge.
    """

    crops: list[Tensor]
    local: Tensor | None
    masks: Tensor
    patch: int

    def to(self, device: str) -> Batch:
        """The same on a device."""
        local = None if self.local is None else self.local.to(device)
        return Batch([crop.to(device) for crop in self.crops], local, self.masks.to(device), self.patch)


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
        self.stage = stage
        self._anchor: tuple[FlexiCTBackbone, ...] = ()

    def drop_anchor(self) -> None:
        """Keep the patches of the student near those of the teacher as it is now (Gram phase).

        The anchor is frozen and follows from what the stage starts from, so it is not part of the saved state: a
        tuple hides it from there.
        """
        self._anchor = (copy.deepcopy(self.backbones()[1]).requires_grad_(False),)

    def backbones(self) -> tuple[FlexiCTBackbone, FlexiCTBackbone]:
        """The student's and the teacher's backbone."""
        student, teacher = self.student["backbone"], self.teacher["backbone"]
        assert isinstance(student, FlexiCTBackbone)
        assert isinstance(teacher, FlexiCTBackbone)
        return student, teacher

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of one batch, by name; `gram` is 0 without an anchor."""
        stage = self.stage
        student, teacher = self.backbones()
        for backbone in (student, teacher, *self._anchor):
            backbone.set_patch_size(batch.patch)
        both = torch.cat(batch.crops)
        size = len(batch.crops[0])
        with torch.no_grad():
            seen = teacher(both)
            class_targets = balanced_targets(self.teacher["class_head"](seen.cls), stage.teacher_temperature)
            patch_logits = self.teacher["patch_head"](seen.patches[batch.masks])
            patch_targets = balanced_targets(patch_logits, stage.teacher_temperature)
        tokens = student(both, mask=batch.masks)
        logits = list(self.student["class_head"](tokens.cls).split(size))
        if batch.local is not None:
            logits += self.student["class_head"](student(batch.local).cls).split(size)
        hidden = self.student["patch_head"](tokens.patches[batch.masks])
        return {
            "dino": dino(logits, list(class_targets.split(size)), stage.student_temperature),
            "ibot": distillation(hidden, patch_targets, stage.student_temperature),
            "koleo": torch.stack([koleo(c) for c in tokens.cls.split(size)]).mean(),
            "gram": self._gram(both, tokens.patches),
        }

    def _gram(self, crops: Tensor, patches: Tensor) -> Tensor:
        """The Gram loss of the crops without masks: every second one."""
        if not self._anchor:
            return patches.new_zeros(())
        with torch.no_grad():
            anchored = self._anchor[0](crops[1::2]).patches
        return gram(patches[1::2], anchored)

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the teacher towards the student."""
        for teacher, student in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            teacher.lerp_(student, 1 - momentum)


def draw_batch(scans: Scans, stage: Stage, step: int, seed: int) -> Batch:
    """The batch of a step: the same for the same seed and step, so that a resumed run sees the same data."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    chances = torch.rand(2, generator=generator).tolist()
    slices = stage.n_axes == 2 or chances[0] < stage.slice_share
    n_axes = 2 if slices else 3
    in_mixed = slices and stage.n_axes == 3
    patch = COARSE if chances[1] < stage.coarse_share else FINE
    global_edge = (stage.slice_global_edge if in_mixed else stage.global_edge) * patch // FINE
    local_edge = (stage.slice_local_edge if in_mixed else stage.local_edge) * patch // FINE
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
    n_patches = (global_edge // patch) ** n_axes
    return Batch(globals_, local, _masks(2 * stage.batch_size, n_patches, stage.mask_share, generator), patch)


def _masks(n: int, n_patches: int, share: float, generator: torch.Generator) -> Tensor:
    """Random patches hidden in every second crop (as in iBOT, half of the crops have no mask)."""
    order = torch.rand(n, n_patches, generator=generator).argsort(dim=1)
    masks = order < round(share * n_patches)
    masks[1::2] = False
    return masks


def inflate(backbone: FlexiCTBackbone) -> None:
    """Make the 3D patch kernel from the 2D one: copied along depth and divided by its length (phase 2)."""
    flat = backbone.patch_embed_2D.proj
    deep = backbone.patch_embed_3D.proj
    with torch.no_grad():
        depth = deep.weight.shape[2]
        deep.weight.copy_(flat.weight[:, :, None].expand_as(deep.weight) / depth)
        if deep.bias is not None and flat.bias is not None:
            deep.bias.copy_(flat.bias)
