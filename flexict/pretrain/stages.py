"""The stages of pretraining as their TOML files describe them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from flexict.errors import FlexiCTError

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Stage:
    """Settings of one stage of self-distillation. Edges are in pixels or voxels of the (resized) crop; patches are 8.

    Attributes:
        name: becomes part of the file names.
        n_axes: 2 for axial slices, 3 for volumes.
        steps, batch_size: length of the run.
        slice_share: share of steps that stay on slices in a 3D stage, so that the encoder keeps serving both.
        global_edge, local_edge, n_local: multi-crop (two global crops).
        global_scale, local_scale: edge of a crop as a share of the field, lowest and highest.
        slice_global_edge, slice_local_edge: the same for slice steps of a 3D stage.
        learning_rate, weight_decay, warm_up: AdamW with cosine decay; warm-up as a share of the steps.
        momentum: of the teacher at the start (1 at the end, cosine).
        student_temperature, teacher_temperature: DINO and iBOT.
        n_prototypes: outputs of both heads.
        ibot_weight, mask_share: masked patch prediction; share of patches hidden from the student.
        koleo_weight: spreads class tokens of a batch.
        gram_weight: above 0, keeps the cosines between patches near those of the network that the stage starts from.
        phantom_share: share of samples that are simulated scans.
        coarse_share: share of steps with crops of twice the edge, cut into patches of 16.
    """

    name: str
    n_axes: int
    steps: int
    batch_size: int
    global_edge: int
    local_edge: int
    n_local: int
    global_scale: tuple[float, float]
    local_scale: tuple[float, float]
    learning_rate: float
    weight_decay: float
    warm_up: float
    momentum: float
    student_temperature: float
    teacher_temperature: float
    n_prototypes: int
    ibot_weight: float
    mask_share: float
    koleo_weight: float
    phantom_share: float
    gram_weight: float = 0.0
    coarse_share: float = 0.0
    slice_share: float = 0.0
    slice_global_edge: int = 96
    slice_local_edge: int = 48


@dataclass(frozen=True)
class AlignStage:
    """Settings of the stage on report text.

    Attributes:
        locked_steps, locked_batch_size: first, only projection and text tower learn, against pooled vectors that were
            computed once (LiT, Zhai et al. 2022): cheap steps in large batches.
        steps, batch_size: then all parts learn; with 0 steps the backbone does not change.
        n_phantoms, first_seed: the simulated patients.
        keep_share: share of patches that each step draws and keeps (FLIP, Li et al. 2023); it sets the cost.
        learning_rate: of the locked steps; `rate_scale` times it of the others.
        opposite_weight: of the loss on opposite sentences.
        lesion_share: share of steps on lesion crops, half of them in a fixed cube.
    """

    name: str
    locked_steps: int
    locked_batch_size: int
    steps: int
    batch_size: int
    n_phantoms: int
    first_seed: int
    keep_share: float
    learning_rate: float
    rate_scale: float
    weight_decay: float
    warm_up: float
    opposite_weight: float
    lesion_share: float


def read_stage(path: Path) -> Stage:
    """Read the file of a stage of self-distillation.

    Raises:
        FlexiCTError: naming missing or unknown settings.
    """
    stage = _read(path, Stage)
    if stage.n_axes not in (2, 3) or stage.steps < 1 or stage.batch_size < 2:
        raise FlexiCTError(f"{path}: n_axes is 2 or 3, steps at least 1 and batch_size at least 2")
    return stage


def read_align_stage(path: Path) -> AlignStage:
    """Read the file of a stage on report text.

    Raises:
        FlexiCTError: naming missing or unknown settings.
    """
    return _read(path, AlignStage)


def _read(path: Path, kind: type[Settings]) -> Settings:
    """The file's values as the dataclass `kind`; lists become tuples."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    described: Any = kind
    unknown = sorted(set(content) - {field.name for field in fields(described)})
    if unknown:
        raise FlexiCTError(f"{path} has settings that do not exist: {', '.join(unknown)}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise FlexiCTError(f"{path} is incomplete: {error}") from error
