"""The viewer's messages: what is packed is read back, and what is asked is checked."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dashboard.components.viewer.message import Blobs, RequestError, Wanted, pack, read_request, slice_record
from dashboard.data.planes import Region, Slice
from tests.dashboard.components.viewer.conftest import unpack_message as unpack

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.text().filter(lambda k: k != "blobs"), json_values),
    st.lists(st.binary(max_size=200), max_size=6),
)
def test_a_message_is_read_back_as_it_was_packed(header: dict[str, Any], blobs: list[bytes]) -> None:
    found, parts = unpack(pack(header, blobs))
    assert parts == blobs
    assert {k: v for k, v in found.items() if k != "blobs"} == header


@settings(deadline=None)
@given(arrays(np.int16, st.tuples(st.integers(1, 30), st.integers(1, 30))), st.booleans())
def test_a_slice_keeps_every_voxel_and_its_mask(pixels: np.ndarray, masked: bool) -> None:
    mask = (pixels > 0).astype(np.uint8) if masked else None
    blobs = Blobs()
    record = slice_record(Wanted(2, "coronal", 7, None), Slice(pixels, mask, -3.5, 2.0, (0.7, 2.5), (1, 1)), blobs)
    header, parts = unpack(pack({"slices": [record]}, blobs.parts))
    (one,) = header["slices"]
    shape = (one["rows"], one["columns"])
    assert (one["panel"], one["plane"], one["index"], one["detail"]) == (2, "coronal", 7, False)
    assert (np.frombuffer(zlib.decompress(parts[one["pixels"]]), "<i2").reshape(shape) == pixels).all()
    if masked:
        assert (np.frombuffer(zlib.decompress(parts[one["mask"]]), np.uint8).reshape(shape) == mask).all()
    else:
        assert one["mask"] is None


def test_numbers_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        pack({"mm": float("nan")}, [])


GOOD: dict[str, Any] = {
    "signature": "abc",
    "seq": 3,
    "plane": "axial",
    "place": [0, 1.5, -2],
    "window": ["Lung", 1500, -600],
    "wants": [[0, "axial", 12, None], [1, "sagittal", 3, [-5, -5, 5, 5]]],
    "opens": [1],
    "point": {"panel": 1, "place": [1, 2, 3], "n": 9},
    "map": "similarity",
    "map_key": "",
    "attempt": 0,
}


def test_a_request_is_read() -> None:
    request = read_request(GOOD, 2)
    assert request.wants == (Wanted(0, "axial", 12, None), Wanted(1, "sagittal", 3, Region(-5, -5, 5, 5)))
    assert request.place == (0.0, 1.5, -2.0)
    assert request.point is not None
    assert request.point.place == (1.0, 2.0, 3.0)
    assert (request.window, request.opens, request.map) == (("Lung", 1500.0, -600.0), (1,), "similarity")


def test_an_attempt_from_the_future_counts_as_one_of_now() -> None:
    assert read_request({**GOOD, "attempt": 5}, 2).attempt == 5
    assert read_request({**GOOD, "attempt": 10**30}, 2).attempt < 10**14


@pytest.mark.parametrize(
    "wrong",
    [
        {"plane": "oblique"},
        {"plane": ["axial"]},
        {"place": [0, 1]},
        {"place": [0, 1, float("nan")]},
        {"place": [0, 1, 1e12]},
        {"wants": [[2, "axial", 0, None]]},
        {"wants": [[-1, "axial", 0, None]]},
        {"wants": [[0, "axial", 0]]},
        {"wants": [[0, "axial", 0, [5, 0, -5, 1]]]},
        {"wants": [[0, "axial", 0, None]] * 65},
        {"wants": "all"},
        {"opens": [7]},
        {"opens": None},
        {"point": {"panel": 0}},
        {"window": ["Lung"]},
        {"map": "../../etc"},
        {"seq": None},
        {"window": ["Lung", float("inf"), 0]},
        {"attempt": "now"},
    ],
)
def test_a_request_that_no_viewer_sends_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        read_request({**GOOD, **wrong}, 2)


@given(json_values)
@settings(deadline=None)
def test_whatever_comes_is_read_or_refused(raw: Any) -> None:
    with pytest.raises(RequestError):
        read_request(raw, 2)
