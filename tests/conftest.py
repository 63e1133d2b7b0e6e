"""Where the tests find data that is not part of the repository."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A test fails for what it finds, never for how long a busy machine took over it.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Streamlit puts the page that it runs in the place of `__main__`, which a process of a later test would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def parity() -> Path:
    """Folder of the published implementation's tensors; skips where it is absent."""
    folder = SHARED / "parity"
    if not folder.is_dir():
        pytest.skip(f"no parity tensors at {folder}")
    return folder


@pytest.fixture(scope="session")
def real_ct() -> Path:
    """Folder of real CTs; skips where it is absent."""
    folder = SHARED / "ct"
    if not folder.is_dir():
        pytest.skip(f"no real CT at {folder}")
    return folder
