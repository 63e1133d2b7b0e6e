"""Text from data reaches Streamlit's Markdown as text."""

from __future__ import annotations

import re

import pytest

from dashboard.wording.escaping import plain

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](https://example.org/a.png)",
    "**bold** _it_ ~~gone~~ `code`",
    ":red[x] :material/delete: :smile:",
    "$\\frac{1}{2}$",
    "a | b",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_every_sign_of_markdown_is_escaped(text: str) -> None:
    assert not re.search(r"(?<!\\)([`*_\[\]<>~$&|]|:(?! ))", plain(text))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("# big", "\\# big"),
        ("- item", "\\- item"),
        ("+ item", "\\+ item"),
        ("> said", "\\> said"),
        ("=cmd", "\\=cmd"),
        ("1. first", "1\N{WORD JOINER}. first"),
        ("T1a-2 (n = 3)", "T1a-2 (n = 3)"),
        ("two\n\nlines\tand a tab", "two lines and a tab"),
        ("case/01", "case/01"),
    ],
)
def test_the_start_of_a_line_begins_no_block(text: str, escaped: str) -> None:
    assert plain(text) == escaped


@pytest.mark.parametrize("text", ["https://example.org", "www.example.org", "me@example.org", ":smile:"])
def test_what_would_become_a_link_or_an_icon_later_is_broken_by_a_sign_without_width(text: str) -> None:
    assert "\N{WORD JOINER}" in plain(text)
