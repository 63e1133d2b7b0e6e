"""Whether the scan or this program is at fault; a fault of the program is logged, and the next run tries again."""

from __future__ import annotations

import traceback

from embeddings.records import Failure, shortened
from flexict.errors import FlexiCTError

_NO_MEMORY = ("out of memory", "can't allocate memory", "Failed to allocate memory")


def reason_of(error: BaseException) -> str:
    """The error as a sentence; it names the kind of error if the message was not written for users."""
    text = shortened(" ".join(str(error).split()))
    if isinstance(error, FlexiCTError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__} without a message"


def reason_and_fault(error: BaseException) -> tuple[str, str | None]:
    """The error as a sentence; and if this program or the machine's memory is at fault, the whole traceback.

    Readers raise FlexiCTError or OSError for bad files: anything else is a fault.
    """
    if isinstance(error, FlexiCTError | OSError):
        return reason_of(error), None
    short = isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY)
    what = "too little memory" if short else "a fault of this program, not of the scan"
    reason = f"{what} ({reason_of(error)}): the log has the traceback, and the next run tries again"
    return reason, "".join(traceback.format_exception(error))


def failure_of(case_id: str, stage: str, error: BaseException) -> Failure:
    """The failure of a case at a stage of the work, with the traceback of a fault."""
    reason, fault = reason_and_fault(error)
    return Failure(case_id, stage, reason, fault=fault)
