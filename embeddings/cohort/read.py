"""The CSV contract: one row a scan, every bad row reported, the good ones ready to embed.

Roles (header spellings in `cohort_columns.ROLE_SPELLINGS`): case_id, patient_id, image_path, and optionally
mask_path, mask_label, seed_x / seed_y / seed_z (LPS mm) and stage. Every other column is a covariate. Text that looks
like a formula stays text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from embeddings.cohort.columns import Covariate, check_header, find_columns, parse_number, typed
from embeddings.cohort.images import MaskCheck, PathLocator, check_masks, read_headers
from embeddings.cohort.report import Case, CohortReport, Problem, validate_text
from embeddings.cohort.stages import column_notes, read_column
from embeddings.cohort.table import CohortError, Table, read_table
from embeddings.formatting import first_few
from embeddings.imaging.image_header import ImageError, ImageHeader
from embeddings.imaging.images import EXTENSIONS
from embeddings.imaging.masks.mask_labels import normal_label
from embeddings.missing_values import is_missing
from flexict.errors import FlexiCTError

__all__ = ["Case", "CohortError", "CohortReport", "Problem", "read_cohort", "validate_text"]

_LONGEST_ID = 200
_SEED = ("seed_x", "seed_y", "seed_z")


def read_cohort(
    path: Path,
    data_root: Path | None = None,
    mapping: Mapping[str, str | None] | None = None,
    check_images: bool = True,
    max_rows: int = 200_000,
    mask_label: str | None = None,
) -> CohortReport:
    """Read a cohort's CSV and report every bad row.

    Args:
        path: the CSV; relative image paths start at its folder.
        data_root: every image and mask must lie in it, symbolic links followed (default: the CSV's folder);
            relative paths that lead nowhere from the CSV's folder start here.
        mapping: role -> column, overriding the header spellings; None for a role without a column.
        check_images: read the headers of images and masks too, and the voxels of small masks.
        max_rows: longer files are refused.
        mask_label: number or name of the lesion in the masks of rows that give none themselves.

    Raises:
        CohortError: the file is not a CSV that can be read.
        FlexiCTError: an unknown role or column in `mapping`.
    """
    path = Path(path)
    table = read_table(path, max_rows)
    if data_root is not None and not Path(data_root).is_dir():
        raise CohortError(f"the data root {data_root} is no folder: give the folder that holds the images")
    columns, notes = find_columns(table.header, mapping)
    check_header(path.name, table.header, columns)
    rows = _Rows(table, columns, PathLocator(path.parent, data_root))
    for note in (*table.notes, *notes):
        rows.warn(note)
    rows.check_columns()
    rows.check_identity()
    rows.check_files()
    rows.read_mask_labels(mask_label)
    rows.check_seeds()
    stage_order = rows.check_stages()
    rows.check_repeats()
    if check_images:
        rows.check_headers()
    covariates, covariate_types, covariate_missing = rows.covariates()
    return CohortReport(
        path=path,
        data_root=rows.locator.root,
        n_rows=len(table.rows),
        columns=rows.columns,
        cases=rows.cases(covariates),
        problems=tuple(sorted(rows.problems, key=lambda problem: problem.row or 0)),
        covariate_types=covariate_types,
        covariate_missing=covariate_missing,
        stage_order=tuple(stage_order),
    )


@dataclass
class _Row:
    """One row while it is checked; what is None is missing or wrong."""

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


@dataclass
class _Rows:
    """The rows of one table, and the checks that each adds what it finds to `problems`."""

    table: Table
    columns: dict[str, str]
    locator: PathLocator
    problems: list[Problem] = field(default_factory=list)
    rows: list[_Row] = field(init=False)

    def __post_init__(self) -> None:
        self.rows = [_Row(number, cells) for number, cells in self.table.rows]
        self._at = {name: position for position, name in enumerate(self.table.header)}
        for row in self.rows:
            if row.number in self.table.ragged:
                n_cells, n_columns = self.table.ragged[row.number], len(self.table.header)
                self._fail(
                    row,
                    None,
                    f"has {n_cells} cells where the header has {n_columns}: quote text that holds commas",
                )

    def warn(self, reason: str, column: str | None = None) -> None:
        """Add a warning about the file."""
        self.problems.append(Problem(None, None, column, "warning", reason))

    def check_columns(self) -> None:
        """The columns that a cohort needs."""
        if "image_path" not in self.columns:
            reason = f"no image column: add image_path, or map one of the columns ({first_few(self.table.header, 12)})"
            self.problems.append(Problem(None, None, None, "error", reason))
        if "patient_id" not in self.columns:
            self.warn("no patient column: each case counts as a patient of its own; map one if patients repeat")
        seeds = [role for role in _SEED if role in self.columns]
        if 0 < len(seeds) < len(_SEED):
            self.warn(f"only {' and '.join(seeds)} of the seed's three columns are there: seeds are not read")
            for role in seeds:
                del self.columns[role]

    def check_identity(self) -> None:
        """Case and patient of each row."""
        names = self._case_names()
        first_row: dict[str, int] = {}
        for row, name in zip(self.rows, names, strict=True):
            if row.failed:
                continue
            row.case_id = name
            reason = id_problem(name)
            if reason:
                row.case_id = name or None
                self._fail(row, "case_id", reason)
            elif name in first_row:
                self._fail(row, "case_id", f"the case id {name!r} is row {first_row[name]}'s already: make it unique")
            else:
                first_row[name] = row.number
            patient = self._cell(row, "patient_id")
            if "patient_id" not in self.columns:
                row.patient_id = row.case_id
            elif is_missing(patient):
                self._fail(row, "patient_id", "no patient: fill in the patient, whose scans must stay together")
            else:
                row.patient_id = patient
        patients = {row.patient_id for row in self.rows if row.patient_id}
        if "patient_id" in self.columns and len(patients) == 1 and len(self.rows) > 2:
            only = f"all rows name one patient ({patients.pop()!r}): no analysis can tell patients apart"
            self.warn(f"{only}; map the column that does", self.columns["patient_id"])

    def check_files(self) -> None:
        """Image and mask of each row: there, and inside the data root."""
        for row in self.rows:
            if row.failed and row.number in self.table.ragged:
                continue
            for role in ("image_path", "mask_path"):
                cell = self._cell(row, role)
                if role not in self.columns or (role == "mask_path" and is_missing(cell)):
                    continue
                if is_missing(cell):
                    self._fail(row, role, "no image: fill in the path of the scan")
                    continue
                try:
                    found = self.locator.locate(cell)
                except FlexiCTError as error:
                    self._fail(row, role, str(error))
                    continue
                if role == "image_path":
                    row.image = found
                else:
                    row.mask = found

    def read_mask_labels(self, otherwise: str | None) -> None:
        """Which label of its mask is each row's lesion, where the row or `otherwise` says so."""
        for row in self.rows:
            if row.mask is not None:
                cell = self._cell(row, "mask_label")
                row.mask_label = otherwise if is_missing(cell) else normal_label(cell, self.table.decimal_comma)

    def check_seeds(self) -> None:
        """Seeds are three numbers or nothing."""
        if not all(role in self.columns for role in _SEED):
            return
        for row in self.rows:
            cells = {role: self._cell(row, role) for role in _SEED}
            given = {role: text for role, text in cells.items() if not is_missing(text)}
            numbers = {role: parse_number(text, self.table.decimal_comma) for role, text in given.items()}
            wrong = [role for role, number in numbers.items() if number is None]
            if row.number in self.table.ragged or not given:
                continue
            if wrong:
                self._fail(row, wrong[0], f"{given[wrong[0]]!r} is no number: give the seed in LPS mm")
            elif len(given) < len(_SEED):
                lacking = " and ".join(role for role in _SEED if role not in given)
                self._fail(
                    row,
                    next(iter(given)),
                    f"half a seed, {lacking} is empty: give all three, in LPS mm, or none",
                )
            else:
                x, y, z = (number for number in numbers.values() if number is not None)
                row.seed = (x, y, z)

    def check_stages(self) -> list[str]:
        """Each row's stage, and the order of the stages met; a stage of unknown order stays as text."""
        if "stage" not in self.columns:
            return []
        header = self.columns["stage"]
        staged = [row for row in self.rows if row.number not in self.table.ragged]
        texts = [self.table.number_text(self._cell(row, "stage")) for row in staged]
        column = read_column(texts, header=header)
        for row, text, label in zip(staged, texts, column.labels, strict=True):
            row.stage = text if text in column.odd else label
            if text in column.odd and column.order:
                reason = column.mixed.get(text, f"unknown stage {text!r}")
                self._add(
                    row,
                    "stage",
                    "warning",
                    f"{reason}: kept as text and left out of the order of the stages; correct it where it is misspelt",
                )
        for note in column_notes(column):
            self.warn(note, header)
        return column.order

    def check_repeats(self) -> None:
        """One image in several rows: an error, unless the rows mark different lesions of one patient."""
        first: dict[Path, _Row] = {}
        for row in self.rows:
            if row.image is None:
                continue
            other = first.setdefault(row.image, row)
            if other is row:
                continue
            lesions = {(r.mask, r.mask_label, r.seed) for r in (row, other)}
            if row.patient_id != other.patient_id or len(lesions) == 1:
                self._fail(row, "image_path", f"the same image as row {other.number}: remove one of the rows")
            else:
                reason = f"the same image as row {other.number}, with another lesion: whole volumes will be alike"
                self._add(row, "image_path", "warning", reason)

    def check_headers(self) -> None:
        """Image and mask of each row are volumes, on one grid, as far as their headers tell."""
        headers = read_headers(row.image for row in self.rows if row.image is not None)
        images = [self._header(row, "image_path", row.image, headers) for row in self.rows]
        marked = [(row, row.mask, image) for row, image in zip(self.rows, images, strict=True) if row.mask is not None]
        found = check_masks([(mask, row.mask_label, image) for row, mask, image in marked])
        masks = {row.number: mask for (row, _, _), mask in zip(marked, found, strict=True)}
        for row, image in zip(self.rows, images, strict=True):
            if image and row.seed and not _holds(image, row.seed):
                x, y, z = row.seed
                self._fail(
                    row,
                    "seed_x",
                    f"the seed ({x:g}, {y:g}, {z:g}) lies outside the image: give it in LPS mm (x to the "
                    "left, y to the back, z up), not as voxel indices or in RAS",
                )
            mask = masks.get(row.number, MaskCheck())
            for note in mask.notes:
                self._add(row, "mask_path", "warning", note)
            if mask.problem is not None:
                self._fail(row, "mask_path", mask.problem)

    def covariates(self) -> tuple[list[dict[str, Covariate]], dict[str, str], dict[str, int]]:
        """Each row's covariates, the type of each column, and how many of its values are missing."""
        used = set(self.columns.values())
        names = [name for name in self.table.header if name not in used]
        values: dict[str, list[Covariate]] = {}
        types: dict[str, str] = {}
        for name in names:
            cells = [row.cells[self._at[name]] for row in self.rows]
            values[name], types[name] = typed(cells, self.table.decimal_comma)
        missing = {name: sum(value is None for value in column) for name, column in values.items()}
        per_row = [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]
        return per_row or [{} for _ in self.rows], types, missing

    def cases(self, covariates: list[dict[str, Covariate]]) -> tuple[Case, ...]:
        """The rows without an error."""
        return tuple(
            Case(
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
            for row, values in zip(self.rows, covariates, strict=True)
            if not row.failed and row.case_id and row.patient_id and row.image
        )

    def _case_names(self) -> list[str]:
        """The case column, or the names of the image files, with their folder where files are named alike."""
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

    def _header(
        self, row: _Row, role: str, path: Path | None, headers: Mapping[Path, ImageHeader | ImageError]
    ) -> ImageHeader | None:
        header = None if path is None else headers[path]
        if isinstance(header, ImageError):
            self._fail(row, role, str(header))
            return None
        for note in () if header is None else header.notes:
            self._add(row, role, "warning", note)
        return header

    def _cell(self, row: _Row, role: str) -> str:
        return row.cells[self._at[self.columns[role]]] if role in self.columns else ""

    def _fail(self, row: _Row, role: str | None, reason: str) -> None:
        row.failed = True
        self._add(row, role, "error", reason)

    def _add(self, row: _Row, role: str | None, severity: Literal["error", "warning"], reason: str) -> None:
        column = self.columns.get(role) if role else None
        self.problems.append(Problem(row.number, row.case_id, column, severity, reason))


def _holds(image: ImageHeader, point_lps: tuple[float, float, float]) -> bool:
    """Whether an LPS point in mm lies in one of the image's voxels."""
    index = image.grid().index_of(point_lps)
    return bool((index >= -0.5).all() and (index <= np.array(image.shape_zyx) - 0.5).all())


def id_problem(name: str) -> str | None:
    """Why a text cannot be a case id, which becomes part of item ids such as `CASE/volume`."""
    if not name:
        return "no case id: fill in a name of its own for the scan"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name):
        return "the case id holds control characters: remove them"
    if "/" in name or "\\" in name or name in (".", ".."):
        return f"the case id {name!r} holds a slash or is a path: use letters, digits, - and _"
    if len(name) > _LONGEST_ID:
        return f"the case id has {len(name)} characters: use at most {_LONGEST_ID}"
    return None


def _stem(path: Path) -> str:
    extension = next((e for e in sorted(EXTENSIONS, key=len, reverse=True) if path.name.lower().endswith(e)), "")
    return path.name[: len(path.name) - len(extension)]
