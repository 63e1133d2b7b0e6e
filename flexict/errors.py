"""The one base class of every error whose message is a sentence for the person at the screen or the shell."""

from __future__ import annotations


class FlexiCTError(ValueError):
    """Input that cannot be used: the message says what is wrong and what to do, and needs no traceback.

    Programs of this project show the message alone. Any other exception, a plain `ValueError` of a library
    included, is a fault of the program: it is logged whole, with its traceback.
    """
