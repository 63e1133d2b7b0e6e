"""What a report is asked for: the settings, which are the options of its command line too."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.data import defaults
from dashboard.data.staging import group_of, names_in
from embeddings.options import option, words_of
from flexict.errors import FlexiCTError

MAX_RESAMPLES = 100_000


def _names(help: str) -> Any:
    return option(help, (), parse=names_in, words=lambda names: [",".join(names)], metavar="A,B,C")


@dataclass(frozen=True)
class ReportSettings:
    """What a report contains; the text of each option describes its field.

    In Python, `order`, `covariates`, `baseline` and `compare` are tuples of names, and `groups` is a tuple of
    (name, its stages), lowest first; empty ones mean the default.
    """

    cohort: Path = option("the cohort file", flag="cohort", metavar="FILE.duckdb")
    stage: str = option("column of the ordered stage or grade", metavar="COL")
    order: tuple[str, ...] = _names("stages or groups, lowest first (default: sorted by meaning)")
    groups: tuple[tuple[str, tuple[str, ...]], ...] = option(
        "stages taken together, such as Early=Tis,T1a,T1b; once per group, lowest first (default: no groups)",
        (),
        flag="--group",
        parse=lambda texts: tuple(map(group_of, texts)),
        words=lambda groups: [f"{name}={','.join(stages)}" for name, stages in groups],
        action="append",
        metavar="NAME=A,B",
    )
    size: str | None = option("column of the tumour size", None, metavar="COL")
    covariates: tuple[str, ...] = _names("columns regressed out of the vectors together with the size")
    baseline: tuple[str, ...] = _names("columns of the clinical baseline of the probe (default: the size)")
    time: str | None = option("column of the survival time", None, metavar="COL")
    event: str | None = option("column that is 1 where the event occurred and 0 where censored", None, metavar="COL")
    set_id: str | None = option("embedding set (default: the first of the file)", None, flag="--set", metavar="SET_ID")
    compare: tuple[str, ...] = option(
        "a further embedding set shown beside it; may be repeated",
        (),
        parse=lambda set_ids: tuple(dict.fromkeys(set_ids)),
        words=list,
        action="append",
        metavar="SET_ID",
    )
    selection: str | None = option(
        "analyse only the cases of this selection, which the cohort file keeps", None, metavar="NAME"
    )
    permutations: int = option(
        f"permutations of every test ({defaults.PERMUTATIONS})", defaults.PERMUTATIONS, metavar="N"
    )
    bootstrap: int = option(
        f"bootstrap samples of every interval ({defaults.BOOTSTRAP})", defaults.BOOTSTRAP, metavar="N"
    )
    seed: int = option(f"seed of the random numbers ({defaults.SEED})", defaults.SEED, metavar="N")

    def __post_init__(self) -> None:
        """Raises FlexiCTError on numbers out of range, and on a time without an event or the reverse."""
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


def command_line(settings: ReportSettings, out: Path | str) -> str:
    """The command that makes this report again, quoted for a shell."""
    return shlex.join(["python", "-m", "dashboard", "report", *words_of(settings), "--out", str(out)])
