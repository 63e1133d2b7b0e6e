"""The network as an OpenVINO graph, written node by node from the backbone's own tensors.

A trace of the PyTorch network would contain its casts to bfloat16, which prevent fused attention. Here the rounding of
queries and keys to bfloat16, which is part of the model (see `rope`), is three float32 operations that stay
inside one kernel. LayerScale is multiplied into the layer before it, which halves the time that compilation takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from flexict.model.backbone import NORM_EPS, Attention, Block, FlexiCTBackbone

if TYPE_CHECKING:
    from openvino import Model

# A float32 has 16 more bits in its significand than a bfloat16.
VELTKAMP = 2.0**16 + 1.0


def build(backbone: FlexiCTBackbone, space: Sequence[int], blocks: Sequence[int], precision: str) -> Model:
    """The graph of one input, `[1, 1, *space]` -> tokens `[1, length, width]` after each of `blocks`.

    Tokens are normed by the final norm and lie as in the backbone: class, registers, patches. The graph shares the
    memory of the backbone's tensors, which must be float32 on the CPU.

    Args:
        space: (h, w) or (d, h, w) of the input.
        blocks: in ascending order, without repetition.
        precision: `float32` rounds queries and keys as the published model does; `bfloat16` leaves that to a compiler
            that computes in bfloat16 throughout.
    """
    return _Graph(backbone, precision).model(tuple(space), blocks)


class _Graph:
    """Operations of one graph under construction."""

    def __init__(self, backbone: FlexiCTBackbone, precision: str) -> None:
        from openvino import opset13

        self._op = opset13
        self._backbone = backbone
        self._round: Callable[[Any], Any] = self._to_bfloat16 if precision == "float32" else lambda x: x
        self._n_prefix = 1 + backbone.n_registers

    def model(self, space: tuple[int, ...], blocks: Sequence[int]) -> Model:
        from openvino import Model

        x = self._op.parameter([1, 1, *space], np.float32)
        tokens, cos, sin = self._embedded(x, space)
        outputs = []
        for index, block in enumerate(self._backbone.blocks[: max(blocks) + 1]):
            assert isinstance(block, Block)
            tokens = self._block(tokens, block, cos, sin)
            if index in blocks:
                outputs.append(self._norm(tokens, self._backbone.norm))
        return Model(outputs, [x], "flexict")

    def _embedded(self, x: Any, space: tuple[int, ...]) -> tuple[Any, Any, Any]:
        """Tokens before the first block, and cosine and sine `[1, length, 1, head_dim / 2]` of their positions."""
        flat, backbone = len(space) == 2, self._backbone
        embed = backbone.patch_embed_2D if flat else backbone.patch_embed_3D
        rope = backbone.rope_embed_2D if flat else backbone.rope_embed_3D
        grid = tuple(n // p for n, p in zip(space, embed.size, strict=True))
        none = [0] * len(space)
        patches = self._op.convolution(x, self._weights(embed.kernel()), list(embed.size), none, none, [1] * len(space))
        patches = self._reshape(patches, 1, backbone.embed_dim, -1)
        assert embed.proj.bias is not None
        patches = self._op.add(self._transpose(patches, 0, 2, 1), self._weights(embed.proj.bias))
        prefix = self._weights(torch.cat((backbone.cls_token, backbone.storage_tokens), dim=1))
        sin, cos = (table.float()[:, : table.shape[1] // 2] for table in rope(grid))
        # Class and register tokens are turned by no angle, so that one table serves every token.
        cos = torch.cat((torch.ones(self._n_prefix, cos.shape[1]), cos))[None, :, None]
        sin = torch.cat((torch.zeros(self._n_prefix, sin.shape[1]), sin))[None, :, None]
        return self._op.concat([prefix, patches], 1), self._weights(cos), self._weights(sin)

    def _block(self, x: Any, block: Block, cos: Any, sin: Any) -> Any:
        attended = self._attention(self._norm(x, block.norm1), block.attn, cos, sin)
        x = self._op.add(x, self._linear(attended, block.attn.proj, block.ls1.gamma))
        hidden = self._op.gelu(self._linear(self._norm(x, block.norm2), block.mlp.fc1), "erf")
        return self._op.add(x, self._linear(hidden, block.mlp.fc2, block.ls2.gamma))

    def _attention(self, x: Any, attention: Attention, cos: Any, sin: Any) -> Any:
        """The outputs of all heads side by side, before the projection."""
        width, heads = self._backbone.embed_dim, attention.num_heads
        qkv = self._reshape(self._linear(x, attention.qkv), 1, -1, 3, heads, width // heads)
        q, k, v = (self._op.squeeze(part, self._ints(2)) for part in self._split(qkv, 2, 3))
        q, k = self._turned(q, cos, sin), self._turned(k, cos, sin)
        q, k, v = (self._transpose(part, 0, 2, 1, 3) for part in (q, k, v))
        out = self._transpose(self._op.scaled_dot_product_attention(q, k, v), 0, 2, 1, 3)
        return self._reshape(out, 1, -1, width)

    def _turned(self, x: Any, cos: Any, sin: Any) -> Any:
        """Queries or keys `[1, length, heads, head_dim]` with their positions, every step rounded."""
        op, rounded = self._op, self._round
        first, second = (rounded(half) for half in self._split(x, 3, 2))
        turned = (
            rounded(op.subtract(rounded(op.multiply(first, cos)), rounded(op.multiply(second, sin)))),
            rounded(op.add(rounded(op.multiply(second, cos)), rounded(op.multiply(first, sin)))),
        )
        return op.concat(turned, 3)

    def _to_bfloat16(self, x: Any) -> Any:
        """The nearest bfloat16 of a float32, as a float32 (Veltkamp's split; Dekker 1971)."""
        large = self._op.multiply(x, self._op.constant(np.float32(VELTKAMP)))
        return self._op.subtract(large, self._op.subtract(large, x))

    def _norm(self, x: Any, norm: nn.LayerNorm) -> Any:
        centred = self._op.mvn(x, self._ints(2), True, NORM_EPS, "inside_sqrt")
        return self._op.add(self._op.multiply(centred, self._weights(norm.weight)), self._weights(norm.bias))

    def _linear(self, x: Any, linear: nn.Linear, gain: Tensor | None = None) -> Any:
        weight: Tensor = linear.weight
        bias: Tensor | None = linear.bias
        if gain is not None and bias is not None:
            weight, bias = weight * gain[:, None], bias * gain
        out = self._op.matmul(x, self._weights(weight), False, True)
        return out if bias is None else self._op.add(out, self._weights(bias))

    def _weights(self, tensor: Tensor) -> Any:
        from openvino.op import Constant

        return Constant(tensor.detach().contiguous().numpy(), shared_memory=True)

    def _ints(self, *values: int) -> Any:
        return self._op.constant(np.array(values, dtype=np.int64))

    def _reshape(self, x: Any, *shape: int) -> Any:
        return self._op.reshape(x, self._ints(*shape), False)

    def _transpose(self, x: Any, *axes: int) -> Any:
        return self._op.transpose(x, self._ints(*axes))

    def _split(self, x: Any, axis: int, parts: int) -> list[Any]:
        return self._op.split(x, self._op.constant(np.int64(axis)), parts).outputs()
