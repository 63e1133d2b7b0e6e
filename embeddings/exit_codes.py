"""How every program of this project runs one command, and what its exit codes mean to a scheduler.

The codes are those of `python -m embeddings embed`; other commands use the same numbers for the same things.
`validate` has its own (see `embeddings.cli.commands.run_validate`).
"""

from __future__ import annotations

import argparse
import errno
import sys

from flexict.errors import FlexiCTError

DONE = 0
"""Everything requested is there."""
NOTHING_DONE = 1
"""The command was valid, but nothing could be embedded: look at the reasons before running it again."""
WRONG_INPUT = 2
"""The command or its input is wrong: running it again fails again. argparse uses this code too."""
SOME_FAILED = 3
"""Finished, but some scans or rows of the CSV have no vector; the store has the reasons."""
TEMPORARY = 75
"""A passing failure of the machine (file in use, disk full, folder gone): run it again later. `EX_TEMPFAIL` of BSD's
sysexits.h, as mail systems and schedulers understand it."""
INTERRUPTED = 130
"""Ctrl-C or SIGTERM: run it again to continue. A shell reports 128 + SIGINT (2) for such a program."""

# A full disk, and the errors of a network folder that is lost.
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
    """The exit code of `arguments.command`; what the user can correct is one sentence on standard error."""
    try:
        status: int = arguments.command(arguments)
    except (FlexiCTError, OSError) as error:
        # Anything else is a bug and keeps its traceback.
        sentence = " ".join(str(error).split()).encode(errors="backslashreplace").decode()  # names need not be UTF-8
        print(f"error: {sentence}", file=sys.stderr)
        return exit_code_of_error(error)
    except KeyboardInterrupt as error:
        print(f"interrupted; {when_interrupted}", file=sys.stderr)
        return exit_code_of_error(error)
    return status


def exit_code_of_error(error: BaseException) -> int:
    """The exit code of a command that this error ended; for a bug 1, which is Python's own."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if not isinstance(error, FlexiCTError | OSError):
        return 1
    return TEMPORARY if is_temporary(error) else WRONG_INPUT


def is_temporary(error: BaseException) -> bool:
    """Whether the same command may succeed later.

    It may if the error, or one that it was raised from, has an attribute `temporary` that is true or an error number of
    the operating system that means so.
    """
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "temporary", False) is True:
            return True
        if isinstance(seen, OSError) and seen.errno in _PASSING:
            return True
        seen = seen.__cause__
    return False
