"""The stage on report text, as its TOML file describes it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path


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
        ValueError: naming absent or unknown settings.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    unknown = sorted(set(content) - {field.name for field in fields(AlignStage)})
    if unknown:
        raise ValueError(f"{path} has settings that do not exist: {', '.join(unknown)}")
    try:
        return AlignStage(**content)
    except TypeError as error:
        raise ValueError(f"{path} is incomplete: {error}") from error
