"""Keeps the memory of one scan for the next, instead of giving it back to the system and asking for it again.

A CT takes 150 MB several times over, and glibc maps blocks of that size anew every time, which costs a page fault every
4 KB: about a tenth of the time of reading a scan. For a program that does nothing but read scans.
"""

from __future__ import annotations

import ctypes

# From glibc's malloc.h; parameters of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST = 1 << 30


def keep_large_blocks() -> bool:
    """Have this process keep blocks of up to 1 GiB once freed; False where the C library is not glibc.

    Memory stays at the peak that the run has reached anyway. Call it before threads are started: they share one
    arena, for those of threads cannot hold blocks of this size.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    settings = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST))
    return all(mallopt(name, value) == 1 for name, value in settings)
