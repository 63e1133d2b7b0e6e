"""What a report is asked for: the settings, which are the options of its command line too."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from dashboard.data import defaults
from dashboard.data.staging import group_of, names_in
from embeddings.options import option, words_of
from flexict.errors import FlexiCTError

MAX_RESAMPLES = 100_000
_NAMES = {"parse": names_in, "words": lambda names: [",".join(names)], "default": (), "metavar": "A,B,C"}


@dataclass(frozen=True)
class ReportSettings:
    """What a report contains; the text of each option describes its field.

    In Python, `order`, `covariates`, `baseline` and `compare` are tuples of names, and `groups` is a tuple of
    (name, its stages), lowest first; empty ones mean the default.
    """

    cohort: Path = option("cohort", "the cohort file", type=Path, metavar="FILE.duckdb")
    stage: str = option("--stage", "column of the ordered stage or grade", metavar="COL")
    order: tuple[str, ...] = option("--order", "stages or groups, lowest first (default: sorted by meaning)", **_NAMES)
    groups: tuple[tuple[str, tuple[str, ...]], ...] = option(
        "--group",
        "stages taken together, such as Early=Tis,T1a,T1b; repeat it for each group, lowest first (default: every "
        "stage by itself)",
        default=(),
        parse=lambda texts: tuple(map(group_of, texts)),
        words=lambda groups: [f"{name}={','.join(stages)}" for name, stages in groups],
        action="append",
        metavar="NAME=A,B",
    )
    size: str | None = option("--size", "column of the tumour size", default=None, metavar="COL")
    covariates: tuple[str, ...] = option(
        "--covariates", "columns regressed out of the vectors together with the size", **_NAMES
    )
    baseline: tuple[str, ...] = option(
        "--baseline", "columns of the clinical baseline of the probe (default: the size)", **_NAMES
    )
    time: str | None = option("--time", "column of the survival time", default=None, metavar="COL")
    event: str | None = option(
        "--event", "column that is 1 where the event was seen and 0 where censored", default=None, metavar="COL"
    )
    set_id: str | None = option(
        "--set", "embedding set (default: the first of the file)", default=None, metavar="SET_ID"
    )
    compare: tuple[str, ...] = option(
        "--compare",
        "a further embedding set shown beside it; may be repeated",
        default=(),
        parse=lambda set_ids: tuple(dict.fromkeys(set_ids)),
        words=list,
        action="append",
        metavar="SET_ID",
    )
    selection: str | None = option(
        "--selection",
        "analyse only the cases of this selection, which the cohort file keeps",
        default=None,
        metavar="NAME",
    )
    permutations: int = option(
        "--permutations",
        f"permutations of every test ({defaults.PERMUTATIONS})",
        default=defaults.PERMUTATIONS,
        type=int,
        metavar="N",
    )
    bootstrap: int = option(
        "--bootstrap",
        f"bootstrap samples of every interval ({defaults.BOOTSTRAP})",
        default=defaults.BOOTSTRAP,
        type=int,
        metavar="N",
    )
    seed: int = option(
        "--seed", f"of the random numbers ({defaults.SEED})", default=defaults.SEED, type=int, metavar="N"
    )

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
