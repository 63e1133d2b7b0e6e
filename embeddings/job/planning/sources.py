"""What the vectors of a case were made from: enough to notice that a file changed while the case id did not."""

from __future__ import annotations

import errno
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from embeddings.imaging.images import EXTENSIONS, ImageError, content_sha256, voxel_file
from embeddings.imaging.masks.dicom_mask import is_structure_set
from embeddings.job.planning.views import Recipe

if TYPE_CHECKING:
    from embeddings.cohort.read import Case

_OF_A_LOST_FOLDER = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH}
# How the outlines of an RTSTRUCT become voxels: raise it when that changes, and its cases are embedded again.
_OUTLINES = "outlines 2"


def stamp_of(case: Case) -> str:
    """Sizes and times of the image's and the mask's files, the mask's label and the seed, without reading a file.

    Equal stamps mean that nothing changed; different stamps mean that the contents must be compared.
    """
    mask = "none" if case.mask_path is None else _file_stamp(case.mask_path)
    if case.mask_path is not None and not case.mask_path.name.lower().endswith(EXTENSIONS):
        mask += f", {_OUTLINES}"  # it may be an RTSTRUCT
    if case.mask_label is not None:
        mask += f", label {case.mask_label!r}"
    return f"image {_file_stamp(case.image_path)}; mask {mask}; seed {case.seed_lps}"


class Digests:
    """SHA-256 of the files of a case, each read once for all recipes."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._of_file: dict[Path, str] = {}

    def content(self, recipe: Recipe) -> str:
        """Digests of the files, the label and the seed that decide the case's vectors under this recipe.

        Raises:
            OSError: a file that cannot be read.
        """
        case = self._case
        parts = [self._digest(case.image_path)]
        by_seed = recipe.preset == "lesion_seed" and case.seed_lps is not None
        if by_seed:
            parts.append(repr(case.seed_lps))
        if case.mask_path is not None and (recipe.with_mask or (recipe.view == "lesion" and not by_seed)):
            parts.append(self._digest(case.mask_path))
            if self._has_outlines:
                parts.append(_OUTLINES)
            if case.mask_label is not None:
                parts.append(f"label {case.mask_label!r}")
        return " ".join(parts)

    @cached_property
    def _has_outlines(self) -> bool:
        return self._case.mask_path is not None and is_structure_set(self._case.mask_path)

    def _digest(self, path: Path) -> str:
        if path not in self._of_file:
            self._of_file[path] = content_sha256(path)
        return self._of_file[path]


def vanished_folder(case: Case, planned_stamp: str, error: Exception) -> str | None:
    """The folder that disappeared after the plan was made, if that is why a case could not be read.

    A lost network folder leaves nothing, an empty folder, or errors of its own: its scans are not at fault. A single
    missing file is.
    """
    folder = case.image_path.parent
    if "unreadable" in planned_stamp:
        return None
    lost = isinstance(error, OSError) and error.errno in _OF_A_LOST_FOLDER
    try:
        if case.image_path.exists() and not lost:
            return None
        return None if any(folder.iterdir()) else str(folder)
    except OSError:
        return str(folder)


def _file_stamp(path: Path) -> str:
    try:
        if path.is_dir():
            files = [file for file in path.iterdir() if file.is_file()]
        else:
            files = [path, voxel_file(path)] if path.suffix.lower() == ".mhd" else [path]
        stats = [file.stat() for file in files]
    except (OSError, ImageError):
        # The reader will report what is wrong.
        return "unreadable"
    latest = max((s.st_mtime_ns for s in stats), default=0)
    return f"{len(stats)} files of {sum(s.st_size for s in stats)} bytes, {latest} ns"
