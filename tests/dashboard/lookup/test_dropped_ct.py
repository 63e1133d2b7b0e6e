"""What is dropped in is kept or deleted as the fields say, wherever the run of the page that deals with it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.scriptrunner import RerunData, RerunException
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile, UploadedFileRec

from dashboard.lookup import dropped_ct, uploaded_ct
from dashboard.lookup.dropped_ct import GONE_AFTER_S, DroppedCt, delete_abandoned
from dashboard.session.settings import Settings

CT, OTHER, MASK = b"the CT" * 1000, b"another CT" * 1000, b"the mask" * 1000
INTERRUPTIBLE = {dropped_ct.__file__, uploaded_ct.__file__}


def file(name: str, content: bytes) -> UploadedFile:
    return UploadedFile(UploadedFileRec(f"id of {content[:10]!r}", name, "", content), FileURLs())


def taken(dropped: DroppedCt, settings: Settings, ct: Any, mask: Any = None, session: str = "tab") -> DroppedCt:
    dropped.take(ct, mask, settings, session, 1)
    return dropped


def files(settings: Settings) -> list[bytes]:
    """Contents of all files that lie in the workspace."""
    return sorted(one.read_bytes() for one in settings.workspace.rglob("*") if one.is_file())


def ended_at(line: int, what: Callable[[], object]) -> bool:
    """Run something, ended as Streamlit ends a run before the so manieth line of our own; whether it came so far."""
    left = [line]

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in INTERRUPTIBLE:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                raise RerunException(RerunData())
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        what()
    except RerunException:
        return True
    finally:
        sys.settrace(before)
    return False


def test_a_mask_is_taken_in_the_next_run_wherever_the_first_ended(settings: Settings) -> None:
    line, ended = 0, True
    while ended:
        line += 1
        dropped = taken(DroppedCt(), settings, file("ct.nii", CT))
        ct, mask = file("ct.nii", CT), file("mask.nii", MASK)
        dropped.mask_field.note_change()
        ended = ended_at(line, lambda: taken(dropped, settings, ct, mask))  # noqa: B023
        taken(dropped, settings, ct, mask)
        assert dropped.image is not None
        assert dropped.mask is not None
        assert (dropped.image.read_bytes(), dropped.mask.read_bytes()) == (CT, MASK)
        assert files(settings) == sorted([CT, MASK])
        dropped.forget()
    assert line > 20


def test_another_ct_replaces_the_first_wherever_the_run_ended_that_took_it(settings: Settings) -> None:
    line, ended = 0, True
    while ended:
        line += 1
        dropped = taken(DroppedCt(), settings, file("ct.nii", CT), file("mask.nii", MASK))
        other = file("ct.nii.gz", OTHER)
        dropped.ct_field.note_change()
        dropped.mask_field.note_change()
        ended = ended_at(line, lambda: taken(dropped, settings, other))  # noqa: B023
        taken(dropped, settings, other)
        assert dropped.image is not None
        assert dropped.image.read_bytes() == OTHER
        assert dropped.mask is None
        assert files(settings) == [OTHER]
        dropped.forget()
    assert line > 20


def test_what_is_taken_out_of_a_field_is_deleted(settings: Settings) -> None:
    ct, mask = file("ct.nii", CT), file("mask.nii", MASK)
    dropped = taken(DroppedCt(), settings, ct, mask)
    dropped.mask_field.note_change()
    taken(dropped, settings, ct)
    assert files(settings) == [CT]
    dropped.ct_field.note_change()
    taken(dropped, settings, None)
    assert files(settings) == []


def test_fields_that_are_empty_after_a_visit_to_another_page_delete_nothing(settings: Settings) -> None:
    dropped = taken(DroppedCt(), settings, file("ct.nii", CT))
    taken(dropped, settings, None)
    assert files(settings) == [CT]
    # A mask that is dropped in then is that of the CT that is kept.
    taken(dropped, settings, None, file("mask.nii", MASK))
    assert files(settings) == sorted([CT, MASK])
    taken(dropped, settings, None)
    assert files(settings) == sorted([CT, MASK])


def test_a_mask_that_comes_first_is_taken_with_its_ct(settings: Settings) -> None:
    dropped, mask = DroppedCt(), file("mask.nii", MASK)
    taken(dropped, settings, None, mask)
    assert files(settings) == []
    taken(dropped, settings, file("ct.nii", CT), mask)
    assert files(settings) == sorted([CT, MASK])


def test_a_ct_that_was_deleted_is_not_taken_again_from_its_field(settings: Settings) -> None:
    ct, mask = file("ct.nii", CT), file("mask.nii", MASK)
    dropped = taken(DroppedCt(), settings, ct, mask)
    dropped.forget()
    assert files(settings) == []
    taken(dropped, settings, ct, mask)
    assert files(settings) == []


def test_a_refused_mask_leaves_its_ct_and_is_said_until_another_comes(settings: Settings) -> None:
    ct = file("ct.nii", CT)
    dropped = taken(DroppedCt(), settings, ct, file("mask.txt", MASK))
    for _ in range(2):
        taken(dropped, settings, ct, file("mask.txt", MASK))
        [problem] = dropped.problems
        assert "save it as one of these" in problem
        assert files(settings) == [CT]
    taken(dropped, settings, ct, file("mask.nii", MASK + b"2"))
    dropped.mask_field.note_change()
    taken(dropped, settings, ct, file("mask.nii", MASK))
    assert dropped.problems == []
    assert files(settings) == sorted([CT, MASK])


def test_a_file_that_the_server_lost_is_a_sentence(settings: Settings) -> None:
    assert "drop it in again" in taken(DroppedCt(), settings, DeletedFile("1")).problems[0]


def test_another_mask_has_another_path(settings: Settings) -> None:
    ct = file("ct.nii", CT)
    first = taken(DroppedCt(), settings, ct, file("mask.nii", MASK)).mask
    dropped = taken(DroppedCt(), settings, ct, file("mask.nii", MASK))
    before = dropped.mask
    taken(dropped, settings, ct, file("mask.nii", b"other" + MASK))
    assert len({first, before, dropped.mask}) == 3


def test_the_upload_of_a_session_that_is_gone_is_deleted_and_that_of_an_open_one_is_not(settings: Settings) -> None:
    taken(DroppedCt(), settings, file("ct.nii", CT), session="reloaded")
    taken(DroppedCt(), settings, file("ct.nii", OTHER), session="open")
    is_open = {"open", "reloaded"}
    delete_abandoned(is_open.__contains__, now=0.0)
    is_open.remove("reloaded")
    # A connection that was lost may come back, however long ago anybody looked.
    delete_abandoned(is_open.__contains__, now=1e6)
    delete_abandoned(is_open.__contains__, now=1e6 + GONE_AFTER_S - 1)
    assert len(files(settings)) == 2
    is_open.add("reloaded")
    delete_abandoned(is_open.__contains__, now=1e6 + GONE_AFTER_S)
    is_open.remove("reloaded")
    delete_abandoned(is_open.__contains__, now=2e6)
    assert len(files(settings)) == 2
    delete_abandoned(is_open.__contains__, now=2e6 + GONE_AFTER_S + 1)
    assert files(settings) == [OTHER]


def test_what_cannot_be_deleted_is_an_error_and_stays_known(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "not allowed")

    dropped = taken(DroppedCt(), settings, file("ct.nii", CT))
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", refuse)
        with pytest.raises(PermissionError):
            dropped.forget()
    assert dropped.image is not None
    assert files(settings) == [CT]
    dropped.forget()
    assert files(settings) == []
