"""Restores a store from what `export` wrote: Parquet, h5ad, or a CSV with its .json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from embeddings.exchange.anndata_file import read_h5ad
from embeddings.exchange.description import KEY, Description, NotOurExportError, read_description, vectors_sha256
from embeddings.exchange.export import defused, sidecar
from embeddings.exchange.import_vectors import IMPORT_VERSION, PATIENCE_S, ImportSummary
from embeddings.exchange.vector_table import n_values
from embeddings.records import (
    AcquisitionRecord,
    CaseOutcome,
    EmbeddedItem,
    Failure,
    LesionRecord,
    RunProgress,
    SetIdentity,
)
from embeddings.store.number_types import FLOAT32
from embeddings.store.schema import ACQUISITION_COLUMNS, CASE_COLUMNS, LESION_COLUMNS
from embeddings.store.store import Store
from flexict.presets.preprocess import slice_range

EXPORTS = (".parquet", ".h5ad", ".csv")
MOST_NUMBERS = 2**31
ITEMS_A_COMMIT = 10_000
Vectors = dict[str, NDArray[np.float32]]
"""Set id -> vectors `[n, width]`, in the order of the table's rows."""
_CHANGED = "changed "
_SEED = ("seed_x", "seed_y", "seed_z")


def import_export(db: Path | str, path: Path | str) -> list[ImportSummary]:
    """Import the cohort and the sets of an exported file into a new or an existing store; one summary per set.

    Vectors are restored bit for bit, with the identity of their set, their cases, covariates, positions, lesion sizes
    and acquisitions. Pictures, failures and stored maps are not part of an export. Vectors that were changed since the
    export, or differ from those of the set in the store, become a separate set named `changed ENCODER`. All-zero
    vectors are left out.

    Raises:
        NotOurExportError: a file that this program did not export, or that has since lost columns, items or numbers.
        StoreError: the store cannot be used, or has other scans with the same case ids.
    """
    path = Path(path)
    found, frame, vectors = _read(path)
    _check(path, found, frame, vectors)
    store = Store(db, read_only=False, patience_s=PATIENCE_S)
    of_case = frame.drop_duplicates("case_id")
    cases = of_case[[name for name in (*CASE_COLUMNS, *found.covariates.values()) if name in of_case]].copy()
    for column in ("image_path", "mask_path"):
        cases[column] = [None if pd.isna(name) else str(found.info.data_root / name) for name in cases[column]]
    store.register_exported(path, found.info, cases, found.covariates)
    known = {str(row["case_id"]): (_lesions(row), _acquisition(row)) for row in of_case.to_dict("records")}
    return [
        _import_set(store, path, found, set_id, frame[frame["set_id"] == set_id], vectors[set_id], known)
        for set_id in found.sets
    ]


def _import_set(
    store: Store,
    path: Path,
    found: Description,
    set_id: str,
    frame: pd.DataFrame,
    vectors: NDArray[np.float32],
    known: Mapping[str, tuple[list[LesionRecord], AcquisitionRecord | None]],
) -> ImportSummary:
    identity, number_type = found.sets[set_id]
    notes: tuple[str, ...] = ()
    item_ids = frame["item_id"].tolist()
    sha256 = vectors_sha256(item_ids, vectors)
    changed = sha256 != found.vectors_sha256.get(set_id, sha256)
    if changed or _differ(store, set_id, item_ids, vectors):
        identity, number_type = _own_identity(path, identity, sha256), FLOAT32
        other = "those that were exported" if changed else "those in the cohort file"
        notes = (f"the vectors differ from {other} as {set_id}: they are stored as a separate set",)
    store.open_set(identity, number_type)
    present = set(item_ids).intersection(store.items(identity.set_id)["item_id"])
    zero: NDArray[np.bool_] = np.asarray(~vectors.any(axis=1))
    left_out = frame.loc[zero]
    frame, vectors = frame.loc[~zero], vectors[~zero]
    ids = list(dict.fromkeys(frame["case_id"]))
    run_id = store.start_run(identity.set_id, {"vectors": str(path.resolve()), "view": identity.view}, len(ids))
    for items in _items(frame, vectors):
        store.commit(identity.set_id, items)
    store.commit(
        identity.set_id,
        failures=[
            Failure(case_id, "import", f"its vector in {path.name} contains only zeros", item_id)
            for case_id, item_id in zip(left_out["case_id"], left_out["item_id"], strict=True)
        ],
        outcomes=_complete(identity.view, frame, known),
        lesions=[lesion for case_id in ids for lesion in known[case_id][0]],
        acquisitions=[one for case_id in ids if (one := known[case_id][1]) is not None],
        run_id=run_id,
        progress=RunProgress(len(ids), len(ids), 0, len(frame)),
    )
    store.finish_run(run_id, "finished")
    return ImportSummary(
        set_id=identity.set_id,
        n_imported=len(set(frame["item_id"]) - present),
        n_patients=int(frame["patient_id"].nunique()),
        width=identity.width,
        notes=notes,
        all_zero=tuple(left_out["item_id"]),
        n_present=len(set(frame["item_id"]) & present),
    )


