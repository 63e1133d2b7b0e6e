"""Stores of several jobs become one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from embeddings.__main__ import main
from embeddings.records import EmbeddedItem, Failure, Thumbnail
from embeddings.store.merge import merge
from embeddings.store.store import Store, StoreError

Make = Callable[..., Any]


@pytest.fixture
def parts(copies: tuple[Path, Path], run_job: Make, identity: Make) -> tuple[Path, Path]:
    """Two stores of one cohort; each holds one case's lesion and slices."""
    for number, path in enumerate(copies):
        case, rng = f"c{number}", np.random.default_rng(number)
        for view in ("lesion", "slices"):
            vectors = rng.normal(size=(5, 6)).astype(np.float32)
            thumbnail = Thumbnail(b"png", "lung", 1.0, 0.0)
            items = [
                EmbeddedItem(f"{case}/{view}/{n}", case, vector, n, float(n), thumbnail)
                for n, vector in enumerate(vectors)
            ]
            run_job(path, identity(view=view), items, failures=[Failure(f"c{number + 2}", "read", "gone", stamp="s")])
    return copies


def content(store: Store) -> list[Any]:
    found: list[Any] = [store.cases(), store.lesions(), store.failures(), store.runs(), store.sets()]
    for set_id in store.sets()["set_id"]:
        ids, X = store.vectors(set_id)
        found += [pd.DataFrame(X, index=ids), store.items(set_id), store.completed(set_id)]
        found += [pd.Series(store.sources(set_id)), pd.Series(store.thumbnails(ids)).sort_index()]
    return found


def test_parts_become_one_store_and_merging_again_changes_nothing(parts: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "all.duckdb"
    assert main(["merge", str(out), *map(str, parts)]) == 0
    merged = Store(out)
    for part in map(Store, parts):
        for set_id in part.sets()["set_id"]:
            ids, X = part.vectors(set_id)
            all_ids, all_X = merged.vectors(set_id)
            np.testing.assert_array_equal(all_X[[all_ids.index(item) for item in ids]], X)
            assert set(part.sources(set_id)) <= set(merged.sources(set_id))
        pd.testing.assert_frame_equal(merged.cases(), part.cases())
    assert merged.sets()["n_items"].tolist() == [10, 10]
    assert sorted(merged.sets()["number_type"]) == ["float16", "float32"]
    assert (len(merged.lesions()), len(merged.failures()), len(merged.runs())) == (2, 4, 4)
    assert merged.failures()["stamp"].tolist() == ["s"] * 4
    before = content(merged)
    assert merge(out, parts).n_new == 0
    for one, other in zip(before, content(merged), strict=True):
        assert one.equals(other)


def test_another_vector_of_the_same_item_is_refused_by_its_case(parts: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = Store(parts[0]), Store(parts[1], read_only=False)
    set_id = one.sets()["set_id"][0]
    item = one.vectors(set_id)[0][0]
    other.commit(set_id, [EmbeddedItem(item, "c0", np.zeros(6, np.float32))])
    out = tmp_path / "all.duckdb"
    with pytest.raises(StoreError, match="case 'c0' has another vector in"):
        merge(out, parts)
    assert Store(out).vectors(set_id)[0] == one.vectors(set_id)[0]


def test_a_case_of_another_patient_is_refused(
    parts: tuple[Path, Path], cohort: Any, make_report: Make, tmp_path: Path
) -> None:
    changed = cohort.cases[0]
    changed.patient_id = "somebody else"
    Store(parts[1], read_only=False).register_cohort(make_report(cohort.path, [changed]))
    with pytest.raises(StoreError, match=r"case 'c0' of .* is another scan or patient"):
        merge(tmp_path / "all.duckdb", parts)
