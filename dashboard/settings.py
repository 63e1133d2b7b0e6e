"""How the app was started: `streamlit run dashboard/app.py -- --cohort FILE --workspace DIR --data-root DIR`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What the person who started the app allows.

    Attributes:
        cohort: cohort file to open first.
        workspace: folder in which uploads are kept and new cohort files are made.
        data_roots: folders below which CTs, CSVs and cohort files may be read.
        patience_s: how long a page waits for an analysis before it shows how far that is, so that what is quick does
            not flicker.
    """

    cohort: Path | None
    workspace: Path
    data_roots: tuple[Path, ...]
    patience_s: float = 0.5

    def allows(self, path: Path) -> bool:
        """Whether `path`, links followed, lies in the workspace or below a data root."""
        real = path.resolve()
        return any(real.is_relative_to(root) for root in (self.workspace, *self.data_roots))


def read_settings(arguments: Sequence[str]) -> Settings:
    """Settings from the words after `--`; without `--data-root` the home folder and the current one are allowed."""
    parser = argparse.ArgumentParser(prog="streamlit run dashboard/app.py --")
    parser.add_argument("--cohort", type=Path, help="cohort file (.duckdb) to open")
    parser.add_argument("--workspace", type=Path, default=Path("workspace"), help="where new cohort files are made")
    parser.add_argument("--data-root", type=Path, action="append", default=[], help="folder that may be read")
    options = parser.parse_args(list(arguments))
    roots = options.data_root or [Path.home(), Path.cwd()]
    cohort = options.cohort.resolve() if options.cohort else None
    if cohort is not None:
        roots = [*roots, cohort.parent]
    return Settings(cohort, options.workspace.resolve(), tuple(root.resolve() for root in roots))
