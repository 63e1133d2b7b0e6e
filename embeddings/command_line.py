"""What every program of this project does with one command."""

from __future__ import annotations

import argparse
import sys

INTERRUPTED = 130


def run_command(arguments: argparse.Namespace, *, when_interrupted: str) -> int:
    """The status of `arguments.command`; what the user can mend is one sentence on standard error, with status 2."""
    try:
        status: int = arguments.command(arguments)
    except (ValueError, OSError) as error:
        # Every refusal of these programs is a ValueError whose message is a sentence for its user.
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"interrupted; {when_interrupted}", file=sys.stderr)
        return INTERRUPTED
    return status
