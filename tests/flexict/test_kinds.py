"""The label of a kind of vector is read back as what it was written from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexict.kinds import PRECISIONS, TOKEN_KINDS, VLM, VectorKind, read_label

edges = st.lists(st.integers(1, 64), min_size=2, max_size=3).map(tuple)


@given(st.sampled_from((*TOKEN_KINDS, VLM)), st.none() | edges, st.sampled_from(PRECISIONS))
def test_a_label_states_the_whole_kind(kind: str, patch: tuple[int, ...] | None, precision: str) -> None:
    made = VectorKind(kind, patch, precision)
    assert read_label(made.label) == made


@pytest.mark.parametrize(
    ("label", "made"),
    [
        ("pooled", VectorKind("pooled")),
        ("vlm, patch 8x16x16", VectorKind("vlm", (8, 16, 16))),
        ("cls, bfloat16", VectorKind("cls", None, "bfloat16")),
        ("mean of their own tokens", VectorKind("mean of their own tokens")),
    ],
)
def test_labels_of_sets_are_read(label: str, made: VectorKind) -> None:
    assert read_label(label) == made
