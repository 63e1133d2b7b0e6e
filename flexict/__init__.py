"""FlexiCT: CT in, vector out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flexict.backbone import FlexiCTBackbone, Tokens
    from flexict.checkpoints import CheckpointError
    from flexict.encoders import Encoder, load_encoder
    from flexict.preprocess import PreprocessError
    from flexict.registry import REGISTRY, EncoderSpec
    from flexict.volume import Volume
else:
    # Names are imported when they are first asked for: those who only want a Volume need not wait for torch.
    _HOMES = {
        "REGISTRY": "registry",
        "CheckpointError": "checkpoints",
        "Encoder": "encoders",
        "EncoderSpec": "registry",
        "FlexiCTBackbone": "backbone",
        "PreprocessError": "preprocess",
        "Tokens": "backbone",
        "Volume": "volume",
        "load_encoder": "encoders",
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


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
