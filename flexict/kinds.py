"""Kinds of vector and ways to compute them, by name; without torch, for command lines.

Source: arXiv 2605.21906, the vectors of the phenotype, slice and text experiments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

PRECISIONS = ("float32", "bfloat16")
BACKENDS = ("auto", "torch", "openvino")
POOLED, CLS, HIERARCHICAL, MASK_POOLED, VLM = "pooled", "cls", "hierarchical", "mask_pooled", "vlm"
TOKEN_KINDS = (POOLED, CLS, HIERARCHICAL, MASK_POOLED)
N_LEVELS = 4


def blocks_of(kind: str, depth: int) -> list[int]:
    """The blocks (from 0) whose tokens a kind needs: the last, or for `hierarchical` the end of every quarter.

    A depth of 16 gives 3, 7, 11 and 15, as published.
    """
    if kind == HIERARCHICAL:
        return [math.ceil(depth * level / N_LEVELS) - 1 for level in range(1, N_LEVELS + 1)]
    return [depth - 1]


def width_of(kind: str, shape: Mapping[str, int], joint_width: int | None = None) -> int:
    """Numbers in a vector of this kind for a backbone of `shape` (`joint_width`: of the space shared with text)."""
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
