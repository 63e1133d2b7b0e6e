"""Text that comes from data, in Markdown."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-!|<>$~:])")


def literal(text: str) -> str:
    """The text with every character that Markdown would act on escaped, so that it is shown as it stands."""
    return _SPECIAL.sub(r"\\\1", text)
