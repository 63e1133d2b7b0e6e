"""A CSV as header and rows of text, whatever its encoding and delimiter."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from flexict.errors import FlexiCTError

MOST_BYTES = 512 * 2**20
_DELIMITERS = ",;\t"
# The line with which Excel declares the delimiter; a spreadsheet does not show it.
_SEPARATOR_LINE = re.compile(r'"?sep=([^\r"])"?[,;\t]*\r?\n', re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_MAGIC = {
    b"PK\x03\x04": "a spreadsheet or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF",
}


class CohortError(FlexiCTError):
    """An unreadable cohort file; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Table:
    """A CSV's cells as text.

    Attributes:
        header: column names, stripped; unnamed columns with values are `column N`.
        rows: row number as in a spreadsheet (the header is row 1) and the cells, one per header.
        ragged: row number -> its number of cells, for rows with another number of cells than the header.
        decimal_comma: numbers may be written `3,5` (the delimiter is not a comma).
        notes: assumptions made in reading, one sentence each.
    """

    header: list[str]
    rows: list[tuple[int, list[str]]]
    ragged: dict[int, int]
    decimal_comma: bool
    notes: list[str]

    def number_text(self, cell: str) -> str:
        """The cell with a decimal point where it is a number with a decimal comma, otherwise unchanged."""
        return cell.replace(",", ".") if self.decimal_comma and _COMMA_NUMBER.fullmatch(cell) else cell


def check_name(path: Path | str) -> None:
    """Raise CohortError where a path is not UTF-8, which neither DuckDB nor every reader of images can take."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        said = str(path).encode(errors="backslashreplace").decode()
        raise CohortError(f"the path {said} is not UTF-8: rename the file or its folder") from error


def read_table(path: Path, max_rows: int) -> Table:
    """Read a CSV with comma, semicolon or tab, or the delimiter of its first line `sep=`, in UTF-8 or (noted) Latin-1.

    Raises:
        CohortError: no such file, not text, no header, a single column, a duplicate column, no rows or too many.
    """
    text, notes = _text_of(path)
    declared = _SEPARATOR_LINE.match(text)
    text = text[declared.end() :] if declared else text
    delimiter = _delimiter(path, text, declared[1] if declared else "")
    records: list[tuple[int, list[str]]] = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), start=1):
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                records.append((number, stripped))
            if len(records) > max_rows + 1:
                raise CohortError(f"{path.name} has more than {max_rows:,} rows: split it into several cohorts")
    except csv.Error as error:
        raise CohortError(f"{path.name} is not a readable CSV ({error}): save it again as CSV") from error
    if not records:
        raise CohortError(f"{path.name} has only empty cells: give a CSV with a header row and one row per scan")
    (_, header), *rows = records
    if not rows:
        raise CohortError(f"{path.name} has a header but no rows: add one row per scan")
    while len(header) > 1 and not header[-1] and all(not any(cells[len(header) - 1 :]) for _, cells in rows):
        header = header[:-1]
        rows = [(number, cells[: len(header)]) for number, cells in rows]
    header = [name or f"column {position}" for position, name in enumerate(header, start=1)]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise CohortError(f"{path.name} has two columns named {twice[0]!r}: rename one")
    return Table(
        header=header,
        rows=[(number, cells + [""] * (len(header) - len(cells))) for number, cells in rows],
        ragged={number: len(cells) for number, cells in rows if len(cells) != len(header)},
        decimal_comma=delimiter != ",",
        notes=notes,
    )


def _delimiter(path: Path, text: str, declared: str) -> str:
    """The declared delimiter if it divides the first line, or the one that divides it into the most cells."""
    first_line = next((line for line in text.splitlines() if line.strip()), "")
    try:
        widths = {mark: len(next(csv.reader([first_line], delimiter=mark))) for mark in declared + _DELIMITERS}
    except csv.Error as error:
        raise CohortError(f"{path.name} is not a readable CSV ({error}): save it again as CSV") from error
    if declared and widths[declared] > 1:
        return declared
    delimiter = max(widths, key=lambda mark: widths[mark])
    if widths[delimiter] < 2:
        raise CohortError(f"{path.name} has a single column: give a CSV with a header row and one row per scan")
    return delimiter


def _text_of(path: Path) -> tuple[str, list[str]]:
    if not path.exists():
        raise CohortError(f"{path} does not exist: correct the path of the cohort's CSV")
    if not path.is_file():
        raise CohortError(f"{path} is a folder: give the CSV file in it")
    if path.stat().st_size > MOST_BYTES:
        raise CohortError(f"{path.name} is larger than {MOST_BYTES // 2**20} MB: give a CSV with one row per scan")
    raw = path.read_bytes()
    for magic, what in _MAGIC.items():
        if raw.startswith(magic):
            raise CohortError(f"{path.name} is {what}, not a CSV: save the sheet as CSV (UTF-8)")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CohortError(f"{path.name} is UTF-16 text: save it as CSV (UTF-8)")
    if b"\0" in raw:
        raise CohortError(f"{path.name} is a binary file, not a CSV: give a CSV with a header and one row per scan")
    if not raw.strip():
        raise CohortError(f"{path.name} is empty: give a CSV with a header row and one row per scan")
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        try:
            text = raw.decode("cp1252")  # Latin-1 with quotes and dashes in place of control characters
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        return text, ["the file is not UTF-8 and was read as Latin-1: check accented letters"]
