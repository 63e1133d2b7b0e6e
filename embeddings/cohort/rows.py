"""The rows of a CSV, checked role by role; cohorts of CTs and labels of imported vectors are both read by this."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embeddings.cohort.columns import Covariate, check_header, find_columns, parse_number, typed
from embeddings.cohort.images import PathLocator
from embeddings.cohort.report import CaseRow, Problem
from embeddings.cohort.stages import StageColumn, column_notes, read_column
from embeddings.cohort.table import Table
from embeddings.imaging.images import EXTENSIONS
from embeddings.imaging.masks.mask_labels import normal_label
from embeddings.missing_values import is_missing
from flexict.errors import FlexiCTError

_LONGEST_ID = 200
_SEED = ("seed_x", "seed_y", "seed_z")


@dataclass
class Row:
    """One row while it is checked; None means missing or wrong."""

    number: int
    cells: list[str]
    case_id: str | None = None
    patient_id: str | None = None
    image: Path | None = None
    mask: Path | None = None
    mask_label: str | None = None
    seed: tuple[float, float, float] | None = None
    stage: str | None = None
    failed: bool = False


class Rows:
    """The rows of one table; each check adds what it finds to `problems`.

    Attributes:
        columns: role -> header, for the roles that have a column.
        severity: of problems in a row's files and seed. An error excludes the row; after a warning the row is used
            without them.

    Raises:
        CohortError: the first row is data.
        FlexiCTError: an unknown role or column in `mapping`.
    """

    def __init__(
        self, path: Path, table: Table, mapping: Mapping[str, str | None] | None, data_root: Path | None = None
    ) -> None:
        self.table = table
        self.columns, notes = find_columns(table.header, mapping)
        check_header(path.name, table.header, self.columns)
        self.locator = PathLocator(path.parent, data_root)
        self.problems: list[Problem] = []
        self.severity: Literal["error", "warning"] = "error"
        self.rows = [Row(number, cells) for number, cells in table.rows]
        self._position = {name: position for position, name in enumerate(table.header)}
        for row in self.rows:
            if row.number in table.ragged:
                n_cells, n_columns = table.ragged[row.number], len(table.header)
                reason = f"has {n_cells} cells where the header has {n_columns}: put text with commas in quotes"
                self.report(row, None, reason)
        for note in (*table.notes, *notes):
            self.warn(note)

    def warn(self, reason: str, column: str | None = None) -> None:
        """Add a warning about the file."""
        self.problems.append(Problem(None, None, column, "warning", reason))

    def report(self, row: Row, role: str | None, reason: str, severity: Literal["error", "warning"] = "error") -> None:
        """Add a problem of a row; an error excludes the row."""
        row.failed = row.failed or severity == "error"
        column = self.columns.get(role) if role else None
        self.problems.append(Problem(row.number, row.case_id, column, severity, reason))

    def regular(self) -> list[Row]:
        """The rows with as many cells as the header."""
        return [row for row in self.rows if row.number not in self.table.ragged]

    def check_identity(self, unique: bool = True) -> None:
        """Read case and patient of each row; with `unique`, refuse rows of a case that an earlier row has."""
        first_row: dict[str, int] = {}
        if "patient_id" not in self.columns:
            self.warn("no patient column: each case counts as its own patient; map one if a patient has several scans")
        for row, name in zip(self.rows, self._case_names(), strict=True):
            if row.failed:
                continue
            row.case_id = name or None
            reason = id_problem(name)
            first = first_row.setdefault(name, row.number) if unique and reason is None else row.number
            if first != row.number:
                reason = f"the case id {name!r} is already in row {first}: make it unique"
            if reason:
                self.report(row, "case_id", reason)
            patient = self._cell(row, "patient_id")
            if "patient_id" not in self.columns:
                row.patient_id = row.case_id
            elif is_missing(patient):
                self.report(row, "patient_id", "no patient: fill in the patient, whose scans must stay together")
            else:
                row.patient_id = patient

    def check_files(self) -> None:
        """Find image and mask of each row inside the data root."""
        for row in self.regular():
            for role in ("image_path", "mask_path"):
                cell = self._cell(row, role)
                if role not in self.columns:
                    continue
                if is_missing(cell):
                    if role == "image_path" and self.severity == "error":
                        self.report(row, role, "no image: fill in the path of the scan")
                    continue
                try:
                    found = self.locator.locate(cell)
                except FlexiCTError as error:
                    self.report(row, role, str(error), self.severity)
                    continue
                if role == "image_path":
                    row.image = found
                else:
                    row.mask = found

    def read_mask_labels(self, default: str | None = None) -> None:
        """Which label of its mask is each row's lesion, by the row itself or by `default`."""
        for row in self.rows:
            # Labels of imported vectors may belong to masks that the store already has.
            if row.mask is not None or self.severity == "warning":
                cell = self._cell(row, "mask_label")
                row.mask_label = default if is_missing(cell) else normal_label(cell, self.table.decimal_comma)

    def check_seeds(self) -> None:
        """Read the seeds: three numbers or nothing."""
        present = [role for role in _SEED if role in self.columns]
        if len(present) < len(_SEED):
            if present:
                self.warn(f"only {' and '.join(present)} of the three seed columns found: seeds are not read")
            for role in present:
                del self.columns[role]
            return
        for row in self.regular():
            cells = {role: self._cell(row, role) for role in _SEED}
            given = {role: text for role, text in cells.items() if not is_missing(text)}
            numbers = {role: parse_number(text, self.table.decimal_comma) for role, text in given.items()}
            wrong = [role for role, number in numbers.items() if number is None]
            if not given:
                continue
            if wrong:
                self.report(
                    row, wrong[0], f"{given[wrong[0]]!r} is not a number: give the seed in LPS mm", self.severity
                )
            elif len(given) < len(_SEED):
                lacking = " and ".join(role for role in _SEED if role not in given)
                reason = f"incomplete seed, {lacking} is empty: give all three in LPS mm, or none"
                self.report(row, next(iter(given)), reason, self.severity)
            else:
                x, y, z = (number for number in numbers.values() if number is not None)
                row.seed = (x, y, z)

    def stage_column(self) -> StageColumn | None:
        """The stages of the regular rows, None where the table has no column of them."""
        if "stage" not in self.columns:
            return None
        texts = [self.table.number_text(self._cell(row, "stage")) for row in self.regular()]
        return read_column(texts, header=self.columns["stage"])

    def use_stages(self, column: StageColumn) -> None:
        """Give each row its stage of `stage_column`, one without a known order as text."""
        for row, stage in zip(self.regular(), column.labels_or_text, strict=True):
            row.stage = stage
        for note in column_notes(column):
            self.warn(note, self.columns["stage"])

    def covariates(self) -> tuple[list[dict[str, Covariate]], dict[str, str], dict[str, int]]:
        """Each row's covariates, the type of each column, and how many of its values are missing."""
        used = set(self.columns.values())
        names = [name for name in self.table.header if name not in used]
        values: dict[str, list[Covariate]] = {}
        types: dict[str, str] = {}
        for name in names:
            cells = [row.cells[self._position[name]] for row in self.rows]
            values[name], types[name] = typed(cells, self.table.decimal_comma)
        missing = {name: sum(value is None for value in column) for name, column in values.items()}
        per_row = [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]
        return per_row or [{} for _ in self.rows], types, missing

    def cases(self, covariates: list[dict[str, Covariate]]) -> Iterator[CaseRow]:
        """The rows without an error."""
        for row, values in zip(self.rows, covariates, strict=True):
            if not row.failed and row.case_id and row.patient_id:
                yield CaseRow(
                    row.number,
                    row.case_id,
                    row.patient_id,
                    row.image,
                    row.mask,
                    row.seed,
                    row.stage,
                    values,
                    mask_label=row.mask_label,
                )

    def _case_names(self) -> list[str]:
        """The case column, or the names of the image files, with their folder where names repeat."""
        if "case_id" in self.columns:
            return ["" if is_missing(self._cell(row, "case_id")) else self._cell(row, "case_id") for row in self.rows]
        if "image_path" not in self.columns:
            return [f"row {row.number}" for row in self.rows]
        self.warn("no case column: cases are named after their image files")
        paths = [Path(self._cell(row, "image_path").replace("\\", "/")) for row in self.rows]
        stems = [_stem(path) for path in paths]
        if len(set(stems)) == len(set(paths)):
            return stems
        return [f"{path.parent.name}_{stem}".lstrip("_") for path, stem in zip(paths, stems, strict=True)]

    def _cell(self, row: Row, role: str) -> str:
        return row.cells[self._position[self.columns[role]]] if role in self.columns else ""


def id_problem(name: str) -> str | None:
    """Why a text cannot be a case id, which becomes part of item ids such as `CASE/volume`; None where it can."""
    if not name:
        return "no case id: give each scan its own id"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name):
        return "the case id contains control characters: remove them"
    if "/" in name or "\\" in name or name in (".", ".."):
        return f"the case id {name!r} contains a slash or is a path: use letters, digits, - and _"
    if len(name) > _LONGEST_ID:
        return f"the case id has {len(name)} characters: use at most {_LONGEST_ID}"
    return None


def _stem(path: Path) -> str:
    extension = next((e for e in sorted(EXTENSIONS, key=len, reverse=True) if path.name.lower().endswith(e)), "")
    return path.name[: len(path.name) - len(extension)]
