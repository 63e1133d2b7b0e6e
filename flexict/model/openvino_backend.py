"""The network in OpenVINO: the same tokens on a CPU in less time (an optional extra).

One compiled model serves one input shape, patch and choice of blocks. Items of a batch go through it one by one, so
that a vector does not depend on the rest of the batch.

Conversion: once in a process for the same weights, however many encoders use them. It takes one to two seconds for
the published network, which is why no file is kept: a compiled model on disk is 0.6 GB a shape, takes three seconds
more to write, and a process that loads it and checks its hash gains half a second at most.

Threads: one item is computed by as many threads as `torch.get_num_threads()` allows the caller, and as many items at
once as the cores have room for such groups. Each number of threads has its own compiled model, so that a vector
depends on that number, as it does in PyTorch, but not on the number of callers.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from flexict.errors import FlexiCTError
from flexict.kinds import PRECISIONS
from flexict.model import openvino_graph
from flexict.model.backbone import FlexiCTBackbone, Tokens

if TYPE_CHECKING:
    from openvino import CompiledModel, Core, InferRequest

# Slices and volumes, say. Each takes up to 0.9 GB in the published size.
MOST_MODELS = 2


def is_available() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


@dataclass(frozen=True)
class Conversion:
    """The conditions for which a model is compiled.

    Attributes:
        space: (h, w) or (d, h, w) of the input.
        patch: edges of a patch in voxels.
        blocks: whose tokens are returned, in ascending order.
        threads: of one inference.
    """

    weights_sha256: str
    space: tuple[int, ...]
    patch: tuple[int, ...]
    blocks: tuple[int, ...]
    precision: str
    threads: int


class OpenVINOBackbone:
    """What `FlexiCTBackbone.intermediate` computes, on the CPU through OpenVINO. Safe to call from several threads.

    Args:
        backbone: float32 on the CPU, its weights final; its patch sizes are read at every call.
        weights_sha256: hash of the weights; backbones of the same hash share their compiled models.
        precision: `float32`, or `bfloat16` for speed.

    Raises:
        FlexiCTError: if the precision is unknown, or the backbone is not float32 on the CPU.
    """

    def __init__(self, backbone: FlexiCTBackbone, weights_sha256: str, precision: str = "float32") -> None:
        if precision not in PRECISIONS:
            raise FlexiCTError(f"OpenVINO computes in {' or '.join(PRECISIONS)}, not in {precision!r}")
        if backbone.cls_token.dtype != torch.float32 or backbone.cls_token.device.type != "cpu":
            raise FlexiCTError("OpenVINO converts a float32 backbone on the CPU")
        _core()  # loads OpenVINO here and not in the thread that encodes first
        self.precision = precision
        self._backbone = backbone
        self._sha256 = weights_sha256
        self._in_use: OrderedDict[Conversion, _Converted] = OrderedDict()

    @torch.no_grad()
    def intermediate(self, x: Tensor, blocks: Sequence[int]) -> list[Tokens]:
        """Tokens after each of `blocks`, float32; see `FlexiCTBackbone.intermediate`.

        Args:
            x: `[B, 1, H, W]` or `[B, 1, D, H, W]`, float32 on the CPU.

        Raises:
            FlexiCTError: for another shape, an input smaller than a patch, or a block that does not exist.
        """
        depth = len(self._backbone.blocks)
        absent = [b for b in blocks if not 0 <= b < depth]
        if absent:
            raise ValueError(f"blocks {absent} do not exist: this backbone has blocks 0 to {depth - 1}")
        if x.ndim not in (4, 5) or x.shape[1] != 1:
            raise ValueError(f"expected [B, 1, H, W] or [B, 1, D, H, W], got {tuple(x.shape)}")
        space = tuple(x.shape[2:])
        patch = (self._backbone.patch_embed_2D if x.ndim == 4 else self._backbone.patch_embed_3D).size
        if any(n < p for n, p in zip(space, patch, strict=True)):
            raise FlexiCTError(f"an input of {space} is smaller than one patch of {patch}")
        grid = tuple(n // p for n, p in zip(space, patch, strict=True))
        rising = tuple(sorted(set(blocks)))
        wanted = Conversion(self._sha256, space, patch, rising, self.precision, torch.get_num_threads())
        levels = dict(zip(rising, self._converted(wanted).tokens(x), strict=True))
        n_prefix = 1 + self._backbone.n_registers
        split = [1, self._backbone.n_registers, levels[rising[0]].shape[1] - n_prefix]
        parts = {block: level.split(split, dim=1) for block, level in levels.items()}
        return [Tokens(parts[b][0][:, 0], parts[b][1], parts[b][2], grid) for b in blocks]

    def _converted(self, wanted: Conversion) -> _Converted:
        with _lock:
            converted = self._in_use.pop(wanted, None) or _shared.get(wanted)
            while len(self._in_use) >= MOST_MODELS:
                self._in_use.popitem(last=False)
            if converted is None:
                converted = _shared[wanted] = _convert(self._backbone, wanted)
            self._in_use[wanted] = converted
            return converted


@dataclass(eq=False)
class _Converted:
    """A compiled model and its idle inference requests."""

    model: CompiledModel
    _idle: deque[InferRequest] = field(default_factory=deque)

    def tokens(self, x: Tensor) -> list[Tensor]:
        """`[B, length, width]` of each output for `[B, 1, *space]`."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self.model.create_infer_request()
        levels = [torch.empty(len(x), *output.shape[1:]) for output in self.model.outputs]
        for index, item in enumerate(x.detach().contiguous().split(1)):
            request.infer([item.numpy()], share_inputs=True)
            for number, level in enumerate(levels):
                level[index] = torch.from_numpy(request.get_output_tensor(number).data[0])
        self._idle.append(request)
        return levels


_lock = threading.Lock()
_shared: WeakValueDictionary[Conversion, _Converted] = WeakValueDictionary()


def _convert(backbone: FlexiCTBackbone, wanted: Conversion) -> _Converted:
    model = openvino_graph.build(backbone, wanted.space, wanted.blocks, wanted.precision)
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = max(1, n_cores // wanted.threads)
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if wanted.precision == "bfloat16" else "f32",
        "INFERENCE_NUM_THREADS": wanted.threads * at_once,
        "NUM_STREAMS": at_once,
        # Two processes would otherwise bind their threads to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    return _Converted(_core().compile_model(model, "CPU", settings))


@cache
def _core() -> Core:
    from openvino import Core, op, opset13  # noqa: F401  openvino_graph needs them

    return Core()
