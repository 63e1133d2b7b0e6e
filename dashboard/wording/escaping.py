"""Text that comes from data, made harmless where Streamlit reads Markdown: in texts, labels, headings and messages.

Case ids, stages, column names, cohort names and paths may hold anything. Streamlit shows no HTML, but it would turn
them into links, pictures, headings, colours, icons and formulas.
"""

from __future__ import annotations

import re

# What begins something anywhere in a line: of CommonMark, GitHub's additions and Streamlit's own dialect.
_ANYWHERE = re.compile(r"([\\`*_\[\]<>~$&|]|:(?!\s))")
# What begins a heading, a list, a quotation or a rule, and only at the start of a line.
_AT_START = re.compile(r"^([#+\-=]|[0-9]+(?=[.)]))")
# Links, icons and arrows are found after Markdown was read: no escape holds them up, but a word joiner does.
_FOUND_LATER = re.compile(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?<=@)(?=\S)|(?<=[<>~])(?=[-=])|(?<=-)(?=>)", re.IGNORECASE)
_WORD_JOINER = "\N{WORD JOINER}"


def plain(text: object) -> str:
    """One line of Markdown that reads as this text and as nothing else; line breaks and tabs become spaces."""
    line = " ".join(str(text).split())
    escaped = _ANYWHERE.sub(r"\\\1", _FOUND_LATER.sub(_WORD_JOINER, line))
    return _AT_START.sub(_escaped_start, escaped)


def _escaped_start(found: re.Match[str]) -> str:
    # A number is followed by the sign that makes it a list: 1. or 1)
    return f"{found[1]}{_WORD_JOINER}" if found[1].isdecimal() else f"\\{found[1]}"
