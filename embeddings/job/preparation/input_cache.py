"""Prepared input kept on disk, so that another encoder of the same presets need not read the scans again.

An entry is two files: the inputs as raw float32, and a JSON file that describes them. The JSON file is written last and
appears only when it is whole, so an entry that is there is complete.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from embeddings.atomic_file import partial_file
from embeddings.job.messages import CaseEnd, Prepared
from embeddings.job.planning.views import CODE_VERSION, Recipe
from embeddings.records import AcquisitionRecord, Failure, LesionRecord, Source, Thumbnail

if TYPE_CHECKING:
    from embeddings.cohort.read import Case

_LOG = logging.getLogger(__name__)
# Raise it when the JSON files change.
FORMAT = 2


@dataclass(frozen=True)
class _Item:
    """An item without its input; `mask` is packed to eight voxels a byte and deflated."""

    slice_index: int | None
    z_lps_mm: float | None
    thumbnail: Thumbnail | None
    mask: bytes | None


@dataclass(frozen=True)
class CachedCase:
    """A case as it was prepared with one recipe.

    It is the content of the JSON file, where no record names a case: the same files may be another case of another
    cohort. `inputs` is the file of the inputs, known once the entry was found.
    """

    source: Source
    acquisition: AcquisitionRecord | None
    lesions: list[LesionRecord]
    failures: list[Failure]
    shape: tuple[int, ...]
    kept: list[_Item]
    inputs: str = ""

    def items(self, set_id: str, recipe: Recipe) -> Iterator[Prepared]:
        """The items, read one at a time."""
        case_id, count = self.source.case_id, int(np.prod(self.shape))
        for number, item in enumerate(self.kept):
            array = np.fromfile(self.inputs, np.float32, count, offset=number * count * 4).reshape(self.shape)
            yield Prepared(
                set_id,
                recipe.item_id(case_id, item.slice_index),
                case_id,
                self.source,
                item.slice_index,
                item.z_lps_mm,
                item.thumbnail,
                array=array,
                mask=_unpacked(item.mask, self.shape),
            )


# Made here, once: msgspec crashes where several threads ask for a type for the first time.
_DECODER = msgspec.json.Decoder(CachedCase)


class InputCache:
    """A folder of prepared input, found by files, seed and recipe; several jobs may share it.

    If an entry cannot be written (a full disk), the log says so once for the case and no vector is lost.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, case: Case, recipe: Recipe, stamp: str, thumbnails: bool) -> CachedCase | None:
        """The case as it was prepared from files of this stamp, or None; a damaged entry counts as none."""
        path = self._path(case, recipe, stamp, thumbnails)
        inputs = path.with_suffix(".f32")
        try:
            found = _DECODER.decode(path.read_bytes())
            if inputs.stat().st_size != len(found.kept) * int(np.prod(found.shape)) * 4:
                return None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            _LOG.warning("the cached input %s cannot be used (%s); reading the scan again", path.name, error)
            return None
        return replace(_with_case_id(found, case.case_id, stamp), inputs=str(inputs))

    def keep(self, case: Case, recipe: Recipe, stamp: str, thumbnails: bool) -> NewEntry:
        """An entry to be filled item by item."""
        return NewEntry(self._path(case, recipe, stamp, thumbnails))

    def _path(self, case: Case, recipe: Recipe, stamp: str, thumbnails: bool) -> Path:
        parts = [
            CODE_VERSION,
            FORMAT,
            str(case.image_path.absolute()),
            str(case.mask_path and case.mask_path.absolute()),
            stamp,
            recipe.view,
            recipe.label,
            recipe.slice_step,
            thumbnails,
            recipe.with_mask,
        ]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return self._folder / key[:2] / f"{key}.json"


class NewEntry:
    """An entry of the cache while it is written; without `finish` nothing of it remains."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}.{uuid.uuid4().hex[:8]}.partial")
        self._file: BinaryIO | None = None
        self._items: list[_Item] = []
        self._shape: tuple[int, ...] = ()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("wb")
        except OSError as error:
            self._give_up(error)

    def __enter__(self) -> NewEntry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def add(self, item: Prepared) -> None:
        """The next item, as it goes to the encoder."""
        if self._file is None:
            return
        try:
            self._file.write(np.ascontiguousarray(item.array, np.float32).data)
        except OSError as error:
            self._give_up(error)
            return
        self._shape = item.array.shape
        mask = None if item.mask is None else zlib.compress(np.packbits(item.mask != 0).tobytes())
        self._items.append(_Item(item.slice_index, item.z_lps_mm, item.thumbnail, mask))

    def finish(self, source: Source, end: CaseEnd) -> None:
        """Put the entry in place: the inputs first, then their description."""
        if self._file is None or not self._items:
            return
        failures = [Failure(end.case_id, failure.stage_of_work, failure.reason) for failure in end.failures]
        entry = CachedCase(source, end.acquisition, end.lesions, failures, self._shape, self._items)
        try:
            self._file.close()
            self._partial.replace(self._path.with_suffix(".f32"))
            with partial_file(self._path, durable=False) as description:
                description.write_bytes(msgspec.json.encode(_with_case_id(entry, "", source.stamp)))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._close()
        _LOG.warning("%s cannot be written (%s): the run goes on without keeping its input", self._path.parent, error)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._partial.unlink(missing_ok=True)


def _with_case_id(found: CachedCase, case_id: str, stamp: str) -> CachedCase:
    return replace(
        found,
        source=replace(found.source, case_id=case_id, stamp=stamp),
        acquisition=found.acquisition and replace(found.acquisition, case_id=case_id),
        lesions=[replace(lesion, case_id=case_id) for lesion in found.lesions],
        failures=[replace(failure, case_id=case_id) for failure in found.failures],
    )


def _unpacked(mask: bytes | None, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    if mask is None:
        return None
    return np.unpackbits(np.frombuffer(zlib.decompress(mask), np.uint8), count=int(np.prod(shape))).reshape(shape)
