"""The cases of a cohort file with the columns of its CSV, and the description of the cohort.

The caller begins and ends the transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from embeddings.cohort.report import CaseRow
from embeddings.cohort.stages import read_column
from embeddings.records import CohortInfo
from embeddings.store import schema
from embeddings.store.connections import Connection, StoreError, first_row, utc_now
from embeddings.store.schema import quote

if TYPE_CHECKING:
    from embeddings.cohort.labels import Labels
    from embeddings.cohort.read import CohortReport


def register_cohort(con: Connection, report: CohortReport, simulated: bool, name: str | None) -> None:
    """Add or update the report's cases; the file becomes that of the report's CSV and data root."""
    csv = Path(report.path).resolve()
    root = Path(report.data_root).resolve()
    name = name or (csv.parent.name if csv.stem.casefold() == "cohort" else csv.stem)
    before = first_row(con, "SELECT simulated, created, data_root FROM meta")
    if before and before[2] != str(root):
        _anchor_paths(con, Path(before[2]))
    _upsert(con, report.cases, root)
    con.execute("DELETE FROM meta")
    con.execute(
        "INSERT INTO meta VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            before[1] if before else utc_now(),
            name,
            str(csv),
            hashlib.sha256(csv.read_bytes()).hexdigest(),
            str(root),
            json.dumps(list(report.stage_order)),
            simulated or bool(before and before[0]),
        ],
    )


def register_labels(con: Connection, labels: Labels, name: str) -> None:
    """Add the labels' cases; of cases already there, update what the labels have a column for.

    A new file is named `name` and keeps the path of the labels' CSV; an existing file keeps its own.

    Raises:
        StoreError: the labels' stages and those of the cohort cannot be put in one order.
    """
    before = first_row(con, "SELECT data_root FROM meta")
    csv = labels.path.resolve()
    root = Path(before[0]) if before else csv.parent
    _upsert(con, labels.cases, root, keep=[name for name in schema.CASE_COLUMNS if name not in labels.columns])
    try:
        stages = json.dumps(_common_order(con, [*_known_order(con), *labels.stage_order]))
    except StoreError as error:
        raise StoreError(
            f"the stages of {csv.name} and of the cohort do not compare: {error}; take another column as the stage, or "
            "none"
        ) from error
    if before:
        con.execute("UPDATE meta SET stage_order = ?", [stages])
    else:
        sha256 = hashlib.sha256(csv.read_bytes()).hexdigest()
        con.execute(
            "INSERT INTO meta VALUES (?, ?, ?, ?, ?, ?, false)", [utc_now(), name, str(csv), sha256, str(root), stages]
        )


def add_cases(
    con: Connection, part: Path, info: CohortInfo, cases: pd.DataFrame, covariates: Mapping[str, str]
) -> None:
    """Add those of another store's cases (as its `Store.cases` gives them) that this file lacks.

    Raises:
        StoreError: a case that both have is of another patient or another image, or the stages do not compare.
    """
    before = first_row(con, "SELECT data_root, simulated FROM meta")
    root = Path(before[0]) if before else info.data_root
    held = {
        case_id: (patient, None if image is None else str(root / image))
        for case_id, patient, image in con.execute("SELECT case_id, patient_id, image_path FROM cases").fetchall()
    }
    new = []
    for row in cases.to_dict("records"):
        values = {str(name): None if pd.isna(value) else value for name, value in row.items()}
        case_id = values["case_id"]
        if case_id not in held:
            new.append(_stored_case(values, covariates))
        elif held[case_id] != (values["patient_id"], values["image_path"]):
            raise StoreError(
                f"case {case_id!r} of {part} is another scan or patient than the case of that name merged before: "
                "rename it in one of the cohorts and embed it again"
            )
    if new:
        _upsert(con, new, root)
    try:
        order = _common_order(con, [*_known_order(con), *info.stage_order])
    except StoreError as error:
        raise StoreError(f"the stages of {part} and of the others do not compare: {error}") from error
    if before:
        con.execute("UPDATE meta SET stage_order = ?, simulated = ?", [json.dumps(order), before[1] or info.simulated])
    else:
        con.execute(
            "INSERT INTO meta VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                info.created,
                info.name,
                info.cohort_csv,
                info.cohort_sha256,
                str(root),
                json.dumps(order),
                info.simulated,
            ],
        )


def _stored_case(values: Mapping[str, Any], covariates: Mapping[str, str]) -> CaseRow:
    """A row of `Store.cases` as a case."""
    seed = [values[name] for name in ("seed_x", "seed_y", "seed_z")]
    # An older file may have a covariate of this name.
    label = None if "mask_label" in covariates.values() else values.get("mask_label")
    return CaseRow(
        row=int(values["row"]),
        case_id=values["case_id"],
        patient_id=values["patient_id"],
        image_path=Path(values["image_path"]) if values["image_path"] else None,
        mask_path=Path(values["mask_path"]) if values["mask_path"] else None,
        seed_lps=None if None in seed else (float(seed[0]), float(seed[1]), float(seed[2])),
        stage=values["stage"],
        covariates={header: values[column] for header, column in covariates.items()},
        mask_label=None if label is None else str(label),
    )


def _upsert(con: Connection, cases: Sequence[CaseRow], root: Path, keep: Collection[str] = ()) -> None:
    """Update the cases already there, except for the columns in `keep`, and insert the others; no column is dropped."""
    columns = _fixed_columns(cases, root) | _covariate_columns(con, cases)
    plain = {f"c{number}": values for number, values in enumerate(columns.values())}
    con.register("incoming", pa.table({"case_id": columns["case_id"], **plain}))
    assignments = ", ".join(f"{quote(c)} = incoming.c{n}" for n, c in enumerate(columns) if c not in keep)
    con.execute(f"UPDATE cases SET {assignments} FROM incoming WHERE cases.case_id = incoming.case_id")
    con.execute(
        f"INSERT INTO cases ({', '.join(map(quote, columns))}) SELECT {', '.join(plain)} FROM incoming "
        "WHERE case_id NOT IN (SELECT case_id FROM cases)"
    )
    con.unregister("incoming")


def _known_order(con: Connection) -> list[str]:
    """The order of the stages that the file has so far."""
    before = first_row(con, "SELECT stage_order FROM meta")
    return [] if before is None else list(json.loads(before[0]))


def _common_order(con: Connection, known: Sequence[str]) -> list[str]:
    """One order of the stages of all cases; stages without a known order stay without.

    known: the stages that were ordered in one of the parts.

    Raises:
        StoreError: some of these do not compare.
    """
    stages = [s for (s,) in con.execute("SELECT stage FROM cases WHERE stage IS NOT NULL").fetchall()]
    column = read_column(stages)
    apart = [why for stage, why in column.mixed.items() if stage in known]
    if apart:
        raise StoreError(apart[0])
    ordered = {label for stage, label in zip(stages, column.labels, strict=True) if stage in known}
    return [label for label in column.order if label in ordered]


def _anchor_paths(con: Connection, root: Path) -> None:
    """Make relative paths absolute, since the data root is about to change."""
    for column in ("image_path", "mask_path"):
        relative = [p for (p,) in con.execute(f"SELECT DISTINCT {column} FROM cases").fetchall() if p is not None]
        paths = {"relative": relative, "absolute": [str(root / p) for p in relative]}
        con.register("anchored", pa.table({name: pa.array(v, pa.string()) for name, v in paths.items()}))
        con.execute(f"UPDATE cases SET {column} = anchored.absolute FROM anchored WHERE {column} = anchored.relative")
        con.unregister("anchored")


def _fixed_columns(cases: Sequence[CaseRow], root: Path) -> dict[str, pa.Array]:
    seeds = np.array([c.seed_lps or (None, None, None) for c in cases], dtype=object).reshape(-1, 3)
    fixed: dict[str, list[object]] = {
        "case_id": [c.case_id for c in cases],
        "patient_id": [c.patient_id for c in cases],
        "row": [c.row for c in cases],
        "image_path": [_relative(c.image_path, root) for c in cases],
        "mask_path": [_relative(c.mask_path, root) for c in cases],
        "mask_label": [c.mask_label for c in cases],
        "seed_x": list(seeds[:, 0]),
        "seed_y": list(seeds[:, 1]),
        "seed_z": list(seeds[:, 2]),
        "stage": [c.stage for c in cases],
    }
    return {name: pa.array(v, schema.CASE_COLUMNS[name]) for name, v in fixed.items()}


def _covariate_columns(con: Connection, cases: Sequence[CaseRow]) -> dict[str, pa.Array]:
    """Make room in the table of cases for the CSV's own columns, and return their values by column name."""
    known = {h: (c, t) for h, c, t in con.execute("SELECT * FROM covariates").fetchall()}
    headers = list(dict.fromkeys(header for case in cases for header in case.covariates))
    names = schema.covariate_columns(headers, {header: column for header, (column, _) in known.items()})
    columns = {}
    for header in headers:
        name, column = names[header], quote(names[header])
        values = [schema.plain(case.covariates.get(header)) for case in cases]
        found = schema.column_type(values)
        if header not in known:
            con.execute(f"ALTER TABLE cases ADD COLUMN {column} {found}")
            con.execute("INSERT INTO covariates VALUES (?, ?, ?)", [header, name, found])
        elif found != known[header][1] and any(value is not None for value in values):
            # The old values of incoming cases are replaced, so they need not fit the new type.
            con.register("replaced", pa.table({"case_id": pa.array([case.case_id for case in cases], pa.string())}))
            kept = first_row(
                con,
                f"SELECT 1 FROM cases WHERE {column} IS NOT NULL AND case_id NOT IN (SELECT case_id FROM replaced) "
                "LIMIT 1",
            )
            con.unregister("replaced")
            found = schema.widened({found, known[header][1]}) if kept else found
            con.execute(
                f"ALTER TABLE cases ALTER COLUMN {column} SET DATA TYPE {found} USING TRY_CAST({column} AS {found})"
            )
            con.execute("UPDATE covariates SET column_type = ? WHERE header = ?", [found, header])
        else:
            found = known[header][1]
        columns[name] = schema.column_values(values, found)
    return columns


def _relative(path: Path | None, root: Path) -> str | None:
    """The path from the data root, so that the cohort can move, or absolute where it lies elsewhere."""
    if path is None:
        return None
    absolute = Path(path).resolve()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)
