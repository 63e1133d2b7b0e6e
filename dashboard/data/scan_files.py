"""Where the CTs and masks of a cohort file are, and which of them a session may read: the only way to them.

A cohort file names its CTs, and it may have come by mail: no path is opened or tested for existence before it is known
to be below a data root. Functions that read voxels take a `ReadablePath`, which only this module makes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NewType

from dashboard.session.settings import Settings
from embeddings.imaging.images import ImageError
from embeddings.records import CohortInfo

ReadablePath = NewType("ReadablePath", str)
"""A real path, links followed, that the session may read."""
_MOST_NAMED = 3


@dataclass(frozen=True)
class ScanFiles:
    """Finds the files that a cohort file names, for one session.

    Attributes:
        settings: of the session.
        starts: folders that the file's relative paths start from: its data root, and the folder of its CSV.
        roots: folders that are tried instead where the cohort was moved.
    """

    settings: Settings
    starts: tuple[Path, ...] = ()
    roots: tuple[Path, ...] = ()

    @classmethod
    def of_cohort(cls, settings: Settings, cohort: Path, info: CohortInfo) -> ScanFiles:
        """Those of a cohort file, also where its folder was moved below one of the data roots."""
        starts = (info.data_root, *([Path(info.cohort_csv).parent] if info.cohort_csv else []))
        return cls(settings, starts, (cohort.resolve().parent, *settings.data_roots))

    def find(self, stored: str) -> ReadablePath:
        """The real path of a stored one.

        Where there is no such file, its path relative to the data root or to the CSV is tried from each data root.

        Raises:
            ImageError: it is outside the data roots, absent, or in two places; the message lists the places searched.
        """
        path = Path(stored)
        allowed = self.settings.allows(path)
        if allowed and path.exists():
            return self._checked(path)
        moved = [one for one in self._moved(path) if self.settings.allows(one)]
        found = list(dict.fromkeys(one.resolve() for one in moved if one.exists()))
        if len(found) > 1:
            # Two cohorts may use the same names for different scans.
            places = " and ".join(str(one) for one in found[:_MOST_NAMED])
            raise ImageError(path, f"is not there, but at {places}: start the app with --data-root and one of them")
        if found:
            return self._checked(found[0])
        sought = dict.fromkeys(str(one) for one in moved)
        also = f", and not at {' or '.join(list(sought)[:_MOST_NAMED])}" if sought else ""
        if not allowed:
            raise ImageError(path, f"is outside the data root ({path.parent}){also}: start the app with --data-root")
        raise ImageError(
            path,
            f"is not there ({path.parent}){also}: mount the folder of the CTs, or start the app with "
            "--data-root and the folder that it was moved to",
        )

    def _moved(self, path: Path) -> list[Path]:
        """Where the file is if the cohort's folder was moved to a data root."""
        relative = dict.fromkeys(path.relative_to(one) for one in self.starts if path.is_relative_to(one))
        return [root / one for root in dict.fromkeys(self.roots) for one in relative]

    def _checked(self, path: Path) -> ReadablePath:
        """The real path, if all links in a folder of DICOM slices stay within the data roots too."""
        real = path.resolve()
        links = [Path(one.path) for one in os.scandir(real) if one.is_symlink()] if real.is_dir() else []
        for one in links:
            if not self.settings.allows(one):
                raise ImageError(path, f"contains {one.name}, a link out of the data root: copy the file itself")
        return ReadablePath(str(real))
