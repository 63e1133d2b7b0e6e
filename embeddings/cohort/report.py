"""The result of reading a cohort's CSV: its cases and its problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from embeddings.cohort.columns import Covariate
from embeddings.formatting import counted

_MOST_SHOWN = 50
_WIDEST_CASE = 28


@dataclass(frozen=True)
class Problem:
    """A problem of a row or, where `row` is None, of the file.

    Attributes:
        row: as in a spreadsheet, where the header is row 1.
        column: the header of the column with the problem, where there is one.
        severity: an `error` excludes the row from embedding, a `warning` does not.
        reason: what is wrong and what to do.
    """

    row: int | None
    case_id: str | None
    column: str | None
    severity: Literal["error", "warning"]
    reason: str


@dataclass(frozen=True)
class CaseRow:
    """One row of the CSV: one scan of one patient, whose CT need not be known.

    Attributes:
        row: as in a spreadsheet, where the header is row 1.
        case_id: unique in the cohort.
        image_path, mask_path: real paths inside the data root; the image may be a DICOM folder.
        seed_lps: a point in the lesion, LPS mm.
        stage: its label in `CohortReport.stage_order`, the text of the cell where its place in the order is not known;
            None where unstaged.
        covariates: header -> value, typed by column; None where missing.
        mask_label: number or name of the lesion among the labels of its mask; None where it is the only one.
    """

    row: int
    case_id: str
    patient_id: str
    image_path: Path | None
    mask_path: Path | None
    seed_lps: tuple[float, float, float] | None
    stage: str | None
    covariates: Mapping[str, Covariate]
    mask_label: str | None = None


@dataclass(frozen=True)
class Case(CaseRow):
    """A row with a CT, ready to embed."""

    image_path: Path


@dataclass(frozen=True)
class CohortReport:
    """The content of a cohort's CSV.

    Attributes:
        n_rows: rows below the header that are not blank.
        columns: role -> header, for the roles that have a column.
        cases: the rows without an error, in the file's order.
        covariate_types: header -> `integer`, `number`, `boolean`, `text` or `empty`.
        covariate_missing: header -> rows without a value, blank or with a marker such as `NA` or `Unknown`.
        stage_order: labels found in the stage column, lowest first; empty where no order is known.
    """

    path: Path
    data_root: Path
    n_rows: int
    columns: dict[str, str]
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    covariate_types: dict[str, str]
    covariate_missing: dict[str, int]
    stage_order: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings may remain."""
        return not any(problem.severity == "error" for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON; paths as text."""
        return {
            "path": str(self.path),
            "data_root": str(self.data_root),
            "ok": self.ok,
            "n_rows": self.n_rows,
            "n_cases": len(self.cases),
            "n_patients": len({case.patient_id for case in self.cases}),
            "columns": dict(self.columns),
            "covariate_types": dict(self.covariate_types),
            "covariate_missing": dict(self.covariate_missing),
            "stage_order": list(self.stage_order),
            "stage_counts": self.stage_counts(),
            "problems": [vars(problem) for problem in self.problems],
            "cases": [_case_dict(case) for case in self.cases],
        }

    def covariate_words(self, header: str) -> str:
        """The column with its type, and how many of its values are missing, such as `age (integer, 3 missing)`."""
        missing = self.covariate_missing[header]
        kind = self.covariate_types[header]
        return f"{header} ({kind}{f', {missing:,} missing' if missing and kind != 'empty' else ''})"

    def stage_counts(self) -> dict[str, int]:
        """Cases at each stage in order, then at stages of unknown order, then the unstaged under ``."""
        found = Counter(case.stage for case in self.cases)
        others = sorted({stage for stage in found if stage is not None} - set(self.stage_order))
        counts = {stage: found[stage] for stage in (*self.stage_order, *others) if found[stage]}
        return counts | ({"": found[None]} if found[None] else {})

    def summary(self) -> str:
        """One or two sentences: rows, cases that can be embedded, patients, masks, stages, problems."""
        errors = {p.row for p in self.problems if p.severity == "error" and p.row is not None}
        patients = len({case.patient_id for case in self.cases})
        n_masks = sum(case.mask_path is not None for case in self.cases)
        n_seeds = sum(case.seed_lps is not None for case in self.cases)
        parts = [
            f"{len(self.cases)} of {counted(self.n_rows, 'row')} can be embedded ({counted(patients, 'patient')}, "
            f"{counted(n_masks, 'mask')}, {counted(n_seeds, 'seed')}); {len(errors)} "
            f"row{'s have' if len(errors) != 1 else ' has'} errors."
        ]
        if any(case.stage for case in self.cases):
            counts = (f"{stage or 'unstaged'} {n}" for stage, n in self.stage_counts().items())
            parts.append(printable(f"Stage ({self.columns['stage']}): {', '.join(counts)}."))
        return " ".join(parts)


def validate_text(report: CohortReport) -> str:
    """The report for a terminal: the columns, the problems by row, and what will be embedded."""
    roles = printable(", ".join(f"{role} = {header}" for role, header in report.columns.items()))
    lines = [f"{report.path.name}: {counted(report.n_rows, 'row')}", f"columns: {roles or 'none recognised'}"]
    if report.covariate_types:
        lines.append(printable("covariates: " + ", ".join(map(report.covariate_words, report.covariate_types))))
    for severity in ("error", "warning"):
        found = [problem for problem in report.problems if problem.severity == severity]
        if found:
            lines += ["", counted(len(found), severity)]
            lines += _problem_table(found[:_MOST_SHOWN])
        if len(found) > _MOST_SHOWN:
            lines.append(f"... and {len(found) - _MOST_SHOWN} more; the JSON report lists all")
    return "\n".join([*lines, "", report.summary()])


def _problem_table(problems: list[Problem]) -> list[str]:
    cells = [("row", "case", "column", "what is wrong")]
    for problem in problems:
        case = problem.case_id or ""
        short = case if len(case) <= _WIDEST_CASE else case[: _WIDEST_CASE - 3] + "..."
        row = "file" if problem.row is None else str(problem.row)
        cells.append((row, printable(short), printable(problem.column or ""), printable(problem.reason)))
    widths = [max(len(line[column]) for line in cells) for column in range(3)]
    return ["  " + "  ".join([*(c.ljust(w) for c, w in zip(line[:3], widths, strict=True)), line[3]]) for line in cells]


def printable(text: str) -> str:
    """The text with control characters as escapes, so that data cannot control a terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _case_dict(case: Case) -> dict[str, Any]:
    return vars(case) | {
        "image_path": str(case.image_path),
        "mask_path": None if case.mask_path is None else str(case.mask_path),
        "seed_lps": None if case.seed_lps is None else list(case.seed_lps),
        "covariates": dict(case.covariates),
    }
