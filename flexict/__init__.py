"""FlexiCT: CT in, vector out."""

from flexict.backbone import FlexiCTBackbone, Tokens
from flexict.checkpoints import CheckpointError
from flexict.encoders import REGISTRY, Encoder, EncoderSpec, load_encoder
from flexict.preprocess import PreprocessError
from flexict.volume import Volume

__all__ = [
    "REGISTRY",
    "CheckpointError",
    "Encoder",
    "EncoderSpec",
    "FlexiCTBackbone",
    "PreprocessError",
    "Tokens",
    "Volume",
    "load_encoder",
]
