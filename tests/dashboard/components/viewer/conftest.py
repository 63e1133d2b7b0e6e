"""Volumes in any position, and the other end of the viewer's message."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from flexict.volume import Volume

Unpacked = tuple[dict[str, Any], list[bytes]]


def unpack_message(message: bytes) -> Unpacked:
    """Header and blobs, read as the browser reads them."""
    (length,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + length])
    body = message[4 + length :]
    return header, [body[start : start + n] for start, n in header["blobs"]]


@pytest.fixture
def unpack() -> Callable[[bytes], Unpacked]:
    """Reads a message."""
    return unpack_message


@pytest.fixture
def tilted() -> Volume:
    """An anisotropic scan of noise, tilted by some degrees, in the order of another orientation than LPS."""
    turn = Rotation.from_euler("zyx", [9, -6, 8], degrees=True).as_matrix()
    axes = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    array = np.random.default_rng(4).normal(-700, 40, (44, 52, 60)).astype(np.float32)
    return Volume(array, (1.6, 1.2, 2.4), (35.0, -20.0, 410.0), turn @ axes)