def _differ(store: Store, set_id: str, item_ids: Sequence[str], vectors: NDArray[np.float32]) -> bool:
    """Whether the store has other vectors for some of these items of the set; half precision does not count."""
    known = store.sets().set_index("set_id")["number_type"]
    if set_id not in known:
        return False
    there, stored = store.vectors(set_id)
    place = {item_id: row for row, item_id in enumerate(there)}
    rows = [(place[item_id], row) for row, item_id in enumerate(item_ids) if item_id in place]
    before, now = stored[[one for one, _ in rows]], vectors[[other for _, other in rows]]
    if known[set_id] != FLOAT32:
        with np.errstate(over="ignore"):
            now = now.astype(np.float16).astype(np.float32)
    return not np.array_equal(before, now)


def _own_identity(path: Path, identity: SetIdentity, sha256: str) -> SetIdentity:
    """The identity of vectors changed after their export: no encoder with these weights computed them."""
    return replace(
        identity,
        encoder=_CHANGED + identity.encoder.removeprefix(_CHANGED),
        weights_sha256=sha256,
        code_version=IMPORT_VERSION,
        weights_source=f"the table {path.name}, changed after its export",
        is_published=False,
    )


def _complete(
    view: str, frame: pd.DataFrame, known: Mapping[str, tuple[list[LesionRecord], AcquisitionRecord | None]]
) -> list[CaseOutcome]:
    """The cases of which the set has every item, with their slice step.

    A volume or lesion is one item. A case of slices is left out unless its slices are known to be all slices of some
    step: otherwise a later job would not embed the missing ones.
    """
    if view != "slices":
        return [CaseOutcome(case_id, complete=True) for case_id in dict.fromkeys(frame["case_id"])]
    outcomes = []
    for case_id, indices in frame.groupby("case_id")["slice_index"]:
        acquired = known[str(case_id)][1]
        places = sorted(int(index) for index in indices if not pd.isna(index))
        step = places[1] - places[0] if len(places) > 1 else 1
        if acquired is not None and step > 0 and places == list(slice_range(acquired.n_slices, step)):
            outcomes.append(CaseOutcome(str(case_id), complete=True, slice_step=step))
    return outcomes


def _items(frame: pd.DataFrame, vectors: NDArray[np.float32]) -> Iterator[list[EmbeddedItem]]:
    for start in range(0, len(frame), ITEMS_A_COMMIT):
        some = frame.iloc[start : start + ITEMS_A_COMMIT]
        columns = (some[name] for name in ("item_id", "case_id", "slice_index", "z_lps_mm"))
        yield [
            EmbeddedItem(item_id, case_id, vector, None if pd.isna(z) else int(z), _number(mm))
            for vector, item_id, case_id, z, mm in zip(vectors[start:], *columns, strict=False)
        ]


