"""Vectors that were made elsewhere, as a table: CSV, Parquet or npz, each vector with the id of its case.

Every table is checked: values that are not numbers are named, and a column that would bring a label into the vectors is
refused.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from embeddings.cohort.columns import find_columns, parse_number
from embeddings.cohort.table import read_table
from embeddings.formatting import counted, first_few
from embeddings.missing_values import is_missing
from flexict.errors import FlexiCTError

FORMATS = (".csv", ".parquet", ".npz")
MOST_NUMBERS = 2**28  # 1 GB as float32
MOST_CSV_BYTES = 200 * 2**20
MOST_ROWS = 1_000_000
# A column named unlike this share of the others is not part of the vector.
_SAME_STEM = 0.9
_NUMBERED = re.compile(r"(.*?)\d+", re.DOTALL)


class VectorTableError(FlexiCTError):
    """A table of vectors that cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class VectorTable:
    """Vectors with their ids.

    Attributes:
        ids: text, each once, in the table's order.
        vectors: `[n, width]` float32; rows may contain NaN or infinite numbers.
        id_column: the column (of an npz: the array) that the ids came from.
        sha256: of the file.
    """

    ids: list[str]
    vectors: NDArray[np.float32]
    id_column: str
    sha256: str


def read_vectors(path: Path, id_column: str | None, label_columns: Sequence[str]) -> VectorTable:
    """Read a table of vectors, one row per case.

    In a CSV every column except the ids is one dimension of the vector. Parquet may instead contain the vectors in one
    column of lists; its other columns are then ignored. An npz (no pickle) contains `vectors` `[n, width]` and `ids`
    `[n]`.

    Args:
        path: `.csv`, `.parquet` or `.npz`.
        id_column: the ids; by default a column with the name of a case, or the one that the labels have too.
        label_columns: columns of the labels; except for the ids, the table must have none of them.

    Raises:
        VectorTableError: no such file or format, no ids, duplicate ids, columns that are not numbers or not part of a
            vector, rows of different width, more than fits in memory.
        CohortError: an unreadable CSV.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise VectorTableError(
            f"{path.name} is not a table of vectors: give {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )
    if not path.is_file():
        raise VectorTableError(f"there is no file {path}: correct the path of the table of vectors")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if kind == ".npz":
        ids, vectors, found = _read_npz(path)
    elif kind == ".parquet":
        ids, vectors, found = _read_parquet(path, id_column, label_columns)
    else:
        ids, vectors, found = _read_csv(path, id_column, label_columns)
    if not ids or not vectors.shape[1]:
        raise VectorTableError(f"{path.name} contains no vectors: give one row per case and one column per dimension")
    empty = [number for number, name in enumerate(ids, start=1) if is_missing(name)]
    if empty:
        raise VectorTableError(
            f"{path.name} has {counted(len(empty), 'vector')} without an id (the first is number {empty[0]}): "
            f"fill in {found!r}"
        )
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise VectorTableError(
            f"{path.name} has more than one vector for {first_few(twice)}: keep one row per case, or name "
            "another column with --id"
        )
    return VectorTable(ids, vectors, found, sha256)


def _read_csv(
    path: Path, id_column: str | None, label_columns: Sequence[str]
) -> tuple[list[str], NDArray[np.float32], str]:
    if path.stat().st_size > MOST_CSV_BYTES:
        raise VectorTableError(f"{path.name} is larger than {MOST_CSV_BYTES // 2**20} MB: save it as Parquet or npz")
    table = read_table(path, MOST_ROWS)
    if table.ragged:
        number, n_cells = next(iter(table.ragged.items()))
        raise VectorTableError(
            f"{path.name} has {n_cells} cells in row {number} where the header has {len(table.header)}: write it again"
        )
    found = _find_id(path, table.header, id_column, label_columns)
    at = table.header.index(found)
    columns = [name for name in table.header if name != found]
    vectors = np.empty((len(table.rows), len(columns)), np.float32)
    words: dict[str, str] = {}
    with np.errstate(over="ignore"):  # infinite numbers are refused later
        for position, (_, cells) in enumerate(table.rows):
            numbers = _numbers([*cells[:at], *cells[at + 1 :]], columns, table.decimal_comma, words)
            vectors[position] = np.asarray(numbers)
    _refuse_words(path, words)
    _refuse_foreign(path, columns, label_columns)
    return [cells[at] for _, cells in table.rows], vectors, found


def _numbers(cells: Sequence[str], columns: Sequence[str], decimal_comma: bool, words: dict[str, str]) -> list[float]:
    """The cells as numbers, NaN where missing; other text goes into `words` under its column."""
    text = "".join(cells)
    if text.isascii() and "_" not in text:  # Python also accepts 1_000 and digits of other scripts
        try:
            return [float(cell) for cell in cells]
        except ValueError:
            pass  # read cell by cell below
    found = []
    for name, cell in zip(columns, cells, strict=True):
        number = parse_number(cell, decimal_comma)
        if number is None and not is_missing(cell) and cell.lower().lstrip("+-") not in ("inf", "infinity"):
            words.setdefault(name, cell)
        found.append(np.nan if number is None else number)
    return found


def _read_parquet(
    path: Path, id_column: str | None, label_columns: Sequence[str]
) -> tuple[list[str], NDArray[np.float32], str]:
    try:
        file = pq.ParquetFile(path)
        n_numbers = n_values(file)
        if n_numbers > MOST_NUMBERS:
            raise VectorTableError(f"{path.name} contains {n_numbers:,} values, more than {MOST_NUMBERS:,}: split it")
        found = _find_id(path, file.schema_arrow.names, id_column, label_columns)
        lists = [field.name for field in file.schema_arrow if field.name != found and _is_list(field.type)]
        if len(lists) > 1:
            raise VectorTableError(f"{path.name} has several columns of lists ({first_few(lists)}): keep one")
        columns = [field.name for field in file.schema_arrow if field.name != found]
        if not lists:
            _refuse_words(
                path, {c: str(kind) for c in columns if not _is_number(kind := file.schema_arrow.field(c).type)}
            )
            _refuse_foreign(path, columns, label_columns)
        table = file.read([found, *lists] if lists else None)
    except (pa.ArrowException, OSError) as error:
        raise VectorTableError(f"{path.name} is not a readable Parquet file: write it again") from error
    ids = _texts(path, table[found], found)
    if lists:
        return ids, _from_lists(path, ids, table[lists[0]]), found
    vectors = np.empty((table.num_rows, len(columns)), np.float32)
    with np.errstate(over="ignore"):
        for position, name in enumerate(columns):
            vectors[:, position] = table[name].to_numpy()
    return ids, vectors, found


def n_values(file: pq.ParquetFile) -> int:
    """The number of values in all columns, by the file's metadata alone."""
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    return sum(group.column(number).num_values for group in groups for number in range(group.num_columns))


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _from_lists(path: Path, ids: Sequence[str], column: pa.ChunkedArray) -> NDArray[np.float32]:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    usual = Counter(lengths.tolist()).most_common(1)[0][0] if len(lengths) else 0
    wrong = np.flatnonzero(lengths != usual).tolist()
    if wrong:
        raise VectorTableError(
            f"{path.name} has {counted(len(wrong), 'vector')} of another width than {usual} "
            f"({first_few([f'{ids[i]}: {lengths[i]}' for i in wrong])}): remove or recompute them"
        )
    numbers = pc.list_flatten(column.combine_chunks())
    if not _is_number(numbers.type):
        raise VectorTableError(f"{path.name} has lists of {numbers.type}, not of numbers: save the vectors as float32")
    with np.errstate(over="ignore"):
        return numbers.to_numpy(zero_copy_only=False).astype(np.float32).reshape(len(ids), usual)


