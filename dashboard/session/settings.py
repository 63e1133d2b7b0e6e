"""How the app was started: `streamlit run dashboard/app.py -- --cohort FILE --workspace DIR --data-root DIR`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_CT_MB = 500


@dataclass(frozen=True)
class Settings:
    """What whoever started the app allows.

    Attributes:
        cohort: cohort file to open at the start.
        workspace: folder for this session's uploads and new cohort files.
        data_roots: folders below which CTs, CSVs and cohort files may be read.
        patience_s: how long a page waits for an analysis before it shows a progress bar, so that a short one does not
            flicker.
        workspaces: the folder with the workspaces of all users, where there are several.
        several_users: each browser has a workspace of its own, even if the app listens on this machine only.
        require_sign_in: show nothing to users who are not signed in.
        max_ct_mb: size of the largest CT that may be uploaded to be looked up.
    """

    cohort: Path | None
    workspace: Path
    data_roots: tuple[Path, ...]
    patience_s: float = 0.5
    workspaces: Path | None = None
    several_users: bool = False
    require_sign_in: bool = False
    max_ct_mb: int = MAX_CT_MB

    def allows(self, path: Path) -> bool:
        """Whether `path`, links followed, is in the workspace or below a data root and not in another user's folder."""
        real = path.resolve()
        if real == self.cohort:
            return True
        if self.workspaces is not None and real.is_relative_to(self.workspaces):
            # A data root may contain the workspace.
            return real.is_relative_to(self.workspace)
        return any(real.is_relative_to(root) for root in (self.workspace, *self.data_roots))


def settings_parser(prog: str, parents: Sequence[argparse.ArgumentParser] = ()) -> argparse.ArgumentParser:
    """The options of the app for the command `prog`, in addition to those of `parents`."""
    parser = argparse.ArgumentParser(prog=prog, parents=list(parents))
    parser.add_argument("--cohort", type=Path, help="cohort file (.duckdb) to open")
    parser.add_argument("--workspace", type=Path, default=Path("workspace"), help="where new cohort files are made")
    parser.add_argument("--data-root", type=Path, action="append", default=[], help="folder that may be read")
    parser.add_argument("--several-users", action="store_true", help="a workspace for each browser, also on localhost")
    parser.add_argument("--require-sign-in", action="store_true", help="show nothing before a sign-in (OpenID Connect)")
    parser.add_argument(
        "--max-ct-mb", type=int, default=MAX_CT_MB, metavar="MB", help=f"largest CT to look up ({MAX_CT_MB})"
    )
    return parser


def read_settings(arguments: Sequence[str]) -> Settings:
    """Settings from the arguments after `--`. Without `--data-root`, the home and the current folder are allowed."""
    parser = settings_parser("streamlit run dashboard/app.py --")
    options = parser.parse_args(list(arguments))
    if options.max_ct_mb < 1:
        parser.error(f"--max-ct-mb must be 1 or more, not {options.max_ct_mb}")
    roots = options.data_root or [Path.home(), Path.cwd()]
    cohort = options.cohort.resolve() if options.cohort else None
    if cohort is not None:
        roots = [*roots, cohort.parent]
    return Settings(
        cohort,
        options.workspace.resolve(),
        tuple(root.resolve() for root in roots),
        several_users=options.several_users,
        require_sign_in=options.require_sign_in,
        max_ct_mb=options.max_ct_mb,
    )
