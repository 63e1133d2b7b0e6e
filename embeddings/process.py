"""Whether a process is still running."""

from __future__ import annotations

import os


def is_alive(pid: int) -> bool:
    """Whether this host has a process with this id, which may be another one by now."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
