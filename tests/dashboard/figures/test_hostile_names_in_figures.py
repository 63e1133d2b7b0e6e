"""Plotly draws tags that it finds in texts: names from data reach it with none, in every figure of the screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboard.figures.hostile_screens import SCREENS, screen

# `customdata` holds item ids as they are: it is never drawn, and selections are matched by it.
NOT_DRAWN = ("customdata", "template", "legendgroup")


def texts(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text that plotly may draw, with its place."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in NOT_DRAWN:
                yield from texts(value, f"{path}.{name}")
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield from texts(value, f"{path}[{at}]")
    elif isinstance(node, str):
        yield path, node


@pytest.mark.parametrize("name", SCREENS)
def test_names_from_data_bring_no_tag_into_a_figure(name: str, request: pytest.FixtureRequest) -> None:
    figure = screen(name, request)
    found = list(texts(json.loads(figure.to_json())))
    assert any("&lt;a href" in text for _, text in found)
    for place, text in found:
        for tag in ("<a", "<img", "<b>b</b>"):
            assert tag not in text, place


@pytest.mark.parametrize("name", SCREENS)
def test_names_from_data_are_not_read_as_parts_of_a_template(name: str, request: pytest.FixtureRequest) -> None:
    for place, text in texts(json.loads(screen(name, request).to_json())):
        if place.endswith("template"):
            assert "</a>" not in text
            assert "img src=x&gt;%{x}" not in text, place
