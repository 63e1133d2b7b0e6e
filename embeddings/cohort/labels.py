"""What is known of cases whose vectors were made elsewhere: a CSV by the cohort's contract that may lack the CTs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embeddings.cohort.report import CaseRow
from embeddings.cohort.rows import Rows
from embeddings.cohort.table import CohortError, Table
from embeddings.formatting import counted, first_few
from flexict.errors import FlexiCTError


@dataclass(frozen=True)
class Labels:
    """A CSV of labels.

    Attributes:
        columns: role -> header, for the roles that have a column; covariates are the others.
        cases: the usable rows, in the file's order.
        stage_order: labels of their stages, lowest first; empty where no order is known.
        notes: what was assumed or left out, a sentence each.
    """

    path: Path
    columns: dict[str, str]
    cases: tuple[CaseRow, ...]
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

    Rows without a usable case or patient are left out; images, masks and seeds that cannot be used are noted.

    Args:
        mapping: role -> column, as for `read_cohort`; a stage that is named here is one, also where its
            order is not known.
        id_column: of the vectors; names the case here too unless `mapping` does, or no column has this name.

    Raises:
        CohortError: no column of case ids, a case twice, no usable row, a named stage column without a value.
        FlexiCTError: an unknown role or column in `mapping`.
    """
    mapping = dict(mapping)
    if id_column in table.header:
        mapping.setdefault("case_id", id_column)
    rows = Rows(path, table, mapping)
    if "case_id" not in rows.columns:
        raise CohortError(
            f"{path.name} has no column of case ids such as {id_column!r}: map one of {first_few(table.header, 12)} "
            "with --map case_id=COLUMN"
        )
    rows.check_identity(unique=False)
    left_out = [p for p in rows.problems if p.severity == "error"]
    for problem in sorted(left_out, key=lambda problem: problem.row or 0):
        rows.warn(f"row {problem.row} of {path.name} is left out: {problem.reason}")
    rows.rows = [row for row in rows.rows if not row.failed]
    if not rows.rows:
        raise CohortError(f"no row of {path.name} can be used: {'; '.join(_file_notes(rows))}")
    counts = Counter(row.case_id for row in rows.rows)
    twice = [name for name, count in counts.items() if name and count > 1]
    if twice:
        raise CohortError(f"{path.name} has more than one row for {first_few(twice)}: keep one row per case")
    rows.severity = "warning"
    rows.check_files()
    rows.read_mask_labels()
    rows.check_seeds()
    unusable = [p.reason for p in rows.problems if p.row is not None and p.severity == "warning"]
    order = _read_stages(path, rows, wanted=mapping.get("stage") is not None)
    if unusable:
        rows.warn(f"images, masks or seeds that cannot be used: {len(unusable)}, such as {unusable[0]}")
    cases = tuple(rows.cases(rows.covariates()[0]))
    return Labels(path, rows.columns, cases, tuple(order), tuple(_file_notes(rows)))


def _file_notes(rows: Rows) -> list[str]:
    return [problem.reason for problem in rows.problems if problem.row is None]


def _read_stages(path: Path, rows: Rows, wanted: bool) -> list[str]:
    """The order of the stages; those of unknown order stay as text.

    wanted: the user named the column; one that was only found by its header, and whose values cannot be ordered as
        stages, becomes a covariate.
    """
    column = rows.stage_column()
    if column is None:
        return []
    header = rows.columns["stage"]
    if not column.order and not wanted:
        rows.warn(f"the values of {header!r} cannot be ordered as stages: the column is kept as a covariate")
        del rows.columns["stage"]
        return []
    if not column.order and not column.odd:
        raise CohortError(f"{header!r} of {path.name} has no stages, only missing values: name another column")
    rows.use_stages(column)
    if column.order and column.odd:
        n_cases = sum(text in column.odd for text in column.values)
        odd = first_few(map(repr, sorted(column.odd)))
        rows.warn(f"left out of the order of the stages: {counted(n_cases, 'case')}, {odd} in {header!r}")
    return column.order
