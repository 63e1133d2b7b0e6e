"""Text that comes from data, made harmless for what reads it: Streamlit's Markdown, a Markdown file, HTML, plotly.

Case ids, stages, column names, cohort names and paths may hold anything.
"""

from __future__ import annotations

import html
import re

# What begins something anywhere in a line: of CommonMark, GitHub's additions and Streamlit's own dialect.
_ANYWHERE = re.compile(r"([\\`*_\[\]<>~$&|]|:(?!\s))")
# What begins a heading, a list, a quotation or a rule, and only at the start of a line.
_AT_START = re.compile(r"^([#+\-=]|[0-9]+(?=[.)]))")
# Links, icons and arrows are found after Markdown was read: escapes do not prevent them, but a word joiner does.
_FOUND_LATER = re.compile(r"(?<=:)(?=\S)|(?<=www)(?=\.)|(?<=@)(?=\S)|(?<=[<>~])(?=[-=])|(?<=-)(?=>)", re.IGNORECASE)
_WORD_JOINER = "\N{WORD JOINER}"
# What Streamlit adds to Markdown: formulas, icons and colours.
_STREAMLIT_SIGNS = str.maketrans({"$": r"\$", ":": r"\:"})


def plain(text: object) -> str:
    """One line of Streamlit's Markdown (texts, labels, headings, messages) that reads as this text and nothing else.

    Streamlit shows no HTML, but it would turn the text into links, pictures, headings, colours, icons and formulas.
    Line breaks and tabs become spaces.
    """
    line = " ".join(str(text).split())
    escaped = _ANYWHERE.sub(r"\\\1", _FOUND_LATER.sub(_WORD_JOINER, line))
    return _AT_START.sub(_escaped_start, escaped)


def _escaped_start(found: re.Match[str]) -> str:
    # A number is followed by the sign that makes it a list: 1. or 1)
    return f"{found[1]}{_WORD_JOINER}" if found[1].isdecimal() else f"\\{found[1]}"


def in_markdown_file(text: str) -> str:
    """Text for a Markdown file, in which names from a CSV become neither markup nor links."""
    return "".join(f"\\{sign}" if sign in "\\`*_<>#|" else sign for sign in text).replace("](", "]\\(")


def file_for_streamlit(markdown: str) -> str:
    """A Markdown file whose texts are escaped by `in_markdown_file`, for Streamlit, which reads more signs."""
    return markdown.translate(_STREAMLIT_SIGNS)


def in_html(text: object) -> str:
    """Text for a page of HTML, or for a text of plotly, which reads a few tags of HTML."""
    return html.escape(str(text))


def in_hovertemplate(text: object) -> str:
    """Text for a `hovertemplate` of plotly: neither a tag nor one of plotly's own `%{...}`."""
    return in_html(text).replace("%{", "%&#123;")
