"""The package's own names, and what it costs to import a part of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import flexict

ROOT = Path(__file__).resolve().parents[2]


def test_every_public_name_exists_and_is_listed() -> None:
    assert set(flexict.__all__) <= set(dir(flexict))
    from flexict.hub.encoders import load_encoder
    from flexict.hub.registry import REGISTRY
    from flexict.volume import Volume

    assert flexict.REGISTRY is REGISTRY
    assert flexict.load_encoder is load_encoder
    assert flexict.Volume is Volume
    for name in flexict.__all__:
        assert getattr(flexict, name) is not None


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'flexict' has no attribute 'nonsense'"):
        _ = flexict.nonsense  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="nonsense"):
        from flexict import nonsense  # type: ignore[attr-defined]  # noqa: F401


@pytest.mark.parametrize(
    "module", ["flexict.volume", "embeddings.__main__", "embeddings.cohort.read", "embeddings.store.status"]
)
def test_modules_without_a_network_do_not_load_torch(module: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print('torch' in sys.modules)"],
        capture_output=True,
        encoding="utf-8",
        cwd=ROOT,
        check=True,
    )
    assert found.stdout.strip() == "False"