def _read_npz(path: Path) -> tuple[list[str], NDArray[np.float32], str]:
    wanted = "save it with numpy.savez(path, vectors=..., ids=...), vectors [n, width] of numbers, ids [n] of text"
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = {member.filename: member.file_size for member in archive.infolist()}
        if sum(unpacked.values()) > 8 * MOST_NUMBERS:
            raise VectorTableError(f"{path.name} unpacks to more than {8 * MOST_NUMBERS // 2**30} GB: split it")
        lacking = [name for name in ("vectors", "ids") if f"{name}.npy" not in unpacked]
        if lacking:
            raise VectorTableError(f"{path.name} has no array {' and '.join(lacking)}: {wanted}")
        for name in ("vectors", "ids"):
            _check_claim(path, name, wanted)
        with np.load(path, allow_pickle=False) as arrays:
            vectors, ids = arrays["vectors"], arrays["ids"]
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError) as error:
        # zipfile raises the last on unknown compression methods and on a password.
        raise VectorTableError(f"{path.name} is not a readable npz file: {wanted}") from error
    except VectorTableError:
        raise
    except ValueError as error:
        raise VectorTableError(f"{path.name} is damaged: {wanted}") from error
    if vectors.ndim != 2 or vectors.dtype.kind not in "iuf" or ids.shape != (len(vectors),):
        raise VectorTableError(
            f"{path.name} has vectors {list(vectors.shape)} of {vectors.dtype} and ids {list(ids.shape)}: {wanted}"
        )
    if ids.dtype.kind not in "USiu":
        raise VectorTableError(f"{path.name} has ids of {ids.dtype}: {wanted}")
    try:
        texts = [name.decode() if isinstance(name, bytes) else str(name) for name in ids.tolist()]
    except UnicodeDecodeError as error:
        raise VectorTableError(f"{path.name} has ids that are not UTF-8: {wanted}") from error
    with np.errstate(over="ignore"):
        return [text.strip() for text in texts], vectors.astype(np.float32), "ids"


