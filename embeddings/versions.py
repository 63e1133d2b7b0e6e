"""Which versions of this program, Python and the libraries are installed, found without importing any of them."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PRODUCT = "flexict-phenotype-explorer"
# Those that decide a vector.
REQUIRED = ("torch", "duckdb", "SimpleITK", "pydicom", "nibabel", "numpy", "pandas", "pyarrow", "isal")
OPTIONAL = ("ray", "openvino", "anndata")


def versions(required: Iterable[str] = REQUIRED, optional: Iterable[str] = OPTIONAL) -> dict[str, str | None]:
    """Version by name of Python, this program and libraries; None where one is not installed.

    Optional libraries that are not installed are left out.
    """
    found: dict[str, str | None] = {PRODUCT: _product_version(), "python": platform.python_version()}
    found |= {name: _version(name) for name in required}
    return found | {name: number for name in optional if (number := _version(name)) is not None}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _product_version() -> str | None:
    """As installed, or as the source tree says from which it runs."""
    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    if (installed := _version(PRODUCT)) is None and project.is_file():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    return installed
