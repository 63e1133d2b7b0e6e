"""`python -m dashboard report`: the figures, numbers and methods text of a cohort, without a screen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dashboard.report.arguments import add_arguments
from embeddings.exit_codes import run_command


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m dashboard", description="What a cohort file shows, as files.")
    sub = top.add_subparsers(required=True, metavar="COMMAND")
    report = sub.add_parser("report", help="write figure, panels, data, numbers and methods text of a cohort")
    add_arguments(report)
    report.set_defaults(command=_report)
    return top


def _report(arguments: argparse.Namespace) -> int:
    from dashboard.report.write import write_report

    print(write_report(arguments, say=lambda line: print(line, file=sys.stderr)))
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its status."""
    return run_command(parser().parse_args(words), when_interrupted="nothing was written")


if __name__ == "__main__":
    sys.exit(main())
