"""FlexiCT: CT in, vector out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flexict.hub.checkpoints import CheckpointError
    from flexict.hub.encoders import Encoder, load_encoder
    from flexict.hub.registry import REGISTRY, EncoderSpec
    from flexict.model.backbone import FlexiCTBackbone, Tokens
    from flexict.presets.preprocess import PreprocessError
    from flexict.volume import Volume
else:
    # Names are imported at first use, so that importing Volume does not load torch.
    _HOMES = {
        "REGISTRY": "hub.registry",
        "CheckpointError": "hub.checkpoints",
        "Encoder": "hub.encoders",
        "EncoderSpec": "hub.registry",
        "FlexiCTBackbone": "model.backbone",
        "PreprocessError": "presets.preprocess",
        "Tokens": "model.backbone",
        "Volume": "volume",
        "load_encoder": "hub.encoders",
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
