"""CTs uploaded to be looked up: checked, and kept in a folder of their own for at most a day.

No file gets a name that a browser or an archive sent; only the extensions of an archive's names are kept.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dashboard.session import users
from dashboard.session.settings import Settings
from embeddings.atomic_file import partial_file
from flexict.errors import FlexiCTError

FOLDER = "look-up"
KEPT_S = 24 * 3600
CT_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".zip")
MASK_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha", ".dcm")
MOST_ENTRIES = 5000
# A DICOM series packs to half its size at best; a bomb to a thousandth.
MOST_UNPACKED = 6
_CHUNK = 1 << 20
_log = logging.getLogger(__name__)


def new_folder(settings: Settings) -> Path:
    """A folder for one upload of this session."""
    folder = settings.workspace / FOLDER / secrets.token_hex(16)
    folder.mkdir(parents=True, mode=0o700)
    return folder


def delete_old(settings: Settings, now: float | None = None) -> None:
    """Delete the uploads of all users that are older than a day."""
    workspaces = settings.workspaces or settings.workspace
    oldest = (time.time() if now is None else now) - KEPT_S
    for kept in (*workspaces.glob(f"{FOLDER}/*"), *workspaces.glob(f"{users.FOLDER}/*/{FOLDER}/*")):
        # Another session may delete the same folder meanwhile.
        try:
            if kept.lstat().st_mtime < oldest:
                delete_folder(kept)
        except FileNotFoundError:
            continue
        except OSError:
            _log.exception("an upload that is more than a day old cannot be deleted")


def delete_folder(folder: Path) -> None:
    """Delete an upload. That it is gone already, as a whole or in part, is no error.

    Raises:
        OSError: something of it cannot be deleted.
    """

    def raise_unless_gone(_: object, __: str, raised: tuple[object, BaseException, object]) -> None:
        if not isinstance(raised[1], FileNotFoundError):
            raise raised[1]

    shutil.rmtree(folder, onerror=raise_unless_gone)


def keep_ct(name: str, source: BinaryIO, folder: Path, max_mb: int) -> Path:
    """Write an uploaded CT into `folder` and return its path: a file, or a folder of DICOM slices.

    Args:
        name: as the browser sent it; only its extension is used.
        source: read from its beginning, also after an attempt that was interrupted.

    Raises:
        FlexiCTError: too large, of another file type, or an archive that is not a plain zip of DICOM files.
    """
    ending = _ending(name, CT_ENDINGS)
    path = folder / f"ct{ending}"
    source.seek(0)
    _copy(source, path, max_mb * 1_000_000, "the CT")
    if ending != ".zip":
        return path
    series = folder / "ct"
    try:
        _unpack(path, series, max_mb * 1_000_000 * MOST_UNPACKED)
    except BaseException:
        shutil.rmtree(series, ignore_errors=True)
        raise
    finally:
        path.unlink()
    return series


def keep_mask(name: str, source: BinaryIO, folder: Path, max_mb: int) -> Path:
    """Write an uploaded mask into `folder` and return its path; raises what `keep_ct` raises of a single file."""
    path = folder / f"mask{_ending(name, MASK_ENDINGS)}"
    source.seek(0)
    _copy(source, path, max_mb * 1_000_000, "the mask")
    return path


def _ending(name: str, endings: Iterable[str]) -> str:
    found = next((ending for ending in endings if name.casefold().endswith(ending)), None)
    if found is None:
        raise FlexiCTError(f"the file type is not one of {', '.join(endings)}: save it as one of these")
    return found


def _copy(source: BinaryIO, path: Path, most: int, what: str) -> int:
    """Write at most `most` bytes and return how many; `path` exists only once the file is complete."""
    written = 0
    with partial_file(path, durable=False) as partial, partial.open("wb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > most:
                raise FlexiCTError(f"{what} is larger than {most / 1e6:.0f} MB: crop it, or save it compressed")
            file.write(chunk)
    return written


def _unpack(archive: Path, folder: Path, most: int) -> None:
    """Write the files of an archive as 00001.dcm, 00002.txt ... into one folder."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened.infolist(), most)
            folder.mkdir()
            left = most
            for number, entry in enumerate(entries, start=1):
                with opened.open(entry) as source:
                    # The sizes that an archive states may be wrong.
                    name = f"{number:05d}{_kind(PurePosixPath(entry.filename))}"
                    left -= _copy(source, folder / name, left, "the unpacked archive")  # type: ignore[arg-type]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise FlexiCTError(f"the zip cannot be unpacked ({error}): make a new one of the series' files") from error


def _kind(place: PurePosixPath) -> str:
    """An extension by which the reader distinguishes slices, which are numbered, from other files of an archive."""
    ending = place.suffix.lower()
    if re.fullmatch(r"\.[a-z][a-z0-9]{0,7}", ending):
        return ending
    return "" if re.search(r"\d", place.name) else ".other"


def _checked(entries: list[zipfile.ZipInfo], most: int) -> list[zipfile.ZipInfo]:
    # Not `is_dir`, which fails on an empty name.
    files = [entry for entry in entries if not entry.filename.endswith("/")]
    for entry in files:
        place = PurePosixPath(entry.filename)
        if place.is_absolute() or ".." in place.parts or "\\" in entry.filename or ":" in "".join(place.parts[:1]):
            raise FlexiCTError(
                f"the zip contains {entry.filename!r}, a path that leads out of it: make a zip of plain files"
            )
        if entry.filename.rsplit("/", 1)[-1] in ("", "."):
            raise FlexiCTError(f"the zip contains {entry.filename!r}, which names no file: make a zip of plain files")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise FlexiCTError(f"the zip contains a link ({entry.filename!r}): make a zip of the files themselves")
        if entry.flag_bits & 1:
            raise FlexiCTError("the zip is protected by a password: make one without")
    files = [entry for entry in files if not _is_hidden(PurePosixPath(entry.filename))]
    if not files:
        raise FlexiCTError("the zip contains no files: put the slices of one DICOM series into it")
    if len(files) > MOST_ENTRIES:
        raise FlexiCTError(f"the zip contains {len(files)} files, more than {MOST_ENTRIES}: give one DICOM series")
    if sum(entry.file_size for entry in files) > most:
        raise FlexiCTError(f"the zip unpacks to more than {most / 1e6:.0f} MB: give one DICOM series")
    return files


def _is_hidden(place: PurePosixPath) -> bool:
    """Whether an archive program added the file itself."""
    return any(part.startswith(".") or part == "__MACOSX" for part in place.parts) or place.name == "DICOMDIR"
