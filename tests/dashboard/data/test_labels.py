"""The classes of a column: in their order, together from a cut on, or without an order."""

from __future__ import annotations

import pandas as pd

from dashboard.data.labels import labels_of

FRAME = pd.DataFrame({"stage": ["T2", "T1", None, "T3"], "histology": ["squamous", None, "other", "other"]})


def test_stages_sort_in_their_order_and_a_missing_one_is_none() -> None:
    labels = labels_of(FRAME, "stage")
    assert [None if one is None else str(one) for one in labels] == ["T2", "T1", None, "T3"]
    assert [str(one) for one in sorted(one for one in labels if one is not None)] == ["T1", "T2", "T3"]


def test_a_cut_names_both_groups_by_their_stages() -> None:
    labels = labels_of(FRAME, "stage", "T2")
    assert [None if one is None else str(one) for one in labels] == ["T2 to T3", "T1", None, "T2 to T3"]
    assert min(one for one in labels if one is not None).name == "T1"


def test_classes_without_an_order_are_text() -> None:
    assert labels_of(FRAME, "histology").tolist() == ["squamous", None, "other", "other"]
