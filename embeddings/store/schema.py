"""The tables of a cohort file, their migrations, and the names of a CSV's columns in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime

import numpy as np
import pyarrow as pa

# Each entry migrates a file from the version before; a new file starts at 0 and runs all of them.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE schema_version (version INTEGER NOT NULL)",
        """CREATE TABLE meta (
            created TIMESTAMP NOT NULL, name VARCHAR NOT NULL,
            cohort_csv VARCHAR NOT NULL, cohort_sha256 VARCHAR NOT NULL, data_root VARCHAR NOT NULL,
            stage_order VARCHAR NOT NULL, simulated BOOLEAN NOT NULL)""",
        # No primary key: columns are added and widened later, which DuckDB refuses on indexed tables.
        """CREATE TABLE cases (
            case_id VARCHAR NOT NULL, patient_id VARCHAR NOT NULL, "row" BIGINT NOT NULL,
            image_path VARCHAR NOT NULL, mask_path VARCHAR,
            seed_x DOUBLE, seed_y DOUBLE, seed_z DOUBLE, stage VARCHAR)""",
        """CREATE TABLE covariates (
            header VARCHAR NOT NULL, column_name VARCHAR NOT NULL, column_type VARCHAR NOT NULL)""",
        """CREATE TABLE lesions (
            case_id VARCHAR NOT NULL, source VARCHAR NOT NULL, volume_ml DOUBLE,
            equivalent_diameter_mm DOUBLE, max_extent_mm DOUBLE,
            centroid_x DOUBLE, centroid_y DOUBLE, centroid_z DOUBLE, n_components BIGINT,
            PRIMARY KEY (case_id, source))""",
        """CREATE TABLE items (
            item_id VARCHAR PRIMARY KEY, case_id VARCHAR NOT NULL, view VARCHAR NOT NULL,
            slice_index BIGINT, z_lps_mm DOUBLE)""",
        """CREATE TABLE embedding_sets (
            set_id VARCHAR PRIMARY KEY, encoder VARCHAR NOT NULL, weights_sha256 VARCHAR NOT NULL,
            weights_source VARCHAR NOT NULL, is_published BOOLEAN NOT NULL, view VARCHAR NOT NULL,
            preset VARCHAR NOT NULL, pooling VARCHAR NOT NULL, width INTEGER NOT NULL,
            code_version VARCHAR NOT NULL, created TIMESTAMP NOT NULL,
            UNIQUE (encoder, weights_sha256, view, preset, pooling, width, code_version))""",
        """CREATE TABLE sources (
            set_id VARCHAR NOT NULL, case_id VARCHAR NOT NULL, content VARCHAR NOT NULL,
            stamp VARCHAR NOT NULL, doubt VARCHAR, PRIMARY KEY (set_id, case_id))""",
        """CREATE TABLE completed (
            set_id VARCHAR NOT NULL, case_id VARCHAR NOT NULL, slice_step BIGINT NOT NULL,
            PRIMARY KEY (set_id, case_id, slice_step))""",
        """CREATE TABLE runs (
            run_id VARCHAR PRIMARY KEY, set_id VARCHAR NOT NULL, state VARCHAR NOT NULL,
            started TIMESTAMP NOT NULL, heartbeat TIMESTAMP NOT NULL, finished TIMESTAMP,
            host VARCHAR NOT NULL, pid BIGINT NOT NULL, n_planned BIGINT NOT NULL,
            n_done BIGINT NOT NULL, n_failed BIGINT NOT NULL, n_items BIGINT NOT NULL,
            settings VARCHAR NOT NULL)""",
        """CREATE TABLE failures (
            case_id VARCHAR NOT NULL, item_id VARCHAR, set_id VARCHAR NOT NULL,
            stage_of_work VARCHAR NOT NULL, reason VARCHAR NOT NULL, attempts BIGINT NOT NULL,
            first_at TIMESTAMP NOT NULL, last_at TIMESTAMP NOT NULL)""",
        """CREATE TABLE thumbnails (
            item_id VARCHAR PRIMARY KEY, png BLOB NOT NULL, "window" VARCHAR NOT NULL,
            pixel_mm DOUBLE NOT NULL, z_lps_mm DOUBLE NOT NULL)""",
        """CREATE TABLE projections (
            set_id VARCHAR NOT NULL, key VARCHAR NOT NULL, item_id VARCHAR NOT NULL,
            x DOUBLE NOT NULL, y DOUBLE NOT NULL)""",
    ),
    (
        """CREATE TABLE acquisition (
            case_id VARCHAR PRIMARY KEY, spacing_xy_mm DOUBLE, spacing_z_mm DOUBLE, n_slices BIGINT,
            slice_thickness_mm DOUBLE, manufacturer VARCHAR, scanner_model VARCHAR, kernel VARCHAR,
            kvp DOUBLE)""",
        # Vectors made elsewhere may have no CT.
        "ALTER TABLE cases ALTER COLUMN image_path DROP NOT NULL",
    ),
    (
        # A scan that failed is tried again only where its files have changed since.
        "ALTER TABLE failures ADD COLUMN stamp VARCHAR",
        # The number type of the set's table; older sets are float32.
        "ALTER TABLE embedding_sets ADD COLUMN number_type VARCHAR DEFAULT 'float32'",
    ),
    (
        # Saved work; a name that starts with @ belongs to a link.
        """CREATE TABLE selections (
            name VARCHAR PRIMARY KEY, made TIMESTAMP NOT NULL, set_id VARCHAR NOT NULL,
            origin VARCHAR NOT NULL, item_ids VARCHAR[] NOT NULL, case_ids VARCHAR[] NOT NULL)""",
        """CREATE TABLE results (
            key VARCHAR PRIMARY KEY, kind VARCHAR NOT NULL, made TIMESTAMP NOT NULL,
            seconds DOUBLE NOT NULL, content BLOB NOT NULL)""",
        """CREATE TABLE scores (
            set_id VARCHAR NOT NULL, name VARCHAR NOT NULL, made TIMESTAMP NOT NULL, settings VARCHAR NOT NULL,
            item_id VARCHAR NOT NULL, value DOUBLE NOT NULL)""",
    ),
    (
        # A CSV column of this name used to be a covariate.
        "ALTER TABLE cases ADD COLUMN IF NOT EXISTS mask_label VARCHAR",
        "ALTER TABLE cases ALTER COLUMN mask_label SET DATA TYPE VARCHAR",
        "DELETE FROM covariates WHERE lower(column_name) = 'mask_label'",
    ),
)
SCHEMA_VERSION = len(MIGRATIONS)
# Tables of every version.
FIRST_TABLES = frozenset(re.findall(r"CREATE TABLE (\w+)", "\n".join(MIGRATIONS[0])))

CASE_COLUMNS: dict[str, pa.DataType] = {
    "case_id": pa.string(),
    "patient_id": pa.string(),
    "row": pa.int64(),
    "image_path": pa.string(),
    "mask_path": pa.string(),
    "mask_label": pa.string(),
    "seed_x": pa.float64(),
    "seed_y": pa.float64(),
    "seed_z": pa.float64(),
    "stage": pa.string(),
}
LESION_COLUMNS = (
    "volume_ml",
    "equivalent_diameter_mm",
    "max_extent_mm",
    "centroid_x",
    "centroid_y",
    "centroid_z",
    "n_components",
)
# A CSV column of the same name takes precedence over these.
ACQUISITION_COLUMNS = (
    "spacing_xy_mm",
    "spacing_z_mm",
    "n_slices",
    "slice_thickness_mm",
    "manufacturer",
    "scanner_model",
    "kernel",
    "kvp",
)
# Column names of the joined table: no CSV column may take them.
RESERVED = frozenset(
    (*CASE_COLUMNS, *LESION_COLUMNS, "lesion_source", "source", "item_id", "view", "slice_index", "z_lps_mm")
) | {"vector", "set_id", "rowid"}

_ARROW_TYPES: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "TIMESTAMP": pa.timestamp("us"),
    "VARCHAR": pa.string(),
}


def quote(identifier: str) -> str:
    """An identifier as SQL, whatever characters it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def covariate_columns(headers: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """A column name for every CSV header, unique without regard to case as DuckDB needs it.

    A header keeps its spelling unless the store's own columns, or another header, already have it; then
    ` (CSV)` or a number is added. `known` (header -> column name) holds what was decided before.
    """
    chosen = dict(known)
    taken = {name.casefold() for name in (*RESERVED, *chosen.values())}
    for header in headers:
        if header in chosen:
            continue
        base = header.replace("\0", "").strip() or "column"
        name, count = base, 1
        while name.casefold() in taken:
            name = f"{base} (CSV)" if count == 1 and base.casefold() in RESERVED else f"{base} ({count + 1})"
            count += 1
        chosen[header] = name
        taken.add(name.casefold())
    return chosen


def column_type(values: Iterable[object]) -> str:
    """The narrowest SQL type that holds every value; `VARCHAR` where kinds differ or all are missing."""
    found = {_value_type(value) for value in values if value is not None}
    return widened(found)


def widened(types: set[str]) -> str:
    """One SQL type that can hold all of `types` without loss that a reader would notice."""
    if len(types) == 1:
        return next(iter(types))
    return "DOUBLE" if types == {"BIGINT", "DOUBLE"} else "VARCHAR"


def column_values(values: Iterable[object], sql_type: str) -> pa.Array:
    """The values as one Arrow column of the SQL type."""
    if sql_type == "VARCHAR":
        return pa.array([None if v is None else str(v) for v in values], pa.string())
    return pa.array(list(values), _ARROW_TYPES[sql_type])


def plain(value: object) -> object:
    """A cell as a Python value: numpy scalars unwrapped, NaN and NaT as missing."""
    if isinstance(value, np.generic):
        value = value.item()
    missing = value is None or value != value  # only NaN and NaT differ from themselves
    return None if missing else value


def _value_type(value: object) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "BIGINT" if -(2**63) <= value < 2**63 else "VARCHAR"
    if isinstance(value, float):
        return "DOUBLE"
    return "TIMESTAMP" if isinstance(value, date | datetime) else "VARCHAR"
