"""`python -m dashboard report`: the figures, numbers and methods text of a cohort as files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dashboard.report.arguments import ReportSettings
from embeddings.exit_codes import run_command
from embeddings.options import add_options, settings_from


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m dashboard", description="Analyses of a cohort, written as files.")
    sub = top.add_subparsers(required=True, metavar="COMMAND")
    report = sub.add_parser("report", help="write the figure, panels, data, numbers and methods text of a cohort")
    add_options(report, ReportSettings)
    report.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder, new or of an earlier report")
    report.set_defaults(command=_report)
    return top


def _report(arguments: argparse.Namespace) -> int:
    from dashboard.report.write import write_report

    settings = settings_from(ReportSettings, arguments)
    print(write_report(settings, arguments.out, say=lambda line: print(line, file=sys.stderr)))
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its status."""
    return run_command(parser().parse_args(words), when_interrupted="nothing was written")


if __name__ == "__main__":
    sys.exit(main())
