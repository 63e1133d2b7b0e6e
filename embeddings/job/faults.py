"""Whether a scan is to blame for an error, or this program: then it is logged whole, and the next run tries again."""

from __future__ import annotations

import traceback

from embeddings.records import Failure, shortened
from flexict.errors import FlexiCTError

_NO_MEMORY = ("out of memory", "can't allocate memory", "Failed to allocate memory")


def is_fault(error: BaseException) -> bool:
    """Whether the program is to blame, or the memory of the machine: readers raise `FlexiCTError` of bad files."""
    return not isinstance(error, FlexiCTError | OSError)


def reason_of(error: BaseException) -> str:
    """The error as a sentence; the kind is named where the message was not written for the reader."""
    text = shortened(" ".join(str(error).split()))
    if isinstance(error, FlexiCTError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__} without a message"


def reason_and_fault(error: BaseException) -> tuple[str, str | None]:
    """The error as a sentence, and of a fault the traceback."""
    if is_fault(error):
        return fault_reason(error), traceback_of(error)
    return reason_of(error), None


def failure_of(case_id: str, stage: str, error: BaseException) -> Failure:
    """The failure of a case at a stage of the work; of a fault with the traceback, and said to be one."""
    reason, fault = reason_and_fault(error)
    return Failure(case_id, stage, reason, fault=fault)


def fault_reason(error: BaseException) -> str:
    """What went wrong, and that the scan is not to blame."""
    short = isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY)
    what = "too little memory" if short else "a fault of this program, not of the scan"
    return f"{what} ({reason_of(error)}): the log has the traceback, and the next run tries again"


def traceback_of(error: BaseException) -> str:
    """The whole traceback, with what the error was raised from."""
    return "".join(traceback.format_exception(error))
