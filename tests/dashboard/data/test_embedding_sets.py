"""Which sets belong together: the same lesions in crops of other sizes."""

from __future__ import annotations

import pandas as pd

from dashboard.data.embedding_sets import labels, linked


def sets(**changes: list[object]) -> pd.DataFrame:
    values: dict[str, object] = {
        "set_id": ["small", "large", "whole", "other weights", "other kind", "seed", "empty"],
        "encoder": ["flexict-3d"] * 7,
        "weights_sha256": ["a", "a", "a", "b", "a", "a", "a"],
        "view": ["lesion", "lesion", "volume", "lesion", "lesion", "lesion", "lesion"],
        "preset": [
            *("lesion_mask@1.5", "lesion_mask@2", "default", "lesion_mask@2"),
            *("lesion_mask@2", "lesion_seed@64mm", "lesion_mask@3"),
        ],
        "pooling": ["pooled", "pooled", "pooled", "pooled", "cls", "pooled", "pooled"],
        "code_version": ["1"] * 7,
        "n_items": [9, 9, 9, 9, 9, 9, 0],
    }
    return pd.DataFrame(values | changes)


def test_two_crops_of_one_encoder_are_linked_and_nothing_else() -> None:
    assert linked(sets(), "small") == ["large"]
    assert linked(sets(), "large") == ["small"]
    for alone in ("whole", "other weights", "other kind", "seed"):
        assert linked(sets(), alone) == []


def test_other_code_is_another_preset() -> None:
    assert linked(sets(code_version=["1", "2", *["1"] * 5]), "small") == []


def test_sets_that_would_read_alike_are_told_apart() -> None:
    rows = [
        ("a", "flexict-nano", "lesion", "lesion_mask@1.5", "pooled"),
        ("b", "flexict-nano", "lesion", "lesion_seed@64mm", "pooled"),
        ("c", "flexict-nano", "lesion", "lesion_seed@64mm", "cls"),
        ("d", "flexict-nano", "volume", "default", "pooled"),
    ]
    found = labels(pd.DataFrame(rows, columns=["set_id", "encoder", "view", "preset", "pooling"]))
    assert len(set(found.values())) == 4
    assert found["a"] == "Lesion crops · flexict-nano · lesion_mask@1.5"
    assert found["d"] == "Whole volumes · flexict-nano"
