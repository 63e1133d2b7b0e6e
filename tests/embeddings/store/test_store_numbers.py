"""How vectors are kept: half precision for slices, float32 for the rest and where half would lose something."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pytest

from embeddings.records import EmbeddedItem
from embeddings.store.store import Store

Make = Callable[..., Any]
WIDTH = 6


def slices(vectors: np.ndarray, first: int = 0) -> list[EmbeddedItem]:
    return [
        EmbeddedItem(f"c0/slice/{n:04d}", "c0", vector, slice_index=n, z_lps_mm=float(n))
        for n, vector in enumerate(vectors.astype(np.float32), start=first)
    ]


def number_type(store: Store, set_id: str) -> str:
    return str(store.sets().set_index("set_id").loc[set_id, "number_type"])


def test_slices_are_kept_in_half_precision_and_read_as_float32(store: Store, identity: Make) -> None:
    vectors = np.random.default_rng(0).normal(size=(50, WIDTH))
    set_id = store.open_set(identity(view="slices"))
    store.commit(set_id, slices(vectors)[::-1])
    ids, X = store.vectors(set_id)
    assert ids == sorted(ids)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X, vectors.astype(np.float32).astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(store.table(set_id)[1], X)
    assert number_type(store, set_id) == "float16"
    with duckdb.connect(store.path, read_only=True) as con:
        kind = con.execute(f'SELECT typeof(vector) FROM "vectors of {set_id}"').fetchone()
    assert kind == (f"USMALLINT[{WIDTH}]",)


@pytest.mark.parametrize("number", [1e5, 1e-9], ids=["too large", "too small"])
def test_a_set_turns_to_float32_where_half_would_lose_a_vector(store: Store, identity: Make, number: float) -> None:
    vectors = np.random.default_rng(0).normal(size=(3, WIDTH))
    extreme = np.full((1, WIDTH), number)
    set_id = store.open_set(identity(view="slices"))
    store.commit(set_id, slices(vectors))
    before = store.vectors(set_id)[1]
    store.commit(set_id, slices(extreme, first=3))
    X = store.vectors(set_id)[1]
    np.testing.assert_array_equal(X[:3], before)
    np.testing.assert_array_equal(X[3], extreme[0].astype(np.float32))
    assert number_type(store, set_id) == "float32"
    assert number_type(Store(store.path), set_id) == "float32"


def test_a_file_size_limit_is_told_and_loses_nothing_that_was_committed(store: Store, identity: Make) -> None:
    set_id = store.open_set(identity())
    program = f"""
import resource, signal, sys
import numpy as np
from embeddings.records import EmbeddedItem, Thumbnail
from embeddings.store.store import Store, StoreUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
store = Store({str(store.path)!r}, read_only=False)
rng = np.random.default_rng(0)
for n in range(200):
    picture = Thumbnail(rng.bytes(100_000), "lung", 1.0, 0.0)
    try:
        vector = np.full({WIDTH}, n, np.float32)
        store.commit({set_id!r}, [EmbeddedItem(f"c0/{{n:04d}}", "c0", vector, thumbnail=picture)])
    except StoreUnavailable as error:
        print(type(error).__name__, error, file=sys.stderr)
        break
    print(n, flush=True)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8")
    assert "DiskFull there is no room to write" in found.stderr
    committed = [f"c0/{int(line):04d}" for line in found.stdout.split()]
    assert committed
    assert set(committed) <= set(store.vectors(set_id)[0])
    assert set(store.thumbnails(committed)) == set(committed)
    store.commit(set_id, slices(np.zeros((1, WIDTH))))
    assert "c0/slice/0000" in store.vectors(set_id)[0]
