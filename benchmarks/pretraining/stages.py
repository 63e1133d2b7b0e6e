"""The encoders that are compared: weights of each stage, and the same network untrained."""

from __future__ import annotations

from pathlib import Path

import torch

from flexict.hub.checkpoints import load_into, read_tensors
from flexict.hub.encoders import Encoder, load_encoder
from flexict.hub.registry import REGISTRY
from flexict.hub.vlm_checkpoint import PROJECTION
from flexict.model.backbone import FlexiCTBackbone
from flexict.pretrain.distil import inflate

UNTRAINED = "untrained"
SPEC = REGISTRY["flexict-nano"]


def encoder_of(name: str, weights: Path | None, seed: int = 0) -> Encoder:
    """flexict-nano with the weights of a stage, or untrained: pooled vectors, of aligned weights in joint space."""
    if weights is not None and PROJECTION in read_tensors(weights):
        return load_encoder("flexict-nano-vlm", weights=weights)
    torch.manual_seed(seed)
    backbone = FlexiCTBackbone(**SPEC.shape, layer_scale=0.1)
    if weights is None:
        inflate(backbone)
    else:
        load_into(backbone, read_tensors(weights), str(weights))
    backbone.set_patch_size(SPEC.patch)
    return Encoder(SPEC, backbone.requires_grad_(False).eval(), name, name, "cpu")
