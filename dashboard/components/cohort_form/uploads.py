"""Uploaded CSVs, stored in the workspace under a hash of their content, never under a path from the browser."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from flexict.errors import FlexiCTError

MAX_CSV_MB = 50
MAX_CSV_BYTES = MAX_CSV_MB * 1_000_000


def keep_csv(name: str, content: bytes, workspace: Path, title: str = "cohort") -> Path:
    """Write an uploaded CSV into the workspace and return its path, `uploads/HASH/TITLE/NAME.csv`.

    Args:
        name: as the browser sent it.
        content: bytes of the file.
        workspace: the app's own folder.
        title: folder of the CSV; names the cohort where the CSV is called just `cohort.csv`.

    Raises:
        FlexiCTError: if it is larger than 50 MB.
    """
    if len(content) > MAX_CSV_BYTES:
        raise FlexiCTError(f"{name} has {len(content) / 1e6:.0f} MB; a cohort CSV may have at most {MAX_CSV_MB} MB")
    folder = workspace / "uploads" / hashlib.sha256(content).hexdigest()[:16] / safe_stem(title)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{safe_stem(name)}.csv"
    if not path.exists():
        path.write_bytes(content)
    return path


def safe_stem(name: str) -> str:
    """A file stem of letters, digits, '-' and '_' from whatever the browser sent."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", Path(name).stem).strip("-")
    return stem[:60] or "cohort"
