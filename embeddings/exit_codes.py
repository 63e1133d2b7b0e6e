"""What every program of this project does with one command, and what its exit code tells a scheduler.

The codes are those of `python -m embeddings embed`; other commands use the same numbers for the same things, and
`validate` says its own beside them.
"""

from __future__ import annotations

import argparse
import errno
import sys

from flexict.errors import FlexiCTError

DONE = 0
"""Everything that was asked for is there."""
NOTHING_DONE = 1
"""The command was right, but nothing could be embedded: see to the reasons before running it again."""
WRONG_INPUT = 2
"""The command or its input cannot be right: running it again gives the same. argparse ends with it too."""
SOME_FAILED = 3
"""Finished; some scans or rows of the CSV have no vector, with the reasons in the store."""
TEMPORARY = 75
"""The machine was not up to it (file in use, disk full, folder gone): run it again later. `EX_TEMPFAIL` of BSD's
sysexits.h, which mail systems and schedulers take for that."""
INTERRUPTED = 130
"""Ctrl-C or a request to end: run it again to go on. A shell gives 128 + SIGINT (2) to a program so ended."""

# A full disk, and the signs of a network folder that is lost.
_PASSING = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.ESTALE,
        errno.ENOTCONN,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
    )
)


def run_command(arguments: argparse.Namespace, *, when_interrupted: str) -> int:
    """The exit code of `arguments.command`; what the user can mend is one sentence on standard error."""
    try:
        status: int = arguments.command(arguments)
    except (FlexiCTError, OSError) as error:
        # Anything else is a fault of the program and keeps its traceback.
        sentence = " ".join(str(error).split()).encode(errors="backslashreplace").decode()  # names need not be UTF-8
        print(f"error: {sentence}", file=sys.stderr)
        return exit_code_of_error(error)
    except KeyboardInterrupt as error:
        print(f"interrupted; {when_interrupted}", file=sys.stderr)
        return exit_code_of_error(error)
    return status


def exit_code_of_error(error: BaseException) -> int:
    """The exit code of a command that this error ended; 1, as Python's own, where it is none of ours."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if not isinstance(error, FlexiCTError | OSError):
        return 1
    return TEMPORARY if is_temporary(error) else WRONG_INPUT


def is_temporary(error: BaseException) -> bool:
    """Whether the same command may succeed later: the error, or what it was raised from, says so.

    An error says so by an attribute `temporary` that is true, or by the number of the operating system.
    """
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "temporary", False) is True:
            return True
        if isinstance(seen, OSError) and seen.errno in _PASSING:
            return True
        seen = seen.__cause__
    return False
