"""Text that comes from data, made harmless where Streamlit reads Markdown: in texts, labels, headings and messages.

Case ids, stages, column names, cohort names and paths may hold anything. Streamlit shows no HTML, but it would turn
them into links, pictures, headings, colours, icons and formulas.
"""

from __future__ import annotations

import re

# All of ASCII's punctuation may be escaped in CommonMark; the rest of these begin something in Streamlit's own dialect.
_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&\"'=@/^])")
# Links, icons and emoji are found after Markdown was read, so that an escape does not hold them up: a word joiner does.
_FOUND_LATER = re.compile(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?<=@)(?=\S)", re.IGNORECASE)
_WORD_JOINER = "\N{WORD JOINER}"


def plain(text: object) -> str:
    """One line of Markdown that reads as exactly this text; line breaks and tabs become spaces."""
    line = " ".join(str(text).split())
    return _SIGNS.sub(r"\\\1", _FOUND_LATER.sub(_WORD_JOINER, line))
