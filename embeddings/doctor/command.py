"""The command `doctor`: its arguments, its output and its exit code."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from embeddings.doctor.check import Check, text
from embeddings.doctor.examination import examine

NO_PROBLEM, HAS_PROBLEM = 0, 2


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument("--db", type=Path, metavar="FILE.duckdb", help="the store to embed into")
    command.add_argument("--data-root", type=Path, metavar="DIR", help="folder that contains every image")
    command.add_argument("--weights", metavar="FILE", help="file or folder of weights, as for embed")
    command.add_argument("--json", action="store_true", help="print it as JSON")


def run_doctor(arguments: argparse.Namespace) -> int:
    """Examine this machine: 0 without a problem, 2 if something prevents the job from working."""

    def working(check: Check) -> None:
        print(f"\r\x1b[K{check.name} ...", end="", file=sys.stderr, flush=True)

    show = working if sys.stderr.isatty() else lambda check: None
    checks = examine(arguments.db, arguments.data_root, arguments.weights, show)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(json.dumps([check.to_dict() for check in checks], indent=1) if arguments.json else text(checks))
    return HAS_PROBLEM if any(check.state == "problem" for check in checks) else NO_PROBLEM
