"""Prepared input kept on disk, so that another encoder of the same presets need not read the scans again.

An entry is two files: the inputs as raw float32, and a JSON file that says what they are. The JSON file comes last and
under its name only when it is whole, so an entry that is there is complete.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from embeddings.job.messages import CaseEnd, Prepared
from embeddings.job.planning.views import CODE_VERSION, Recipe
from embeddings.records import AcquisitionRecord, Failure, LesionRecord, Source, Thumbnail

if TYPE_CHECKING:
    from embeddings.cohort.read import Case

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CachedCase:
    """What the cache knows of one case in one recipe."""

    source: Source
    acquisition: AcquisitionRecord | None
    lesions: tuple[LesionRecord, ...]
    failures: tuple[Failure, ...]
    _case_id: str
    _recipe: Recipe
    _items: tuple[dict[str, Any], ...]
    _shape: tuple[int, ...]
    _inputs: Path

    def items(self, set_id: str) -> Iterator[Prepared]:
        """The items, read one at a time."""
        count = int(np.prod(self._shape))
        for number, item in enumerate(self._items):
            array = np.fromfile(self._inputs, np.float32, count, offset=number * count * 4).reshape(self._shape)
            picture = item["thumbnail"]
            if picture is not None:
                picture = Thumbnail(**picture | {"png": base64.b64decode(picture["png"])})
            yield Prepared(
                set_id,
                self._recipe.item_id(self._case_id, item["slice_index"]),
                self._case_id,
                array,
                self.source,
                item["slice_index"],
                item["z_lps_mm"],
                picture,
                _unpacked(item["mask"], self._shape),
            )


class InputCache:
    """A folder of prepared input, found by files, seed and recipe; safe to share between jobs.

    What cannot be written (a full disk) is told once in the log and costs no vector.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, case: Case, recipe: Recipe, stamp: str, thumbnails: bool) -> CachedCase | None:
        """The case as it was prepared from files of this stamp, or None; a damaged entry counts as none."""
        path = self._path(case, recipe, stamp, thumbnails)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            case_id, shape = case.case_id, tuple(int(n) for n in found["shape"])
            inputs = path.with_suffix(".f32")
            if inputs.stat().st_size != len(found["items"]) * int(np.prod(shape)) * 4:
                return None
            acquisition = found["acquisition"]
            return CachedCase(
                source=Source(case_id, found["content"], stamp, found["doubt"]),
                acquisition=None if acquisition is None else AcquisitionRecord(case_id, **acquisition),
                lesions=tuple(
                    LesionRecord(case_id, **lesion | {"centroid_lps": tuple(lesion["centroid_lps"])})
                    for lesion in found["lesions"]
                ),
                failures=tuple(Failure(case_id, stage, reason) for stage, reason in found["failures"]),
                _case_id=case_id,
                _recipe=recipe,
                _items=tuple(found["items"]),
                _shape=shape,
                _inputs=inputs,
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _LOG.warning("the cached input %s cannot be used (%s); the scan is read again", path.name, error)
            return None

    def keep(self, case: Case, recipe: Recipe, stamp: str, thumbnails: bool) -> Keeping:
        """An entry to be filled item by item."""
        return Keeping(self._path(case, recipe, stamp, thumbnails))

    def _path(self, case: Case, recipe: Recipe, stamp: str, thumbnails: bool) -> Path:
        parts = [
            CODE_VERSION,
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


class Keeping:
    """An entry of the cache while it is written; without `finish` nothing of it remains."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}.{uuid.uuid4().hex[:8]}.partial")
        self._file: BinaryIO | None = None
        self._items: list[dict[str, Any]] = []
        self._shape: tuple[int, ...] = ()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("wb")
        except OSError as error:
            self._give_up(error)

    def __enter__(self) -> Keeping:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._partial.unlink(missing_ok=True)

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
        picture = None
        if item.thumbnail is not None:
            picture = asdict(item.thumbnail) | {"png": base64.b64encode(item.thumbnail.png).decode()}
        self._items.append(
            {
                "slice_index": item.slice_index,
                "z_lps_mm": item.z_lps_mm,
                "thumbnail": picture,
                "mask": None if item.mask is None else _packed(item.mask),
            }
        )

    def finish(self, source: Source, end: CaseEnd) -> None:
        """Put the entry under its name: the inputs first, then what they are."""
        if self._file is None or not self._items:
            return
        found = {
            "content": source.content,
            "doubt": source.doubt,
            "acquisition": None if end.acquisition is None else _without_case(asdict(end.acquisition)),
            "lesions": [_without_case(asdict(lesion)) for lesion in end.lesions],
            "failures": [(failure.stage_of_work, failure.reason) for failure in end.failures],
            "shape": self._shape,
            "items": self._items,
        }
        words = self._partial.with_suffix(".json")
        try:
            self._file.close()
            words.write_text(json.dumps(found), encoding="utf-8")
            self._partial.replace(self._path.with_suffix(".f32"))
            words.replace(self._path)
        except OSError as error:
            words.unlink(missing_ok=True)
            self._give_up(error)
        self._file = None

    def _give_up(self, error: OSError) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._partial.unlink(missing_ok=True)
        _LOG.warning("%s cannot be written (%s): the run goes on without keeping its input", self._path.parent, error)


def _packed(mask: NDArray[np.uint8]) -> str:
    """A mask as text: eight voxels a byte, deflated."""
    return base64.b64encode(zlib.compress(np.packbits(mask != 0).tobytes())).decode()


def _unpacked(text: str | None, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    if text is None:
        return None
    bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape)


def _without_case(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "case_id"}
