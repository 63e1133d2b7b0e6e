"""How a setting moves over a run."""

from __future__ import annotations

import math


def cosine(start: float, end: float, progress: float) -> float:
    """Cosine from `start` at progress 0 to `end` at 1."""
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, progress))) / 2
