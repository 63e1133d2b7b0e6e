"""What is known of cases whose vectors were made elsewhere: a CSV by the cohort's contract, but without need of CTs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embeddings.cohort.columns import Covariate, check_header, find_columns, parse_number, typed
from embeddings.cohort.images import PathLocator
from embeddings.cohort.read import id_problem
from embeddings.cohort.stages import column_notes, read_column
from embeddings.cohort.table import CohortError, Table
from embeddings.formatting import counted, first_few
from embeddings.imaging.masks.mask_labels import normal_label
from embeddings.missing_values import is_missing
from flexict.errors import FlexiCTError

_SEED = ("seed_x", "seed_y", "seed_z")


@dataclass(frozen=True)
class LabelledCase:
    """One row: what `embeddings.cohort.read.Case` holds, of a scan whose CT need not be known."""

    row: int
    case_id: str
    patient_id: str
    image_path: Path | None
    mask_path: Path | None
    seed_lps: tuple[float, float, float] | None
    stage: str | None
    covariates: dict[str, Covariate]
    mask_label: str | None = None


@dataclass(frozen=True)
class Labels:
    """A CSV of labels.

    Attributes:
        columns: role -> header, for the roles that have a column; covariates are the others.
        cases: the rows that can be used, in the file's order.
        stage_order: labels of their stages, lowest first; empty where no order is known.
        notes: what was assumed or left out, a sentence each.
    """

    path: Path
    columns: dict[str, str]
    cases: tuple[LabelledCase, ...]
    stage_order: tuple[str, ...]
    notes: tuple[str, ...]


def label_mapping(
    mapping: Mapping[str, str | None] | None, *, stage: str | None, patient: str | None
) -> dict[str, str | None]:
    """Role -> column, with the two roles that have options of their own.

    Raises:
        FlexiCTError: a role that is given twice, as two columns.
    """
    found = dict(mapping or {})
    for role, column in (("stage", stage), ("patient_id", patient)):
        if column is not None and found.setdefault(role, column) != column:
            raise FlexiCTError(f"the {role} is given as both {found[role]!r} and {column!r}: give it once")
    return found


def read_labels(path: Path, table: Table, mapping: Mapping[str, str | None], id_column: str) -> Labels:
    """The labels of a CSV that `read_table` has read.

    Args:
        mapping: role -> column, as for `read_cohort`; a stage that is named here is one, also where its
            order is not known.
        id_column: of the vectors; names the case here too unless `mapping` does, or no column is called so.

    Raises:
        CohortError: no column of case ids, a case twice, no row that can be used, a named stage without a value.
        FlexiCTError: an unknown role or column in `mapping`.
    """
    mapping = dict(mapping)
    if id_column in table.header:
        mapping.setdefault("case_id", id_column)
    columns, notes = find_columns(table.header, mapping)
    check_header(path.name, table.header, columns)
    if "case_id" not in columns:
        raise CohortError(
            f"{path.name} has no column of case ids such as {id_column!r}: map one of {first_few(table.header, 12)} "
            "with --map case_id=COLUMN"
        )
    reader = _Reader(path, table, columns, [*table.notes, *notes])
    if not reader.usable:
        raise CohortError(f"no row of {path.name} can be used: {'; '.join(reader.notes)}")
    order = reader.read_stages(wanted=mapping.get("stage") is not None)
    return Labels(path, reader.columns, tuple(reader.cases()), tuple(order), tuple(reader.notes))


@dataclass
class _Reader:
    """Reads one role after the other; what it finds amiss goes to `notes`."""

    path: Path
    table: Table
    columns: dict[str, str]
    notes: list[str]
    usable: list[tuple[int, list[str]]] = field(init=False)
    _stages: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._at = {name: position for position, name in enumerate(self.table.header)}
        self._locator = PathLocator(self.path.parent, None)
        if "patient_id" not in self.columns:
            self.notes.append("no patient column: each case counts as a patient of its own; name one with --patient")
        if not all(role in self.columns for role in _SEED):
            self.columns = {role: name for role, name in self.columns.items() if role not in _SEED}
        self.usable = []
        for number, cells in self.table.rows:
            reason = self._problem(number, cells)
            if reason:
                self.notes.append(f"row {number} of {self.path.name} is left out: {reason}")
            else:
                self.usable.append((number, cells))
        counts = Counter(self._cell(cells, "case_id") for _, cells in self.usable)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise CohortError(f"{self.path.name} has more than one row for {first_few(twice)}: keep one row a case")

    def read_stages(self, wanted: bool) -> list[str]:
        """Read the stage column and return the order of its stages; those of unknown order stay as text.

        wanted: the user named the column; one that was only found by its header, and that holds no stages that can
            be ordered, becomes a covariate.
        """
        self._stages = [None] * len(self.usable)
        if "stage" not in self.columns:
            return []
        header = self.columns["stage"]
        texts = [self.table.number_text(self._cell(cells, "stage")) for _, cells in self.usable]
        found = read_column(texts, header=header)
        if not found.order and not wanted:
            self.notes.append(f"{header!r} holds no stages that can be ordered, and stays as it is")
            del self.columns["stage"]
            return []
        if not found.order and not found.odd:
            raise CohortError(
                f"{header!r} of {self.path.name} holds no stages, only missing values: name another column"
            )
        self._stages = [text if text in found.odd else label for text, label in zip(texts, found.labels, strict=True)]
        self.notes += column_notes(found)
        if found.order and found.odd:
            n_cases = sum(text in found.odd for text in texts)
            odd = first_few(map(repr, sorted(found.odd)))
            self.notes.append(f"left out of the order of the stages: {counted(n_cases, 'case')}, {odd} in {header!r}")
        return found.order

    def cases(self) -> list[LabelledCase]:
        """The usable rows."""
        used = set(self.columns.values())
        headers = [name for name in self.table.header if name not in used]
        values = {h: typed([c[self._at[h]] for _, c in self.usable], self.table.decimal_comma)[0] for h in headers}
        lost: list[str] = []
        cases = [
            LabelledCase(
                row=number,
                case_id=self._cell(cells, "case_id"),
                patient_id=self._cell(cells, "patient_id" if "patient_id" in self.columns else "case_id"),
                image_path=self._file(cells, "image_path", lost),
                mask_path=self._file(cells, "mask_path", lost),
                seed_lps=self._seed(cells),
                stage=self._stages[position],
                covariates={header: values[header][position] for header in headers},
                mask_label=self._mask_label(cells),
            )
            for position, (number, cells) in enumerate(self.usable)
        ]
        if lost:
            self.notes.append(f"Images or masks that are not known: {len(lost)}, such as {lost[0]}")
        return cases

    def _problem(self, number: int, cells: Sequence[str]) -> str | None:
        if number in self.table.ragged:
            return f"it has {self.table.ragged[number]} cells where the header has {len(self.table.header)}"
        case_id = self._cell(cells, "case_id")
        if is_missing(case_id) or id_problem(case_id):
            return "it has no case id" if is_missing(case_id) else id_problem(case_id)
        if "patient_id" in self.columns and is_missing(self._cell(cells, "patient_id")):
            return "it has no patient, whose scans must stay together"
        return None

    def _file(self, cells: Sequence[str], role: str, lost: list[str]) -> Path | None:
        cell = self._cell(cells, role)
        if is_missing(cell):
            return None
        try:
            return self._locator.locate(cell)
        except FlexiCTError as error:
            lost.append(str(error))
            return None

    def _mask_label(self, cells: Sequence[str]) -> str | None:
        cell = self._cell(cells, "mask_label")
        return None if is_missing(cell) else normal_label(cell, self.table.decimal_comma)

    def _seed(self, cells: Sequence[str]) -> tuple[float, float, float] | None:
        x, y, z = (parse_number(self._cell(cells, role), self.table.decimal_comma) for role in _SEED)
        return None if x is None or y is None or z is None else (x, y, z)

    def _cell(self, cells: Sequence[str], role: str) -> str:
        return cells[self._at[self.columns[role]]] if role in self.columns else ""