def _lesions(row: Mapping[Any, Any]) -> list[LesionRecord]:
    case_id, found = str(row["case_id"]), []
    seed = [_number(row[name]) for name in _SEED]
    if None not in seed:
        found.append(LesionRecord(case_id, "seed", tuple(seed)))  # type: ignore[arg-type]
    centroid = [_number(row.get(name)) for name in ("centroid_x", "centroid_y", "centroid_z")]
    if row.get("lesion_source") == "mask" and None not in centroid:
        volume_ml, diameter_mm, extent_mm = (_number(row[name]) for name in LESION_COLUMNS[:3])
        n_components = _number(row["n_components"])
        count = None if n_components is None else int(n_components)
        found.append(LesionRecord(case_id, "mask", tuple(centroid), volume_ml, diameter_mm, extent_mm, count))  # type: ignore[arg-type]
    return found


def _acquisition(row: Mapping[Any, Any]) -> AcquisitionRecord | None:
    """None where the scan was not read, or a CSV column has replaced one of these."""
    values: dict[str, Any] = {name: None if pd.isna(row.get(name)) else row[name] for name in ACQUISITION_COLUMNS}
    if None in (values["spacing_xy_mm"], values["spacing_z_mm"], values["n_slices"]):
        return None
    return AcquisitionRecord(str(row["case_id"]), **values | {"n_slices": int(values["n_slices"])})


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _check(path: Path, found: Description, frame: pd.DataFrame, vectors: Mapping[str, NDArray[np.float32]]) -> None:
    """Refuse a table that was changed since its export, before anything is written."""
    needed = {"set_id", "item_id", "case_id", *CASE_COLUMNS, "slice_index", "z_lps_mm", *found.covariates.values()}
    needed -= {"mask_label"}  # which exports of before schema version 5 lack
    lacking = sorted(needed - set(frame.columns))
    if lacking:
        raise NotOurExportError(f"{path.name} lacks {', '.join(map(repr, lacking[:5]))}: export it again")
    if not set(frame["set_id"]) <= set(vectors) or frame.duplicated(["set_id", "item_id"]).any():
        raise NotOurExportError(f"{path.name} has other sets or items than were exported: export it again")
    for set_id, (identity, _) in found.sets.items():
        numbers = vectors[set_id]
        if numbers.shape != (int((frame["set_id"] == set_id).sum()), identity.width) or not np.isfinite(numbers).all():
            raise NotOurExportError(f"{path.name} has vectors of another width, or NaN in them: export it again")
        if len(numbers) and not numbers.any():
            raise NotOurExportError(f"every vector of {set_id} in {path.name} contains only zeros: export it again")


def _read(path: Path) -> tuple[Description, pd.DataFrame, Vectors]:
    if not path.is_file():
        raise NotOurExportError(f"there is no file {path}: correct the path of the table of vectors")
    kind = path.suffix.lower()
    if kind == ".h5ad":
        text, obs, vectors = read_h5ad(path)
        found = read_description(path, text)
        if len(found.sets) != 1:
            raise NotOurExportError(
                f"{path.name} names {len(found.sets)} sets where only one is possible: export it again"
            )
        return found, _typed(path, found, obs), {next(iter(found.sets)): vectors}
    if kind not in EXPORTS:
        raise NotOurExportError(
            f"{path.name} is not an export of this program ({', '.join(EXPORTS)}): choose one, or give --labels"
        )
    found, table = _read_parquet(path) if kind == ".parquet" else _read_csv(path)
    if not {"vector", "set_id"} <= set(table.column_names):
        raise NotOurExportError(f"{path.name} lacks 'vector' or 'set_id': export it again")
    from_column = _from_lists if kind == ".parquet" else _from_text
    by_set = {
        set_id: from_column(path, table.filter(pc.equal(table["set_id"], set_id))["vector"], set_id, identity.width)
        for set_id, (identity, _) in found.sets.items()
    }
    frame = table.drop_columns(["vector"]).to_pandas()
    return found, frame if kind == ".parquet" else _typed(path, found, frame), by_set


