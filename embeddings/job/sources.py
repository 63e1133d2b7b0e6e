"""What a case's vectors were made from: enough to notice that a file has changed under an unchanged case id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from embeddings.images import ImageError, content_sha256, voxel_file
from embeddings.job.views import Recipe

if TYPE_CHECKING:
    from embeddings.cohort import Case


def stamp_of(case: Case) -> str:
    """Sizes and times of the image's and the mask's files, and the seed, without reading a file.

    Equal stamps mean that nothing changed; other stamps mean that the contents have to be compared.
    """
    mask = "none" if case.mask_path is None else _file_stamp(case.mask_path)
    return f"image {_file_stamp(case.image_path)}; mask {mask}; seed {case.seed_lps}"


def content_of(case: Case, recipe: Recipe) -> str:
    """SHA-256 of the files, and the seed, that decide the case's vectors under this recipe.

    Raises:
        OSError: a file that cannot be read.
    """
    parts = [content_sha256(case.image_path)]
    if recipe.preset == "lesion_seed" and case.seed_lps is not None:
        parts.append(repr(case.seed_lps))
    elif recipe.view == "lesion" and case.mask_path is not None:
        parts.append(content_sha256(case.mask_path))
    return " ".join(parts)


def _file_stamp(path: Path) -> str:
    try:
        if path.is_dir():
            files = [file for file in path.iterdir() if file.is_file()]
        else:
            files = [path, voxel_file(path)] if path.suffix.lower() == ".mhd" else [path]
        stats = [file.stat() for file in files]
    except (OSError, ImageError):
        # The reader will say what is wrong with it.
        return "unreadable"
    latest = max((s.st_mtime_ns for s in stats), default=0)
    return f"{len(stats)} files of {sum(s.st_size for s in stats)} bytes, {latest} ns"
