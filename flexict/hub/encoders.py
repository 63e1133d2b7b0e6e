"""A loaded encoder: preprocessed scans in, vectors or patch tokens out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flexict.errors import FlexiCTError
from flexict.hub.checkpoints import find_weights, load_into, read_tensors
from flexict.hub.devices import pick_device
from flexict.hub.registry import REGISTRY, EncoderSpec
from flexict.hub.vlm_checkpoint import split_parts
from flexict.kinds import BACKENDS, MASK_POOLED, POOLED, PRECISIONS, VLM, VectorKind, blocks_of
from flexict.model.backbone import FlexiCTBackbone, Tokens
from flexict.model.pooling import touched_cells, vectors

# Below this width the conversion for OpenVINO takes longer than it saves on most cohorts.
LEAST_CONVERTED_WIDTH = 384


class Forward(Protocol):
    """What computes tokens: the network itself, or a faster back end."""

    def intermediate(self, x: Tensor, blocks: Sequence[int]) -> list[Tokens]:
        """See `FlexiCTBackbone.intermediate`."""


@dataclass(frozen=True)
class PatchGrid:
    """The patch tokens of a batch on their grid, for similarity maps.

    Attributes:
        tokens: `[B, d, h, w, width]` of volumes or `[B, h, w, width]` of slices.
        patch: edges of a patch in voxels of the input, along the grid's axes.
    """

    tokens: NDArray[np.float32]
    patch: tuple[int, ...]

    def similarity(self, item: int, cell: Sequence[int]) -> NDArray[np.float32]:
        """Cosine of every patch of the batch with one patch of one item, `[B, d, h, w]` or `[B, h, w]`.

        >>> PatchGrid(np.array([[[[1, 0], [0, 1]]]], dtype=np.float32), patch=(8, 8)).similarity(0, (0, 1)).tolist()
        [[[0.0, 1.0]]]
        """
        unit = self.tokens / np.maximum(np.linalg.norm(self.tokens, axis=-1, keepdims=True), 1e-12)
        return np.asarray(unit @ unit[(item, *cell)], dtype=np.float32)


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder: preprocessed batches in, vectors out.

    Attributes:
        kind: of vector (see `flexict.kinds`).
        forward: computes the tokens instead of the backbone, where a faster back end is available.
        precision: `float32` or `bfloat16`.
        projection: pooled vector -> joint space, for `vlm`.
    """

    spec: EncoderSpec
    backbone: FlexiCTBackbone
    weights_sha256: str
    weights_source: str
    device: str
    kind: str = POOLED
    forward: Forward | None = None
    precision: str = "float32"
    projection: nn.Linear | None = None

    @property
    def name(self) -> str:
        """Its name in the registry."""
        return self.spec.name

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return self.spec.width_of(self.kind)

    @property
    def views(self) -> Mapping[str, str]:
        """The preset of each view that the encoder accepts."""
        return self.spec.views

    @property
    def pooling(self) -> str:
        """How tokens become one vector, with the run-time patch and the precision if they are not the default."""
        flat, deep = self.patches
        usual = self.patches == ((self.spec.patch,) * 2, (self.spec.patch,) * 3)
        patch = None if usual else deep if "volume" in self.views else flat
        return VectorKind(self.kind, patch, self.precision).label

    @property
    def patches(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Run-time patch edges of slices (h, w) and of volumes (d, h, w)."""
        return self.backbone.patch_embed_2D.size, self.backbone.patch_embed_3D.size

    @property
    def needs_mask(self) -> bool:
        """Whether `encode` needs a mask for every item."""
        return self.kind == MASK_POOLED

    @property
    def is_published(self) -> bool:
        """Whether the weights are the authors'."""
        return self.spec.is_published

    @torch.inference_mode()
    def encode(
        self, batch: NDArray[np.float32] | Tensor, masks: NDArray[np.generic] | Tensor | None = None
    ) -> NDArray[np.float32]:
        """Vectors `[B, width]` of preprocessed slices `[B, 1, H, W]` or volumes `[B, 1, D, H, W]`.

        Args:
            masks: for `mask_pooled`, `[B, H, W]` or `[B, D, H, W]`, other than 0 in the lesion.

        Raises:
            FlexiCTError: an input or mask of another shape, an input smaller than a patch, or a missing mask.
        """
        levels = self._levels(batch, blocks_of(self.kind, len(self.backbone.blocks)))
        cells = None
        if self.needs_mask:
            cells = self._cells(tuple(np.shape(batch)), masks)
        return vectors(self.kind, levels, cells, self.projection).float().cpu().numpy()

    @torch.inference_mode()
    def patch_grid(self, batch: NDArray[np.float32] | Tensor) -> PatchGrid:
        """The patch tokens after the last block on their grid."""
        (last,) = self._levels(batch, [len(self.backbone.blocks) - 1])
        tokens = last.patches.float().cpu().numpy()
        patch = self.patches[0] if len(last.grid) == 2 else self.patches[1]
        return PatchGrid(tokens.reshape(len(tokens), *last.grid, -1), patch)

    def _levels(self, batch: NDArray[np.float32] | Tensor, blocks: list[int]) -> list[Tokens]:
        if self.forward is not None:
            return self.forward.intermediate(torch.as_tensor(batch, dtype=torch.float32), blocks)
        kind = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        return self.backbone.intermediate(torch.as_tensor(batch).to(self.device, kind), blocks)

    def _cells(self, shape: tuple[int, ...], masks: NDArray[np.generic] | Tensor | None) -> Tensor:
        wanted = (shape[0], *shape[2:])
        if masks is None or tuple(np.shape(masks)) != wanted:
            found = "no mask" if masks is None else f"a mask of {list(np.shape(masks))}"
            raise FlexiCTError(f"mask_pooled needs a mask of {list(wanted)} beside its input, and got {found}")
        return touched_cells(torch.as_tensor(masks).to(self.device), self.patches[len(wanted) - 3])


def load_encoder(
    name: str,
    weights: str | Path | None = None,
    device: str = "cpu",
    *,
    pooling: str | None = None,
    patch: int | Sequence[int] | None = None,
    precision: str = "float32",
    backend: str = "auto",
) -> Encoder:
    """Load an encoder of the registry with its weights.

    Args:
        name: a name of `REGISTRY`, such as `flexict-3d` or `flexict-nano`.
        weights: a `.safetensors` or `.pth` file, a folder, or a hub name; by default the environment variables,
            the bundled file or the Hugging Face hub (see `flexict.hub.checkpoints.find_weights`).
        device: `cpu`, `cuda`, `cuda:1` or `auto`.
        pooling: kind of vector (see `flexict.kinds`); by default the encoder's own.
        patch: run-time patch edge, or edges (h, w) or (d, h, w); by default the encoder's own.
        precision: `float32`, or `bfloat16` for speed (cosine with float32 0.999 or better).
        backend: `torch`, `openvino` (on a CPU; an optional extra), or `auto`: OpenVINO on a CPU where it is installed
            and the encoder is large enough for a conversion to pay.

    Raises:
        FlexiCTError: an unknown name, device, pooling, precision or back end, or an impossible patch size.
        CheckpointError: if the weights are absent, damaged or of another model.

    >>> encoder = load_encoder("flexict-nano")
    >>> encoder.encode(np.zeros((2, 1, 32, 32, 32), dtype=np.float32)).shape
    (2, 288)
    """
    spec = REGISTRY.get(name)
    if spec is None:
        raise FlexiCTError(f"there is no encoder {name!r}: choose one of {', '.join(REGISTRY)}")
    kind = pooling or spec.pooling
    for what, value, choices in (
        ("vector", kind, spec.poolings),
        ("precision", precision, PRECISIONS),
        ("back end", backend, BACKENDS),
    ):
        if value not in choices:
            raise FlexiCTError(f"{name} has no {what} {value!r}: choose {', '.join(choices)}")
    place = pick_device(device)
    found = find_weights(name, weights, spec.variable, spec.hub, spec.bundled)
    tensors = read_tensors(found.path)
    backbone = FlexiCTBackbone(**spec.shape)
    projection: nn.Linear | None = None
    if spec.text is None:
        load_into(backbone, tensors, str(found.path))
    else:
        parts = split_parts(tensors, str(found.path))
        load_into(backbone, parts.vision, str(found.path))
        projection = parts.projection_layer(2 * spec.shape["embed_dim"], spec.text.width, str(found.path))
    backbone.set_patch_size(spec.patch)
    if patch is not None:
        _set_patch(backbone, patch, spec)
    kept = projection if kind == VLM else None
    forward = _converted(backbone, found.sha256, precision, backend, place, spec)
    number = torch.bfloat16 if precision == "bfloat16" and forward is None else torch.float32
    for module in (backbone, kept):
        if module is not None:
            module.requires_grad_(False).eval().to(place, number)
    source = f"{found.chosen_by}: {found.path.name}"
    return Encoder(spec, backbone, found.sha256, source, place, kind, forward, precision, kept)


def _set_patch(backbone: FlexiCTBackbone, patch: int | Sequence[int], spec: EncoderSpec) -> None:
    edges = (patch,) if isinstance(patch, int) else tuple(patch)
    n_axes = {2} if "volume" not in spec.views else {3} if "slices" not in spec.views else {2, 3}
    if len(edges) > 1 and len(edges) not in n_axes:
        raise FlexiCTError(
            f"{spec.name} takes no patch of {len(edges)} edges: give one edge, or one per axis of its input"
        )
    backbone.set_patch_size(patch)


def _converted(
    backbone: FlexiCTBackbone, sha256: str, precision: str, backend: str, device: str, spec: EncoderSpec
) -> Forward | None:
    """The chosen back end, or None for the network itself."""
    pays = device == "cpu" and spec.shape["embed_dim"] >= LEAST_CONVERTED_WIDTH
    if backend == "torch" or (backend == "auto" and not pays):
        return None
    if device != "cpu":
        raise FlexiCTError(f"the back end openvino computes only on the CPU, not on {device}: use --backend torch")
    from flexict.model import openvino_backend

    if openvino_backend.is_available():
        return openvino_backend.OpenVINOBackbone(backbone, sha256, precision=precision)
    if backend == "openvino":
        raise FlexiCTError("the back end openvino is not installed: pip install -e '.[openvino]'")
    return None
