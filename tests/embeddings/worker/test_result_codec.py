"""Results as bytes and back, without pickle; what is damaged or foreign is refused."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from embeddings import analysis
from embeddings.worker.result_codec import CLASSES, CodecError, decode, digest, encode

RNG = np.random.default_rng(5)
N = 60
STAGE = np.arange(N) % 3
VECTORS = RNG.normal(size=(N, 8)) + STAGE[:, None] * 0.5
SIZE = np.exp(RNG.normal(size=N))
RESULTS: dict[str, Callable[[], object]] = {
    "map": lambda: analysis.project(VECTORS, method="pca"),
    "gradient": lambda: analysis.stage_gradient(VECTORS, STAGE, size=SIZE, n_permutations=50),
    "gradient without size": lambda: analysis.stage_gradient(VECTORS, STAGE, n_permutations=50),
    "trajectory": lambda: analysis.pseudotime(VECTORS, STAGE, n_permutations=20),
    "trajectory without stage": lambda: analysis.pseudotime(VECTORS, root=0),
    "courses": lambda: analysis.along_each(SIZE, {"a": VECTORS[:, 0], "constant": np.ones(N)}, n_permutations=20),
    "retrieval": lambda: analysis.evaluate(VECTORS, STAGE),
    "neighbours": lambda: analysis.nearest(VECTORS, 0, k=3),
    "probe": lambda: analysis.linear_probe(
        VECTORS, STAGE, baseline=SIZE, n_repeats=2, n_permutations=3, learning_shares=(0.5, 1.0)
    ),
    "audit": lambda: analysis.shortcuts(
        VECTORS, STAGE, {"site": np.where(np.arange(N) % 2, "a", "b"), "one": np.ones(N)}, n_permutations=20
    ),
    "survival": lambda: analysis.by_score(
        SIZE, np.abs(VECTORS[:, 0]) + 0.1, np.arange(N) % 2, covariates={"x": VECTORS[:, 1]}
    ),
    "comparison": lambda: analysis.compare_sets(
        [VECTORS, VECTORS[:, :5]], ["wide", "narrow"], stage=STAGE, label=STAGE > 0, n_repeats=1, n_permutations=20
    ),
}


def same(one: object, other: object) -> bool:
    """Equal in type and value, with NaN equal to NaN."""
    if isinstance(one, np.ndarray):
        if not isinstance(other, np.ndarray) or one.shape != other.shape or one.dtype.kind != other.dtype.kind:
            return False
        if one.dtype.kind == "O":
            return all(same(a, b) for a, b in zip(one.ravel(), other.ravel(), strict=True))
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if type(one) is not type(other):
        return False
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return same(list(one), list(other)) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, float | np.floating) and math.isnan(one):
        return math.isnan(other)
    return one == other


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals(allow_nan=False)
arrays = st_numpy.arrays(
    st.sampled_from([np.dtype(one) for one in ("f8", ">f8", "f4", "f2", "i8", "i1", "u2", "?")]),
    st_numpy.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
values = st.recursive(
    plain | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
@settings(max_examples=300, deadline=None)
def test_whatever_a_result_may_hold_comes_back_equal(value: object) -> None:
    assert same(decode(encode(value)), value)


@given(values, values)
@settings(max_examples=200, deadline=None)
def test_other_values_have_another_digest(one: object, other: object) -> None:
    assert (digest(one) == digest(other)) == (encode(one) == encode(other))


@pytest.mark.parametrize("name", RESULTS)
def test_a_real_result_comes_back_equal(name: str) -> None:
    result = RESULTS[name]()
    assert same(decode(encode(result)), result)


def test_every_class_of_the_results_can_be_kept() -> None:
    seen: set[str] = set()

    def visit(value: object) -> None:
        if is_dataclass(value):
            seen.add(type(value).__name__)
            for field in fields(value):
                visit(getattr(value, field.name))
        elif isinstance(value, tuple):
            for one in value:
                visit(one)

    for make in RESULTS.values():
        visit(make())
    assert seen | {"StageLabel", "Estimate"} == set(CLASSES)


def test_cells_of_a_column_come_back_as_they_were() -> None:
    cells = np.array([None, "T1", 2, 2.5, float("nan"), True, Decimal("1.20"), analysis.StageLabel(1, "T2")], object)
    assert same(decode(encode(cells)), cells)
    texts = np.array(["a", "", "längst"])
    assert decode(encode(texts)).tolist() == texts.tolist()


def test_an_array_in_another_order_of_memory_is_the_same_content() -> None:
    table = np.arange(12.0).reshape(3, 4)
    assert encode(np.asfortranarray(table)) == encode(table)
    assert encode(table[::2, ::2]) == encode(table[::2, ::2].copy())
    assert encode(table.astype(">f8")) == encode(table)


def test_the_arrays_of_a_result_cannot_be_changed_by_who_reads_it() -> None:
    with pytest.raises(ValueError, match="read-only"):
        decode(encode(np.arange(3)))[0] = 7


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_content_with_a_wrong_byte_or_cut_short_is_refused(data: st.DataObject) -> None:
    whole = encode({"a": np.arange(5), "b": (1.5, None, "text")})
    content = bytearray(whole)
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CodecError):
        decode(bytes(content))
    with pytest.raises(CodecError):
        decode(whole[:at])


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(CodecError):
        decode(content)


def forged(written: object, arrays: bytes = b"") -> bytes:
    """A content with a right checksum whose JSON holds what the writer would not write."""
    text = json.dumps(written).encode()
    body = len(text).to_bytes(8, "big") + text + arrays
    return encode(None)[:10] + hashlib.sha256(body).digest() + body


ESTIMATE = {"value": 1.0, "low": 0.0, "high": 2.0}


@pytest.mark.parametrize(
    "written",
    [
        {"class": "Path", "fields": {}},
        {"class": "Estimate", "fields": {"value": 1.0}},
        {"class": "Estimate", "fields": {**ESTIMATE, "more": 1.0}},
        {"class": "Estimate", "fields": {**ESTIMATE, "low": "<b>0</b>"}},
        {"class": "Estimate", "fields": {**ESTIMATE, "low": True}},
        {"array": "O", "shape": [1], "at": 0},
        {"array": "<f8", "shape": [10**12], "at": 0},
        {"array": "<f8", "shape": [-1], "at": 0},
        {"array": "<f8", "shape": [1], "at": -8},
        {"array": "nonsense", "shape": [1], "at": 0},
        {"texts": [1, 2], "shape": [2]},
        {"texts": ["a"], "shape": [2]},
        {"texts": ["a" * 1000] + [""] * 100_000, "shape": [100_001]},
        {"cells": [{"array": "O", "shape": [], "at": 0}], "shape": [1]},
        {"float": "1"},
        {"decimal": "one"},
        {"dict": [[{"list": []}, 1]]},
        {"pickle": "gASV"},
        [1, 2],
        {},
    ],
    ids=lambda written: json.dumps(written)[:60],
)
def test_a_forged_content_is_refused(written: object) -> None:
    with pytest.raises(CodecError):
        decode(forged(written, b"\0" * 16))


def test_nesting_without_end_is_refused() -> None:
    content = forged(0)
    text = b'{"list":[' * 50_000 + b"]}" * 50_000
    body = len(text).to_bytes(8, "big") + text
    with pytest.raises(CodecError):
        decode(content[:10] + hashlib.sha256(body).digest() + body)


def test_another_version_is_told_from_another_program() -> None:
    content = bytearray(encode(1))
    content[9] += 1
    with pytest.raises(CodecError, match="another version"):
        decode(bytes(content))
    with pytest.raises(CodecError, match="another program"):
        decode(pickle.dumps(1))


@dataclass(frozen=True)
class Estimate:
    """Called as one of the results, but not it."""

    value: float


@pytest.mark.parametrize("value", [object(), {1, 2}, Estimate(1.0), np.array([1j]), np.array(["2020-01-01"], "M8[D]")])
def test_what_is_no_part_of_a_result_is_not_written(value: object) -> None:
    with pytest.raises(CodecError, match="cannot be kept"):
        encode(value)
