"""The CT, and its lesion mask, that a session has dropped in to look up: what of them lies on disk, and what is known.

What the fields for files hold is the truth: `take` brings the disk in line with it, and a run of the page that is ended
in the middle, by a newer request or an error, leaves the rest to the next run.
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

LOST = "the file did not arrive whole: drop it in again"
# A session that lost its connection may come back for 2 minutes; one whose page was reloaded does not.
GONE_AFTER_S = 180.0
_log = logging.getLogger(__name__)


@dataclass
class _Field:
    """A field for a file: the file that was dealt with, and whether the person has changed the field since."""

    taken: str | None = None
    changed: bool = False
    problem: str = ""

    def note_change(self) -> None:
        self.changed = True

    def is_due(self, file: Any) -> bool:
        # Not by what the field holds alone: it is empty too after a visit to another page, and then its file stays.
        return self.changed or (file is not None and file.file_id != self.taken)

    def done(self, file: Any) -> None:
        self.taken, self.changed = None if file is None else file.file_id, False


@dataclass(eq=False)
class DroppedCt:
    """One a session. Its attributes are set without a call of Streamlit between them, so that no run ends there.

    Attributes:
        folder: of the upload, which nobody else uses; None where no CT is kept.
        image, mask: the files in it.
        volume: the CT in LPS order, once read; notes: how it was read; doubt: why its values may not be in HU.
        point: marked in the lesion, LPS mm.
        preview: what the encoder will see, and of which request.
        asked: what the user asked to look up last.
        ct_field, mask_field: the fields that the files come from.
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
        """Why what the fields hold was not taken."""
        return [one.problem for one in (self.ct_field, self.mask_field) if one.problem]

    def take(self, ct: Any, mask: Any, settings: Settings, session: str, max_mb: int) -> None:
        """Keep what is new in the fields, and delete what was taken out of them.

        Args:
            ct, mask: what the fields hold, as `st.file_uploader` gives it.
            session: whose upload it is.
            max_mb: the largest file.

        Raises:
            OSError: what was kept before cannot be deleted, or no folder can be made.
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
            # Last: a run that ends before has not dealt with the file, and the next one begins anew.
            self.ct_field.done(ct)
        # A mask that comes first waits for its CT.
        if self.folder is not None and self.mask_field.is_due(mask):
            folder = self.folder
            self._forget_results()
            self.mask_field.problem = ""
            self.mask = None
            masks = folder / "mask"
            uploaded_ct.delete_folder(masks)
            if mask is not None:
                masks.mkdir()
                # Each at a path of its own: what is shown of another mask must not be taken for what is shown of this.
                own = Path(tempfile.mkdtemp(dir=masks))
                self.mask = self._kept(
                    self.mask_field, mask, lambda: uploaded_ct.keep_mask(mask.name, mask, own, max_mb)
                )
            self.mask_field.done(mask)

    def forget(self) -> None:
        """Delete what is kept of the upload, and what was made of it.

        Raises:
            OSError: the files cannot be deleted; they are still known then.
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


# Of this server: a session that is gone cannot delete its upload any more.
_OWNERS: dict[Path, _Owner] = {}


def delete_abandoned(session_is_open: Callable[[str], bool], now: float | None = None) -> None:
    """Delete the uploads of sessions that are gone for good, such as by a reload of their page.

    Args:
        session_is_open: whether a session still has its tab.
        now: seconds of a steady clock.
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
                _log.exception("an upload that nobody owns any more cannot be deleted")


def _delete(folder: Path) -> None:
    uploaded_ct.delete_folder(folder)
    _OWNERS.pop(folder, None)
    forget_scans()
