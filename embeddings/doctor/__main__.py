"""`python -m embeddings.doctor`: the same as `python -m embeddings doctor`, but starts even if that cannot.

It imports only Python's own libraries before it examines the others.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from embeddings.doctor.command import add_arguments, run_doctor


def main(words: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    command = argparse.ArgumentParser(prog="python -m embeddings.doctor", description="Check this machine.")
    add_arguments(command)
    return run_doctor(command.parse_args(words))


if __name__ == "__main__":
    # As for `python -m embeddings`, so that the self-test measures what a job would.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