def _read_parquet(path: Path) -> tuple[Description, pa.Table]:
    try:
        file = pq.ParquetFile(path)
        text = (file.schema_arrow.metadata or {}).get(KEY.encode())
        if text is None:
            raise NotOurExportError(f"{path.name} was not exported by this program: give --labels for its vectors")
        found = read_description(path, text)
        if n_values(file) > MOST_NUMBERS:
            raise NotOurExportError(
                f"{path.name} contains more than {MOST_NUMBERS:,} numbers: export one set at a time"
            )
        return found, file.read()
    except (pa.ArrowException, OSError) as error:
        raise NotOurExportError(f"{path.name} is not a readable Parquet file: export it again") from error


def _from_lists(path: Path, chunks: pa.ChunkedArray, set_id: str, width: int) -> NDArray[np.float32]:
    column = chunks.combine_chunks()
    right = pc.all(pc.equal(pc.list_value_length(column), width), min_count=0).as_py()
    if column.type.value_type != pa.float32() or not right:
        raise NotOurExportError(
            f"{path.name} has vectors of {set_id} that are not {width} float32 numbers: export it again"
        )
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), width)


def _read_csv(path: Path) -> tuple[Description, pa.Table]:
    words = sidecar(path)
    if not words.is_file():
        raise NotOurExportError(
            f"there is no {words.name} beside {path.name}, which `export` writes with it: copy it too, or give --labels"
        )
    found = read_description(path, words.read_bytes())
    try:
        table = pyarrow.csv.read_csv(
            path,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={defused(name): pa.string() for name in (*found.types, "vector")},
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        table = table.rename_columns([_raw(name) for name in table.column_names])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise NotOurExportError(f"{path.name} is not a readable CSV file: export it again") from error
    for position, name in enumerate(table.column_names):
        if found.types.get(name) == pa.string():
            texts = [None if text is None else _raw(text) for text in table[name].to_pylist()]
            table = table.set_column(position, name, pa.array(texts, pa.string()))
    return found, table


def _from_text(path: Path, column: pa.ChunkedArray, set_id: str, width: int) -> NDArray[np.float32]:
    texts = column.to_pylist()
    vectors = np.empty((len(texts), width), np.float32)
    for row, text in enumerate(texts):
        try:
            numbers = json.loads(text or "")
            if len(numbers) != width:
                raise ValueError(f"{len(numbers)} numbers")
            vectors[row] = numbers
        except (ValueError, TypeError) as error:
            raise NotOurExportError(
                f"{path.name} has a vector that is not {width} numbers (number {row + 1} of {set_id}): export it again"
            ) from error
    return vectors


def _typed(path: Path, found: Description, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every column in its exported type."""
    typed = {}
    for name, kind in found.types.items():
        if name not in frame:
            raise NotOurExportError(f"{path.name} lacks {name!r}: export it again")
        values = [None if pd.isna(value) else value for value in frame[name].astype(object)]
        try:
            typed[name] = pa.array([None if value is None else _as(value, kind) for value in values], kind)
        except (ValueError, TypeError, pa.ArrowException) as error:
            raise NotOurExportError(f"{path.name} has other values in {name!r} than were exported: {error}") from error
    return pa.table(typed).to_pandas()


def _as(value: Any, kind: pa.DataType) -> object:
    if pa.types.is_string(kind):
        return str(value)
    if pa.types.is_boolean(kind):
        if str(value) not in ("True", "False"):
            raise ValueError(f"{value!r} is neither True nor False")
        return str(value) == "True"
    if pa.types.is_timestamp(kind):
        return pd.Timestamp(value).to_pydatetime()
    return int(float(value)) if pa.types.is_integer(kind) else float(value)


def _raw(text: str) -> str:
    """The text without the apostrophe that `defused` put in front of it."""
    return text[1:] if text.startswith("'") and defused(text[1:]) == text else text
