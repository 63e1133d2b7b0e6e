"""Which versions of Python and of the libraries that decide a vector are installed, without importing any."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PRODUCT = "flexict-phenotype-explorer"
REQUIRED = ("torch", "duckdb", "SimpleITK", "pydicom", "nibabel", "numpy", "pandas", "pyarrow", "isal")
OPTIONAL = ("ray", "openvino", "anndata")


def versions() -> dict[str, str | None]:
    """Version by name of Python, this product and its libraries; None where one is not installed.

    Optional libraries that are not installed are left out. So is the product where it runs from its source folder.
    """
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in (PRODUCT, *REQUIRED, *OPTIONAL):
        installed = _version(name)
        if installed is not None or name in REQUIRED:
            found[name] = installed
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
