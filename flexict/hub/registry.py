"""The registry of encoders: for each name its weights, a preset for each view, and its kinds of vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flexict.kinds import POOLED, TOKEN_KINDS, VLM, width_of

BUNDLED = Path(__file__).parents[1] / "weights"
PUBLISHED_LICENCE = "CC BY-NC-ND 4.0"
PUBLISHED_SHAPE: Mapping[str, int] = {"embed_dim": 864, "depth": 16, "num_heads": 12}
NANO_SHAPE: Mapping[str, int] = {"embed_dim": 144, "depth": 6, "num_heads": 2}
NANO_JOINT_WIDTH = 128


@dataclass(frozen=True)
class TextTowerSpec:
    """The Hugging Face Qwen3 encoder that reads the text of an aligned encoder; its weights are in the encoder's file.

    Attributes:
        width: dimensions of the space shared with images.
        hub: repository of its configuration and tokenizer.
        variable: environment variable that names a folder with both.
        bundled: a folder with both that ships with this package.
    """

    width: int
    hub: str | None = None
    variable: str | None = None
    bundled: Path | None = None


@dataclass(frozen=True)
class EncoderSpec:
    """One encoder of the registry.

    Attributes:
        views: preset of each view the encoder can take (`volume`, `slices`, `lesion`).
        shape: arguments of `FlexiCTBackbone`.
        patch: run-time patch edge, in pixels and voxels.
        pooling: the default kind of vector (see `flexict.kinds`).
        variable: environment variable that names the weights.
        hub: Hugging Face repository of the weights.
        bundled: weights that ship with this package.
        is_published: whether these are the authors' weights (False for the bundled demonstration encoders).
        text: the text tower of an encoder that was aligned with reports.
    """

    name: str
    views: Mapping[str, str]
    shape: Mapping[str, int]
    patch: int
    licence: str
    is_published: bool
    variable: str | None = None
    hub: str | None = None
    bundled: Path | None = None
    pooling: str = POOLED
    text: TextTowerSpec | None = None

    @property
    def poolings(self) -> tuple[str, ...]:
        """The kinds of vector that it gives."""
        return TOKEN_KINDS if self.text is None else (VLM, *TOKEN_KINDS)

    @property
    def width(self) -> int:
        """Dimensions of the default vector."""
        return self.width_of(self.pooling)

    def width_of(self, pooling: str) -> int:
        """Dimensions of a kind of vector."""
        return width_of(pooling, self.shape, None if self.text is None else self.text.width)


_SLICES = {"slices": "slice"}
_VOLUMES = {"volume": "default", "lesion": "lesion_mask"}

REGISTRY: dict[str, EncoderSpec] = {
    spec.name: spec
    for spec in (
        EncoderSpec(
            name="flexict-2d",
            views=_SLICES,
            shape=PUBLISHED_SHAPE,
            patch=8,
            licence=PUBLISHED_LICENCE,
            is_published=True,
            variable="FLEXICT_2D_CHECKPOINT",
            hub="ricklisz123/FlexiCT-2D",
        ),
        EncoderSpec(
            name="flexict-3d",
            views=_VOLUMES,
            shape=PUBLISHED_SHAPE,
            patch=8,
            licence=PUBLISHED_LICENCE,
            is_published=True,
            variable="FLEXICT_3D_CHECKPOINT",
            hub="ricklisz123/FlexiCT-3D",
        ),
        EncoderSpec(
            name="flexict-3d-vlm",
            views=_VOLUMES,
            shape=PUBLISHED_SHAPE,
            patch=8,
            licence=PUBLISHED_LICENCE,
            is_published=True,
            variable="FLEXICT_VLM_CHECKPOINT",
            hub="ricklisz123/FlexiCT-3D-VLM",
            pooling=VLM,
            text=TextTowerSpec(width=1024, hub="Qwen/Qwen3-Embedding-0.6B", variable="FLEXICT_TEXT_TOWER"),
        ),
        EncoderSpec(
            name="flexict-nano",
            views={**_VOLUMES, **_SLICES},
            shape=NANO_SHAPE,
            patch=16,
            licence="see flexict/weights/README.md",
            is_published=False,
            bundled=BUNDLED / "flexict-nano.safetensors",
        ),
        EncoderSpec(
            name="flexict-nano-vlm",
            views=_VOLUMES,
            shape=NANO_SHAPE,
            patch=16,
            licence="see flexict/weights/README.md",
            is_published=False,
            bundled=BUNDLED / "flexict-nano-vlm.safetensors",
            pooling=VLM,
            text=TextTowerSpec(width=NANO_JOINT_WIDTH, bundled=BUNDLED / "nano-vlm-text"),
        ),
    )
}
