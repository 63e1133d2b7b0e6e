"""Paths and headers of a cohort's images, for many files at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from embeddings.cohort.table import check_name
from embeddings.imaging.image_header import ImageError, ImageHeader
from embeddings.imaging.images import inspect, mask_on, open_mask
from embeddings.imaging.masks.uneven_mask import check_on
from flexict.errors import FlexiCTError

_THREADS = 8
# Masks up to these voxels and bytes are read whole, on CTs up to these voxels: a tenth of a second each.
_MOST_READ, _MOST_BYTES, _MOST_GRID = 2**24, 2**25, 2**28


class PathLocator:
    """Finds the files that a cohort's cells name, only inside the data root."""

    def __init__(self, folder: Path, data_root: Path | None) -> None:
        """Relative paths start at `folder`, or at `data_root` where they lead nowhere from there."""
        self.root = Path(os.path.realpath(folder if data_root is None else data_root))
        self._starts = list(dict.fromkeys((os.path.realpath(folder), str(self.root))))
        self._below = os.path.join(self.root, "")  # the root itself may be / already
        # Cohorts have many files in few folders. Text instead of Path takes a tenth of the time at 100,000 rows.
        self._real_folder = lru_cache(maxsize=65536)(os.path.realpath)

    def locate(self, cell: str) -> Path:
        """The file's real path (symbolic links followed).

        Raises:
            FlexiCTError: outside the data root, or no such file; the message can follow the case's name.
        """
        if not cell.isprintable():
            raise FlexiCTError("the path contains control characters: correct it")
        relative = cell.replace("\\", "/")
        candidates = [self._real(os.path.join(start, relative)) for start in self._starts]
        inside = [path for path in candidates if self._contains(path)]
        if not inside:
            raise FlexiCTError(f"{cell} is outside the data root {self.root}: move it there, or give another data root")
        for path in inside:
            if os.path.exists(path):
                check_name(path)
                if os.path.isdir(path):
                    self._check_links(path, cell)
                return Path(path)
        starts = " or ".join(self._starts)
        raise FlexiCTError(f"{cell} does not exist (relative paths start at {starts}): correct the path")

    def _contains(self, real_path: str) -> bool:
        return real_path.startswith(self._below) or real_path == str(self.root)

    def _real(self, path: str) -> str:
        folder, name = os.path.split(path)
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        path = os.path.join(self._real_folder(folder), name)
        return os.path.realpath(path) if os.path.islink(path) else path

    def _check_links(self, folder: str, cell: str) -> None:
        for entry in os.scandir(folder):
            if entry.is_symlink() and not self._contains(os.path.realpath(entry.path)):
                raise FlexiCTError(f"{cell}/{entry.name} links outside the data root {self.root}: copy the file itself")


def read_headers(paths: Iterable[Path]) -> dict[Path, ImageHeader | ImageError]:
    """Each file's header, or why it has none; reads several files at a time."""
    distinct = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(distinct, pool.map(_header, distinct), strict=True))


@dataclass(frozen=True)
class MaskCheck:
    """Why a mask does not match its image, None where it does; and notes for users."""

    problem: str | None = None
    notes: tuple[str, ...] = ()


def check_masks(masks: Sequence[tuple[Path, str | None, ImageHeader | None]]) -> list[MaskCheck]:
    """Whether each mask matches its image: by headers, and for small masks by their voxels.

    Args:
        masks: mask, label of the lesion in it, and the header of its image (None where unreadable: the mask is then
            checked alone).
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(_check_mask, *zip(*masks, strict=True))) if masks else []


def _check_mask(path: Path, label: str | None, image: ImageHeader | None) -> MaskCheck:
    try:
        mask = open_mask(path, label)
        if image is None:
            return MaskCheck()
        grid = image.grid()
        if mask.n_read <= _MOST_READ and grid.array.size <= _MOST_GRID and _n_bytes(path) <= _MOST_BYTES:
            return MaskCheck(notes=mask_on(mask, grid, image)[1])
        return MaskCheck(notes=check_on(mask, grid, image.uneven))
    except (ImageError, OSError) as error:
        return MaskCheck(str(_image_error(path, error)))


def _n_bytes(path: Path) -> int:
    """Size of a file; 0 for a folder, whose single mask is judged by its pixels."""
    return 0 if path.is_dir() else path.stat().st_size


def _header(path: Path) -> ImageHeader | ImageError:
    try:
        return inspect(path)
    except (ImageError, OSError) as error:
        return _image_error(path, error)


def _image_error(path: Path, error: ImageError | OSError) -> ImageError:
    if isinstance(error, ImageError):
        return error
    return ImageError(path, f"cannot be read ({error.strerror}): check its permissions")
