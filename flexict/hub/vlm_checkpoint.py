"""The parts of a checkpoint that was aligned with text: image tower, projection, scale and text tower."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from flexict.hub.checkpoints import CheckpointError, check_finite

VISION, PROJECTION, SCALE, TEXT = (
    "vision_model.",
    "vlm_vision_projection.weight",
    "logit_scale",
    "text_model.backbone.",
)
# CLIP's own ceiling (Radford et al. 2021, section 2.5) is 100; a file with a much larger value is damaged.
MOST_LOGIT_SCALE = 20.0


@dataclass(frozen=True)
class VLMParts:
    """Tensors by part, each with the names of its own network.

    Attributes:
        projection: `[joint width, 2 * embed_dim]`, without bias.
        logit_scale: natural logarithm of what multiplies a cosine.
    """

    vision: Mapping[str, Tensor]
    projection: Tensor
    logit_scale: float
    text: Mapping[str, Tensor]

    def projection_layer(self, width: int, joint_width: int, source: str) -> nn.Linear:
        """Pooled vector `[B, width]` -> joint space `[B, joint_width]`, not yet of unit length.

        Raises:
            CheckpointError: if the file's projection has another shape, or NaN or infinite values.
        """
        if tuple(self.projection.shape) != (joint_width, width):
            raise CheckpointError(
                f"{source} is a checkpoint of another model: its {PROJECTION} is {list(self.projection.shape)} instead "
                f"of {[joint_width, width]}"
            )
        check_finite({PROJECTION: self.projection}, source)
        layer = nn.Linear(width, joint_width, bias=False)
        with torch.no_grad():
            layer.weight.copy_(self.projection)
        return layer


def split_parts(tensors: Mapping[str, Tensor], source: str) -> VLMParts:
    """The parts of a checkpoint; all names may carry one common prefix.

    Raises:
        CheckpointError: naming missing parts, or names that belong to no part.
    """
    prefix = next((name.removesuffix(PROJECTION) for name in tensors if name.endswith(PROJECTION)), "")
    inner = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    vision = {name: tensor for name, tensor in inner.items() if name.startswith(VISION)}
    text = {name.removeprefix(TEXT): tensor for name, tensor in inner.items() if name.startswith(TEXT)}
    found = {VISION: bool(vision), PROJECTION: PROJECTION in inner, SCALE: SCALE in inner, TEXT: bool(text)}
    missing = [part for part, there in found.items() if not there]
    if missing:
        raise CheckpointError(
            f"{source} is not a checkpoint of an encoder with text: {', '.join(missing)} is missing. Give the weights "
            "of this encoder"
        )
    strange = sorted(name for name in inner if not name.startswith((VISION, PROJECTION, SCALE, TEXT)))
    if strange:
        raise CheckpointError(f"{source} is a checkpoint of another model. Unexpected: {', '.join(strange[:4])}")
    scale = float(inner[SCALE].reshape(-1)[0])
    if inner[SCALE].numel() != 1 or not abs(scale) <= MOST_LOGIT_SCALE:
        raise CheckpointError(f"{source} has an impossible {SCALE} ({scale}): download it again")
    return VLMParts(vision, inner[PROJECTION], scale, text)
