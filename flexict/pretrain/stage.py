"""One stage of pretraining, as its TOML file describes it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flexict.errors import FlexiCTError
from flexict.pretrain.settings_file import read_settings


@dataclass(frozen=True)
class Stage:
    """Settings of one stage. Edges are in pixels or voxels of the (resized) crop; patches are 8.

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
        gram_weight: above 0, cosines between patches are held to those of the network that the stage starts from.
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

    def to_dict(self) -> dict[str, Any]:
        """Plain settings, for the checkpoint and the weights' card."""
        return asdict(self)


def read_stage(path: Path) -> Stage:
    """Read a stage file.

    Raises:
        FlexiCTError: naming absent or unknown settings.
    """
    stage = read_settings(path, Stage)
    if stage.n_axes not in (2, 3) or stage.steps < 1 or stage.batch_size < 2:
        raise FlexiCTError(f"{path}: n_axes is 2 or 3, steps at least 1 and batch_size at least 2")
    return stage
