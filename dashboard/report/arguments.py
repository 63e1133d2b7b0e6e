"""What a report is asked for: the settings, the command line that gives them, and back again."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path

from dashboard.data import defaults
from dashboard.data.staging import group_of, names_in
from flexict.errors import FlexiCTError

MAX_RESAMPLES = 100_000


@dataclass(frozen=True)
class ReportSettings:
    """What a report is made of.

    Attributes:
        cohort: the cohort file (`.duckdb`).
        stage: column of the ordered stage.
        order: stages (or groups) lowest first; empty to sort by meaning.
        groups: (name, its stages) lowest first; empty to take every stage by itself.
        size: column of the tumour size, or None.
        covariates: columns regressed out of the vectors together with the size.
        baseline: columns of the clinical baseline of the probe; the size where empty.
        time, event: columns of the survival time and of the event (1) or censoring (0).
        set_id: embedding set; the first of the file where None.
        compare: further embedding sets, shown beside it.
        selection: name of a selection that the cohort file keeps; its cases alone are analysed.
        permutations, bootstrap, seed: of every test and interval.
    """

    cohort: Path
    stage: str
    order: tuple[str, ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    size: str | None = None
    covariates: tuple[str, ...] = ()
    baseline: tuple[str, ...] = ()
    time: str | None = None
    event: str | None = None
    set_id: str | None = None
    compare: tuple[str, ...] = ()
    selection: str | None = None
    permutations: int = defaults.PERMUTATIONS
    bootstrap: int = defaults.BOOTSTRAP
    seed: int = defaults.SEED

    def __post_init__(self) -> None:
        """Raises ValueError on numbers out of range, and on a time without an event or an event without a time."""
        for name, value, least in (
            ("--permutations", self.permutations, 19),
            ("--bootstrap", self.bootstrap, 19),
            ("--seed", self.seed, 0),
        ):
            if not least <= value <= MAX_RESAMPLES:
                raise FlexiCTError(f"{name} takes {least} to {MAX_RESAMPLES}, not {value}")
        if (self.time is None) != (self.event is None):
            given, other = ("--time", "--event") if self.time else ("--event", "--time")
            raise FlexiCTError(f"{given} was given without {other}: survival needs both columns, or neither")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `python -m dashboard report`."""
    command.add_argument("cohort", type=Path, metavar="FILE.duckdb")
    command.add_argument("--stage", required=True, metavar="COL", help="column of the ordered stage or grade")
    command.add_argument("--order", metavar="A,B,C", help="stages or groups, lowest first (default: they sort)")
    command.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="NAME=A,B",
        help="stages taken together, such as Early=Tis,T1a,T1b; once a group, lowest group first",
    )
    command.add_argument("--size", metavar="COL", help="column of the tumour size")
    command.add_argument("--covariates", metavar="a,b", help="columns accounted for besides the size")
    command.add_argument("--baseline", metavar="a,b", help="clinical baseline of the probe (default: the size)")
    command.add_argument("--time", metavar="COL", help="survival time")
    command.add_argument("--event", metavar="COL", help="1 where the event was seen, 0 where the case was censored")
    command.add_argument("--set", metavar="SET_ID", help="embedding set (default: the first of the file)")
    command.add_argument("--compare", action="append", default=[], metavar="SET_ID", help="a further set beside it")
    command.add_argument(
        "--selection", metavar="NAME", help="only the cases of a selection that the cohort file keeps under this name"
    )
    command.add_argument("--permutations", type=int, default=defaults.PERMUTATIONS, metavar="N")
    command.add_argument("--bootstrap", type=int, default=defaults.BOOTSTRAP, metavar="N")
    command.add_argument("--seed", type=int, default=defaults.SEED, metavar="N")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, new or of a report")


def settings_of(arguments: argparse.Namespace) -> ReportSettings:
    """The settings that parsed arguments give. Raises ValueError on a group that cannot be read."""
    return ReportSettings(
        cohort=arguments.cohort,
        stage=arguments.stage,
        order=names_in(arguments.order),
        groups=tuple(group_of(text) for text in arguments.group),
        size=arguments.size,
        covariates=names_in(arguments.covariates),
        baseline=names_in(arguments.baseline),
        time=arguments.time,
        event=arguments.event,
        set_id=arguments.set,
        compare=tuple(dict.fromkeys(arguments.compare)),
        selection=arguments.selection,
        permutations=arguments.permutations,
        bootstrap=arguments.bootstrap,
        seed=arguments.seed,
    )


def command_line(settings: ReportSettings, out: Path | str) -> str:
    """The command that makes this report again, quoted for a shell."""
    words = ["python", "-m", "dashboard", "report", str(settings.cohort), "--stage", settings.stage]
    for option, names in (("--order", settings.order), ("--covariates", settings.covariates)):
        words += [option, ",".join(names)] if names else []
    for name, stages in settings.groups:
        words += ["--group", f"{name}={','.join(stages)}"]
    words += ["--baseline", ",".join(settings.baseline)] if settings.baseline else []
    for option, value in (
        ("--size", settings.size),
        ("--time", settings.time),
        ("--event", settings.event),
        ("--set", settings.set_id),
        ("--selection", settings.selection),
    ):
        words += [option, value] if value else []
    for one in settings.compare:
        words += ["--compare", one]
    words += ["--permutations", str(settings.permutations), "--bootstrap", str(settings.bootstrap)]
    words += ["--seed", str(settings.seed), "--out", str(out)]
    return shlex.join(words)
