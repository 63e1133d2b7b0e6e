"""Classes that know their order."""

from __future__ import annotations

from embeddings.analysis import StageLabel


def test_stage_labels_sort_by_code_and_read_as_names() -> None:
    labels = [StageLabel(1, "T10"), StageLabel(0, "T2")]
    assert [str(one) for one in sorted(labels)] == ["T2", "T10"]
