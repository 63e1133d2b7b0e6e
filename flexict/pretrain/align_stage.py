"""The stage on report text, as its TOML file describes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flexict.pretrain.settings_file import read_settings


@dataclass(frozen=True)
class AlignStage:
    """Settings of the stage.

    Attributes:
        locked_steps, locked_batch_size: first, projection and text tower alone learn, against pooled vectors that were
            computed once (LiT, Zhai et al. 2022): cheap steps in large batches.
        steps, batch_size: then all parts learn; with 0 steps the backbone stays as it was.
        n_phantoms, first_seed: the simulated patients.
        keep_share: share of patches that a step keeps, drawn anew (FLIP, Li et al. 2023): cost falls with it.
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


def read_align_stage(path: Path) -> AlignStage:
    """Read a stage file.

    Raises:
        FlexiCTError: naming absent or unknown settings.
    """
    return read_settings(path, AlignStage)
