"""The base class of all errors whose message is written for the user."""

from __future__ import annotations


class FlexiCTError(ValueError):
    """Input that cannot be used: the message says what is wrong and what to do.

    Programs of this project show only the message. Any other exception, including a plain `ValueError` of a library,
    is a bug: it is logged with its traceback.
    """
