"""The CT and lesion mask that a session uploaded to look up: their files on disk, and what was read from them.

The upload fields decide: `take` makes the disk match them. If a newer request or an error interrupts a run of the page,
the next run does the rest.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from streamlit.runtime.uploaded_file_manager import UploadedFile

from dashboard.compute import background
from dashboard.data.scans import forget_scans
from dashboard.lookup import uploaded_ct
from dashboard.lookup.process import SLOT, LookUpRequest
from dashboard.session import state
from dashboard.session.settings import Settings
from flexict import Volume
from flexict.errors import FlexiCTError

LOST = "the file did not arrive completely: drop it in again"
# A session that lost its connection may come back for 2 minutes; one whose page was reloaded does not.
GONE_AFTER_S = 180.0
_log = logging.getLogger(__name__)


@dataclass
class _Field:
    """An upload field: the file that was processed last, and whether the user has changed the field since."""

    taken: str | None = None
    changed: bool = False
    problem: str = ""

    def note_change(self) -> None:
        self.changed = True

    def is_due(self, file: Any) -> bool:
        # The content alone does not show it: after a visit to another page the field is empty, but its file stays.
        return self.changed or (file is not None and file.file_id != self.taken)

    def done(self, file: Any) -> None:
        self.taken, self.changed = None if file is None else file.file_id, False


@dataclass(eq=False)
class DroppedCt:
    """One per session. No call of Streamlit stands between the assignments, so that no run ends there.

    Attributes:
        folder: of this upload alone; None where no CT is kept.
        image, mask: the files in it.
        volume: the CT in LPS order, once read; notes: how it was read; doubt: why its values may not be in HU.
        point: marked in the lesion, LPS mm.
        preview: the encoder's input, and the request that it belongs to.
        asked: the look-up that the user requested last.
        ct_field, mask_field: the upload fields.
    """

    folder: Path | None = None
    image: Path | None = None
    mask: Path | None = None
    volume: Volume | None = None
    notes: tuple[str, ...] = ()
    doubt: str | None = None
    point: tuple[float, float, float] | None = None
    preview: tuple[LookUpRequest, NDArray[np.float32]] | None = None
    asked: LookUpRequest | None = None
    ct_field: _Field = field(default_factory=_Field)
    mask_field: _Field = field(default_factory=_Field)

    @property
    def problems(self) -> list[str]:
        """Why files in the fields were refused."""
        return [one.problem for one in (self.ct_field, self.mask_field) if one.problem]

    def take(self, ct: Any, mask: Any, settings: Settings, session: str, max_mb: int) -> None:
        """Keep new files of the fields, and delete those that were removed from them.

        Args:
            ct, mask: the content of the fields, as `st.file_uploader` gives it.
            session: owner of the upload.
            max_mb: largest size of a file.

        Raises:
            OSError: the previous files cannot be deleted, or no folder can be made.
        """
        if self.ct_field.is_due(ct):
            self.forget()
            self.ct_field.problem = ""
            if ct is not None:
                self.folder = folder = uploaded_ct.new_folder(settings)
                _OWNERS[folder] = _Owner(session)
                self.image = self._kept(self.ct_field, ct, lambda: uploaded_ct.keep_ct(ct.name, ct, folder, max_mb))
                if self.image is None:
                    self.forget()
            self.mask_field.taken = None
            # Last: if the run ends before this, the next one starts again with the file.
            self.ct_field.done(ct)
        # A mask that arrives first waits for its CT.
        if self.folder is not None and self.mask_field.is_due(mask):
            folder = self.folder
            self._forget_results()
            self.mask_field.problem = ""
            self.mask = None
            masks = folder / "mask"
            uploaded_ct.delete_folder(masks)
            if mask is not None:
                masks.mkdir()
                # A path of its own for each: no picture of another mask may be mistaken for one of this mask.
                own = Path(tempfile.mkdtemp(dir=masks))
                self.mask = self._kept(
                    self.mask_field, mask, lambda: uploaded_ct.keep_mask(mask.name, mask, own, max_mb)
                )
            self.mask_field.done(mask)

    def forget(self) -> None:
        """Delete the upload and everything made from it.

        Raises:
            OSError: the files cannot be deleted; the attributes then still name them.
        """
        self._forget_results()
        if self.folder is not None:
            _delete(self.folder)
        self.folder = self.image = self.mask = self.volume = self.point = None
        self.mask_field.problem = ""

    def _forget_results(self) -> None:
        background.registry().release(state.session_id(), SLOT)
        self.asked = self.preview = None

    def _kept(self, where: _Field, file: Any, keep: Callable[[], Path]) -> Path | None:
        try:
            if not isinstance(file, UploadedFile):
                raise FlexiCTError(LOST)
            return keep()
        except (FlexiCTError, OSError) as error:
            where.problem = str(error)
            return None


@dataclass
class _Owner:
    session: str
    closed_at: float | None = None


# For the whole server: a session that is gone can no longer delete its upload.
_OWNERS: dict[Path, _Owner] = {}


def delete_abandoned(session_is_open: Callable[[str], bool], now: float | None = None) -> None:
    """Delete the uploads of sessions that will not come back, such as after a reload of their page.

    Args:
        session_is_open: whether a session still has its tab.
        now: seconds of a monotonic clock.
    """
    now = time.monotonic() if now is None else now
    for folder, owner in list(_OWNERS.items()):
        if session_is_open(owner.session):
            owner.closed_at = None
        elif owner.closed_at is None:
            owner.closed_at = now
        elif now - owner.closed_at > GONE_AFTER_S:
            try:
                _delete(folder)
            except OSError:
                _log.exception("an upload whose session is gone cannot be deleted")


def _delete(folder: Path) -> None:
    uploaded_ct.delete_folder(folder)
    _OWNERS.pop(folder, None)
    forget_scans()
