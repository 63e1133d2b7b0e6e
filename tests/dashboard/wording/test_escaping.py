"""Text from data reaches Streamlit's Markdown as text."""

from __future__ import annotations

import re

import pytest

from dashboard.wording.escaping import file_for_streamlit, in_hovertemplate, in_html, in_markdown_file, plain

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


def test_html_and_plotly_show_tags_as_text() -> None:
    assert in_html("<b>x</b> & y") == "&lt;b&gt;x&lt;/b&gt; &amp; y"
    assert in_hovertemplate("%{x} <i>") == "%&#123;x} &lt;i&gt;"


def test_a_name_in_a_markdown_file_is_neither_markup_nor_a_link_also_where_streamlit_shows_the_file() -> None:
    escaped = in_markdown_file("*a* [b](http://c) $d$")
    assert escaped == r"\*a\* [b]\(http://c) $d$"
    assert file_for_streamlit(escaped) == r"\*a\* [b]\(http\://c) \$d\$"
