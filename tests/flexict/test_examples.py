"""The examples in the docstrings of flexict run and give what they show."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import flexict

PACKAGE = Path(flexict.__file__).parent
MODULES = sorted(
    "flexict." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def test_every_part_has_an_example() -> None:
    parts = {name.split(".")[1] for name in MODULES}
    assert parts >= {"volume", "kinds", "presets", "model", "hub", "text", "phantoms"}


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_give_what_they_show(module: str) -> None:
    results = doctest.testmod(import_module(module))
    assert results.attempted > 0
    assert results.failed == 0