def _check_claim(path: Path, name: str, wanted: str) -> None:
    """Refuse an array whose header claims another size than the data have: numpy reserves memory first.

    Raises:
        VectorTableError: a wrong header, or Python objects, which only pickle could read.
    """
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        if version not in read_header:
            raise VectorTableError(f"{path.name} contains {name!r} in an unknown format: {wanted}")
        shape, _, dtype = read_header[version](file)
        there = archive.getinfo(f"{name}.npy").file_size - file.tell()
    if dtype.hasobject:
        raise VectorTableError(f"{path.name} contains Python objects in {name!r}: {wanted}")
    if int(np.prod(shape, dtype=object)) * dtype.itemsize != there:
        raise VectorTableError(f"{path.name} is cut off or damaged: {name!r} does not have the size that it claims")


def _find_id(path: Path, columns: Sequence[str], wanted: str | None, label_columns: Sequence[str]) -> str:
    """The column of the ids."""
    if wanted is not None:
        if wanted not in columns:
            raise VectorTableError(f"{path.name} has no column {wanted!r}: its columns are {first_few(columns)}")
        return wanted
    case_id = find_columns(columns)[0].get("case_id")
    if case_id is not None:
        return case_id
    shared = [name for name in columns if name in label_columns]
    if len(shared) != 1:
        found = (
            f"several in common with the labels ({first_few(shared)})" if shared else "none in common with the labels"
        )
        raise VectorTableError(
            f"{path.name} has no column named like case ids, and {found}: say with --id which column names the case"
        )
    return shared[0]


def _texts(path: Path, column: pa.ChunkedArray, name: str) -> list[str]:
    """Ids as text; integers as such, also where missing values turned them into floats."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    values = column.to_pylist()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return ["" if value is None else value.strip() for value in values]
    present = [value for value in values if value is not None and value == value]
    if not _is_number(column.type) or any(value != int(value) for value in present):
        raise VectorTableError(f"{path.name} has ids of {column.type} in {name!r}: save them as text")
    return ["" if value is None or value != value else str(int(value)) for value in values]


def _refuse_words(path: Path, words: dict[str, str]) -> None:
    if words:
        found = first_few([f"{name!r} ({what!r})" for name, what in words.items()])
        raise VectorTableError(
            f"{path.name} has columns that are not numbers: {found}; remove them, or say with --id which column names "
            "the case"
        )


def _refuse_foreign(path: Path, columns: Sequence[str], label_columns: Iterable[str]) -> None:
    """A label, an age or a row number inside a vector would make every result wrong."""
    labels = {name.casefold() for name in label_columns}
    foreign = [name for name in columns if name.casefold() in labels]
    if foreign:
        raise VectorTableError(
            f"{path.name} and the labels both have {first_few(map(repr, foreign))}, which must not become part of a "
            "vector: remove it from the table of vectors"
        )
    stems = [match[1] if (match := _NUMBERED.fullmatch(name)) else None for name in columns]
    stem, count = Counter(stems).most_common(1)[0] if stems else (None, 0)
    if stem is not None and _SAME_STEM * len(columns) <= count < len(columns):
        others = [name for name, its in zip(columns, stems, strict=True) if its != stem]
        raise VectorTableError(
            f"{path.name} has {first_few(map(repr, others))} among columns named {stem}0, {stem}1 and so on: "
            "remove what is not part of the vector"
        )
