"""Whether a process that left its number somewhere is still there."""

from __future__ import annotations

import os


def is_alive(pid: int) -> bool:
    """Whether this host has a process of that number; it may be another one by now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
