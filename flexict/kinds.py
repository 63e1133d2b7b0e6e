"""Kinds of vector and ways to compute them, by name; does not load torch, so command lines start fast.

Source: arXiv 2605.21906, the vectors of the phenotype, slice and text experiments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

PRECISIONS = ("float32", "bfloat16")
BACKENDS = ("auto", "torch", "openvino")
POOLED, CLS, HIERARCHICAL, MASK_POOLED, VLM = "pooled", "cls", "hierarchical", "mask_pooled", "vlm"
TOKEN_KINDS = (POOLED, CLS, HIERARCHICAL, MASK_POOLED)
N_LEVELS = 4


def blocks_of(kind: str, depth: int) -> list[int]:
    """The blocks (from 0) whose tokens a kind needs: the last, or for `hierarchical` the end of every quarter.

    >>> blocks_of(HIERARCHICAL, depth=16)  # as published
    [3, 7, 11, 15]
    """
    if kind == HIERARCHICAL:
        return [math.ceil(depth * level / N_LEVELS) - 1 for level in range(1, N_LEVELS + 1)]
    return [depth - 1]


@dataclass(frozen=True)
class VectorKind:
    """How tokens become one vector; its label is part of an embedding set.

    Attributes:
        kind: one of the kinds above, or the text of an encoder of another package.
        patch: edges of the run-time patch, (h, w) or (d, h, w); None for the encoder's default.
        precision: one of `PRECISIONS`.
    """

    kind: str
    patch: tuple[int, ...] | None = None
    precision: str = "float32"

    @property
    def label(self) -> str:
        """The kind, with patch and precision if they are not the default, such as `vlm, patch 8x16x16, bfloat16`."""
        words = [self.kind]
        if self.patch is not None:
            words.append(f"patch {'x'.join(map(str, self.patch))}")
        if self.precision != "float32":
            words.append(self.precision)
        return ", ".join(words)


def read_label(label: str) -> VectorKind:
    """The `VectorKind` of a label.

    >>> read_label("vlm, patch 8x16x16, bfloat16")
    VectorKind(kind='vlm', patch=(8, 16, 16), precision='bfloat16')
    """
    kind, *words = label.split(", ")
    edges = next((word.removeprefix("patch ") for word in words if word.startswith("patch ")), None)
    return VectorKind(
        kind,
        None if edges is None else tuple(int(edge) for edge in edges.split("x")),
        next((word for word in words if word in PRECISIONS), "float32"),
    )


def width_of(kind: str, shape: Mapping[str, int], joint_width: int | None = None) -> int:
    """Dimensions of a vector of this kind for a backbone of `shape` (`joint_width`: of the space shared with text)."""
    embed_dim = shape["embed_dim"]
    widths = {
        CLS: embed_dim,
        MASK_POOLED: embed_dim,
        POOLED: 2 * embed_dim,
        HIERARCHICAL: 2 * embed_dim * len(set(blocks_of(HIERARCHICAL, shape["depth"]))),
    }
    if joint_width is not None:
        widths[VLM] = joint_width
    return widths[kind]
