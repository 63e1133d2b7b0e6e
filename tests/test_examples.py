"""Every example in a docstring runs and gives what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WITH_EXAMPLES = sorted(
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for package in ("flexict", "embeddings", "dashboard")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_give_what_they_say(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


@pytest.mark.parametrize(
    "function",
    [
        "stage_gradient",
        "linear_probe",
        "shortcuts",
        "pseudotime",
        "along",
        "nearest",
        "evaluate",
        "by_score",
        "compare_sets",
        "project",
    ],
)
def test_every_analysis_has_an_example(function: str) -> None:
    import embeddings as emb

    assert ">>> " in (getattr(emb.analysis, function).__doc__ or "")
