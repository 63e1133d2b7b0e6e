"""Prepared input that is kept: another encoder gets the same without reading a scan."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embeddings import job
from embeddings.job.preparation import prepare
from embeddings.store.store import Store

MakeCohort = Callable[..., Path]


def go(csv: Path, encoder: Any, name: str, view: str = "volume", **options: Any) -> job.RunSummary:
    return job.run(csv, csv.parent / f"{name}.duckdb", encoder=encoder, view=view, workers=2, **options)


def contents(csv: Path, name: str, set_id: str) -> tuple[Any, ...]:
    store = Store(csv.parent / f"{name}.duckdb")
    ids, vectors = store.vectors(set_id)
    pictures = store.thumbnails(ids)
    return (
        ids,
        vectors.tobytes(),
        [pictures[item].png for item in ids],
        store.lesions().to_json(orient="records"),
        store.acquisitions().to_json(orient="records"),
        store.items(set_id).to_json(orient="records"),
        store.doubts().to_json(orient="records"),
    )


@pytest.mark.parametrize("view", ["volume", "lesion", "slices"])
def test_from_the_cache_comes_what_the_scans_give(
    make_cohort: MakeCohort, make_encoder: Any, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    csv = make_cohort(3)
    cache = csv.parent / "cache"
    without = go(csv, make_encoder(), "without", view, slice_step=5)
    filling = go(csv, make_encoder(), "filling", view, slice_step=5, cache=cache)
    monkeypatch.setattr(prepare, "read_scan", lambda path: pytest.fail("read a scan"))
    reading = go(csv, make_encoder(), "reading", view, slice_step=5, cache=cache)
    assert reading.n_embedded == 3
    expected = contents(csv, "without", without.set_id)
    assert contents(csv, "filling", filling.set_id) == expected
    assert contents(csv, "reading", reading.set_id) == expected
    assert not list(cache.rglob("*.partial*"))


def test_a_scan_that_changed_is_read_again(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(2)
    cache = csv.parent / "cache"
    go(csv, make_encoder(), "first", cache=cache)
    (csv.parent / "c1_ct.nii.gz").write_bytes((csv.parent / "c0_ct.nii.gz").read_bytes())
    summary = go(csv, make_encoder(), "second", cache=cache)
    vectors = Store(csv.parent / "second.duckdb").vectors(summary.set_id)[1]
    np.testing.assert_array_equal(vectors[0], vectors[1])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.with_suffix(".f32").write_bytes(b"short"),
        lambda path: path.write_text("{"),
        lambda path: path.write_text("{}"),
        lambda path: path.with_suffix(".f32").unlink(),
        lambda path: path.write_text('{"shape": [2], "items": 3}'),
    ],
    ids=["cut input", "cut words", "no words", "no input", "other words"],
)
def test_a_damaged_entry_counts_as_none(
    make_cohort: MakeCohort, make_encoder: Any, damage: Callable[[Path], object]
) -> None:
    csv = make_cohort(1)
    cache = csv.parent / "cache"
    first = go(csv, make_encoder(), "first", cache=cache)
    for path in list(cache.rglob("*.json")):
        damage(path)
    second = go(csv, make_encoder(), "second", cache=cache)
    assert contents(csv, "second", second.set_id) == contents(csv, "first", first.set_id)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full to stand for a full disk")
def test_a_cache_that_cannot_be_written_costs_no_vector(
    make_cohort: MakeCohort, make_encoder: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    csv = make_cohort(2)
    opened = Path.open

    def full(path: Path, *arguments: Any, **options: Any) -> Any:
        return opened(Path("/dev/full") if path.name.endswith(".partial") else path, *arguments, **options)

    monkeypatch.setattr(Path, "open", full)
    assert go(csv, make_encoder(), "out", cache=csv.parent / "cache").n_embedded == 2
    assert "No space left" in caplog.text


def test_what_a_set_holds_already_is_not_encoded_again(make_cohort: MakeCohort, make_encoder: Any) -> None:
    csv = make_cohort(1)
    cache = csv.parent / "cache"
    coarse, fine = make_encoder(), make_encoder()
    go(csv, coarse, "out", "slices", slice_step=12, cache=cache)
    go(csv, fine, "out", "slices", cache=cache)
    assert (sum(coarse.calls), sum(fine.calls)) == (2, 22)


def test_input_that_goes_away_while_it_is_read_is_read_from_the_scan(
    make_cohort: MakeCohort, make_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = make_cohort(1)
    cache = csv.parent / "cache"
    first = go(csv, make_encoder(), "first", "slices", slice_step=5, cache=cache)
    read, n_read = np.fromfile, 0

    def gone(path: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal n_read
        n_read += 1
        return read(path if n_read < 3 else "no such file", *arguments, **options)

    monkeypatch.setattr(np, "fromfile", gone)
    second = go(csv, make_encoder(), "second", "slices", slice_step=5, cache=cache)
    assert (n_read, second.n_embedded, second.n_failed) == (3, 1, 0)
    assert contents(csv, "second", second.set_id) == contents(csv, "first", first.set_id)
