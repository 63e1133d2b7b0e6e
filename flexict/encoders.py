"""The registry of encoders: each name means weights, a preset a view, a pooling and a width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flexict.backbone import FlexiCTBackbone
from flexict.checkpoints import CheckpointError, find_weights, load_into, read_tensors

BUNDLED = Path(__file__).parent / "weights"
PUBLISHED_LICENCE = "CC BY-NC-ND 4.0"
PUBLISHED_SHAPE: Mapping[str, int] = {"embed_dim": 864, "depth": 16, "num_heads": 12}
NANO_SHAPE: Mapping[str, int] = {"embed_dim": 144, "depth": 6, "num_heads": 2}


@dataclass(frozen=True)
class EncoderSpec:
    """What a name in the registry stands for.

    Attributes:
        views: preset of each view the encoder can take (`volume`, `slices`, `lesion`).
        shape: arguments of `FlexiCTBackbone`.
        patch: run-time patch edge, in pixels and voxels.
        pooling: `pooled` = class token and mean patch token side by side.
        variable: environment variable that names the weights.
        hub: Hugging Face repository of the weights.
        bundled: weights that ship with this package.
        is_published: whether these are the authors' weights (False for the bundled demonstration encoder).
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
    pooling: str = "pooled"

    @property
    def width(self) -> int:
        """Numbers in one vector."""
        return 2 * self.shape["embed_dim"]


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
            name="flexict-nano",
            views={**_VOLUMES, **_SLICES},
            shape=NANO_SHAPE,
            patch=16,
            licence="see flexict/weights/README.md",
            is_published=False,
            bundled=BUNDLED / "flexict-nano.safetensors",
        ),
    )
}


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder: preprocessed batches in, vectors out."""

    spec: EncoderSpec
    backbone: FlexiCTBackbone
    weights_sha256: str
    weights_source: str
    device: str
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.spec.name)

    @property
    def width(self) -> int:
        """Numbers in one vector."""
        return self.spec.width

    @property
    def views(self) -> Mapping[str, str]:
        """Preset of each view this encoder takes."""
        return self.spec.views

    @property
    def pooling(self) -> str:
        """How tokens become one vector."""
        return self.spec.pooling

    @property
    def licence(self) -> str:
        """Licence of the weights."""
        return self.spec.licence

    @property
    def is_published(self) -> bool:
        """Whether the weights are the authors'."""
        return self.spec.is_published

    @torch.inference_mode()
    def encode(self, batch: NDArray[np.float32] | Tensor) -> NDArray[np.float32]:
        """Vectors `[B, width]` of preprocessed slices `[B, 1, H, W]` or volumes `[B, 1, D, H, W]`."""
        tensor = torch.as_tensor(batch, dtype=torch.float32).to(self.device)
        return self.backbone(tensor).pooled().float().cpu().numpy()


def pick_device(device: str = "auto") -> str:
    """`auto` becomes `cuda` where there is a GPU, else `cpu`.

    Raises:
        ValueError: if the device asked for is not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {device} was asked for, but torch sees no GPU here: use --device cpu or auto")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"there is no device {device!r} here: use auto, cpu or cuda") from error
    return device


def devices_of(device: str = "auto") -> list[str]:
    """The devices that a job uses: `auto` and `cuda` mean every GPU that is visible, commas join several.

    Raises:
        ValueError: if a device asked for is not there.
    """
    if device in ("auto", "cuda") and torch.cuda.is_available():
        return [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return [pick_device(one.strip()) for one in device.split(",")]


def load_encoder(name: str, weights: str | Path | None = None, device: str = "cpu") -> Encoder:
    """Load an encoder of the registry with its weights.

    Args:
        name: `flexict-2d`, `flexict-3d` or `flexict-nano`.
        weights: a `.safetensors` or `.pth` file, a folder, or a hub name; by default the environment variables,
            the bundled file or the Hugging Face hub (see `flexict.checkpoints.find_weights`).
        device: `cpu`, `cuda`, `cuda:1` or `auto`.

    Raises:
        ValueError: for an unknown name or device.
        CheckpointError: if the weights are absent, damaged or of another model.
    """
    spec = REGISTRY.get(name)
    if spec is None:
        raise ValueError(f"there is no encoder {name!r}: choose one of {', '.join(REGISTRY)}")
    place = pick_device(device)
    found = find_weights(name, weights, spec.variable, spec.hub, spec.bundled)
    backbone = FlexiCTBackbone(**spec.shape)
    load_into(backbone, read_tensors(found.path), str(found.path))
    absent = [k for k, v in backbone.state_dict().items() if not torch.isfinite(v).all()]
    if absent:
        raise CheckpointError(f"{found.path} holds NaN or infinite numbers in {absent[0]}: fetch it again")
    backbone.set_patch_size(spec.patch)
    backbone.requires_grad_(False).eval().to(place)
    return Encoder(spec, backbone, found.sha256, f"{found.chosen_by}: {found.path.name}", place)
