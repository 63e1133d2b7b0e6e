"""Keeps the memory of one scan for the next, instead of returning it to the system and allocating it again.

A CT takes 150 MB several times over, and glibc maps blocks of that size newly each time, with a page fault every 4 KB:
about a tenth of the time of reading a scan. Meant for a program that only reads scans.
"""

from __future__ import annotations

import ctypes

# From glibc's malloc.h; parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST = 1 << 30


def keep_large_blocks() -> bool:
    """Make this process keep freed blocks of up to 1 GiB; False if the C library is not glibc.

    Memory stays at the peak that the run has reached anyway. Call this before threads are started: they then share one
    arena, because the arenas of threads cannot contain blocks of this size.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    settings = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST))
    return all(mallopt(name, value) == 1 for name, value in settings)
