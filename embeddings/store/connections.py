"""Short-lived DuckDB connections to one file that several processes share, with errors for people."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from embeddings.store.file_lock import file_lock
from embeddings.store.schema import FIRST_TABLES, MIGRATIONS, SCHEMA_VERSION
from flexict.errors import FlexiCTError

Connection = duckdb.DuckDBPyConnection

_BUSY = (
    "Could not set lock",
    "different configuration than existing connections",
    "already attached",
    "being used by another",
)
_FULL = ("No space left on device", "File too large", "Disk quota exceeded", "Could not write all bytes")
_GONE = ("Stale file handle", "Input/output error", "Transport endpoint is not connected")
# Errors of DuckDB caused by the state of the file; all others are bugs in a statement.
_OF_THE_FILE = (
    duckdb.IOException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.TransactionException,  # what COMMIT makes of a write that failed
    duckdb.PermissionException,  # a view of the file that would reach other files
)
# Within one process DuckDB shares an open file between threads, which then cannot mix reading and writing.
_TURNS: defaultdict[Path, threading.RLock] = defaultdict(threading.RLock)
_MAGIC, _MAGIC_AT = b"DUCK", 8
# A store that came by mail may contain views; none of them may reach other files or the network.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
}


class StoreError(FlexiCTError):
    """The file cannot be used as a cohort store; the message says why and what to do."""


class StoreUnavailable(StoreError):  # noqa: N818  a state that passes
    """The file cannot be used for now; the same command may succeed later."""

    temporary = True


class DiskFull(StoreUnavailable):
    """The disk or the quota is full; what was committed before is kept."""


class StoreGone(StoreUnavailable):
    """The folder of the file does not answer, such as a lost network folder."""


class StoreBusy(StoreUnavailable):
    """Another process kept the file locked for longer than `patience_s`."""


def utc_now() -> datetime:
    """Now in UTC, without a time zone, as the store keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def has_table(con: Connection, table: str) -> bool:
    """Whether the file has the table; those of older versions lack some."""
    return first_row(con, "SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [table]) is not None


def first_row(con: Connection, query: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
    """The first row, or None. DuckDB refuses the next statement while rows are unread."""
    rows = con.execute(query, values).fetchall()
    return rows[0] if rows else None


def _is_utf8(path: Path) -> bool:
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


class SharedFile:
    """A DuckDB file that is opened for one piece of work at a time.

    DuckDB lets one process write or several read. Every connection waits for its turn, at most `patience_s`.
    """

    def __init__(self, path: Path, read_only: bool, patience_s: float) -> None:
        self.path = path
        self.read_only = read_only
        self.patience_s = patience_s

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to a store of this program's schema or an older one, closed at the end of the block."""
        if not self.path.is_file():
            raise StoreError(f"there is no file {self.path}: check the path, or embed a cohort into it first")
        with self._open(read_only=self.read_only) as con:
            version = self._version(con)
            if version == 0:
                raise StoreError(f"{self.path} holds no cohort: it is a DuckDB file of something else")
            yield con

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed at the end of the block, and undone if the block raises.

        The first one creates the file and its tables, or brings an older file up to date.
        """
        if self.read_only:
            raise StoreError(f"{self.path} was opened for reading only")
        if not self.path.parent.is_dir():
            raise StoreError(f"there is no folder {self.path.parent} to write {self.path.name} into: make it first")
        with self._open(read_only=False) as con:
            con.execute("BEGIN")
            try:
                self._migrate(con)
                yield con
            except BaseException:
                # A connection that a failed write made unusable is undone when it closes.
                with suppress(duckdb.Error):
                    con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")

    def _migrate(self, con: Connection) -> None:
        version = self._version(con)
        if version == 0 and first_row(con, "SELECT 1 FROM duckdb_tables()"):
            raise StoreError(f"{self.path} is a DuckDB file of something else: give another name for the store")
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                con.execute(statement)
        if version < SCHEMA_VERSION:
            con.execute("DELETE FROM schema_version")
            con.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])

    def _version(self, con: Connection) -> int:
        """The schema's version; 0 where the file does not hold the tables of a store."""
        tables = {name for (name,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if not tables >= FIRST_TABLES:
            return 0
        found = first_row(con, "SELECT try_cast(version AS INTEGER) FROM schema_version")
        version = int(found[0] or 0) if found else 0
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer version of this program (schema {version}, this one "
                f"reads up to {SCHEMA_VERSION}): update the program"
            )
        return version

    @contextmanager
    def _open(self, read_only: bool) -> Iterator[Connection]:
        self._check_kind()
        turn = _TURNS[self.path.resolve()]
        deadline = time.monotonic() + self.patience_s
        if not turn.acquire(timeout=self.patience_s):
            raise self._busy()
        try:
            with file_lock(self.path, not read_only, deadline):
                con = self._connect(read_only, deadline)
            try:
                yield con
            except duckdb.Error as error:
                if isinstance(error, _OF_THE_FILE) or type(error) is duckdb.Error:  # of a block with a wrong checksum
                    raise self._explained(error) from error
                raise
            finally:
                con.close()
        finally:
            turn.release()

    def _check_kind(self) -> None:
        """DuckDB looks at names and contents itself, and would open a CSV in memory and a SQLite file by extension."""
        if "\0" in str(self.path) or not _is_utf8(self.path):
            raise StoreError(f"{self.path!s:.200} is not a name that DuckDB can open: rename the file or its folder")
        if self.path.exists():
            if not self.path.is_file():
                raise StoreError(f"{self.path} does not exist: give the .duckdb file of a cohort")
            with self.path.open("rb") as file:
                start = file.read(len(_MAGIC) + _MAGIC_AT)
            if start[_MAGIC_AT:] != _MAGIC:
                raise StoreError(f"{self.path} is not a DuckDB file: choose one that the embedding job wrote")
        elif self.path.suffix != ".duckdb":
            raise StoreError(f"{self.path.name} is not a name for a cohort file: let it end in .duckdb")

    def _connect(self, read_only: bool, deadline: float) -> Connection:
        pause = 0.01
        while True:
            try:
                return duckdb.connect(self.path.resolve(), read_only=read_only, config=_CONFIG)
            except duckdb.Error as error:
                if not any(sign in str(error) for sign in _BUSY):
                    raise self._explained(error) from error
                if time.monotonic() > deadline:
                    raise self._busy() from error
            # Random pauses, so that waiting processes do not retry in step.
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 1.5, 0.25)

    def _busy(self) -> StoreBusy:
        return StoreBusy(
            f"{self.path} has been in use by another program for {self.patience_s:.0f} s: close what has it "
            "open (an embedding job or a DuckDB shell) and try again"
        )

    def _explained(self, error: duckdb.Error) -> StoreError:
        text = str(error)
        if any(sign in text for sign in _FULL):
            return DiskFull(
                f"there is no room to write {self.path} (disk, quota or limit on file size): free space and run the "
                "same command again; nothing that was stored is lost"
            )
        if any(sign in text for sign in _GONE):
            return StoreGone(
                f"the folder of {self.path} does not answer: check its disk or network folder, then run "
                "the same command again"
            )
        return StoreError(self._sentence(text))

    def _sentence(self, text: str) -> str:
        if "enough bytes" in text or "checksum" in text.casefold() or "corrupt" in text.casefold():
            return f"{self.path} is damaged or was copied only in part: copy it again from where it was made"
        if "Permission denied" in text or "Read-only file system" in text:
            return f"{self.path} cannot be opened with your permissions: choose another place or change them"
        if "newer version" in text:
            return f"{self.path} was written by a newer DuckDB than {duckdb.__version__}: update duckdb"
        return f"{self.path} cannot be read or written: {text.splitlines()[0].rstrip('.')}"
