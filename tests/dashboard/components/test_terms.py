"""The terms: the same text in the app, in the package and in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboard.components.terms import TERMS
from dashboard.session.settings import Settings
from tests.dashboard.app_session import open_app

ROOT = Path(__file__).resolve().parents[3]
NAMED = ("Scan", "case", "Item", "Embedding set", "Projection", "Pseudotime", "Probe", "Out of fold", "Residual axis")
NAMED += ("Size-matched", "Holm-adjusted p", "Nearest neighbour", "Lesion crop", "Slice step")


def test_the_documentation_has_the_terms_of_the_app() -> None:
    assert (ROOT / "docs" / "terms.md").read_text(encoding="utf-8") == TERMS.read_text(encoding="utf-8")


def test_the_package_contains_the_terms() -> None:
    import tomllib

    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["package-data"][
        "dashboard"
    ]
    assert any(TERMS.relative_to(ROOT / "dashboard").match(pattern) for pattern in data)


@pytest.mark.parametrize("term", NAMED)
def test_a_term_has_one_line(term: str) -> None:
    lines = [line for line in TERMS.read_text(encoding="utf-8").splitlines() if f"**{term}**" in line]
    assert len(lines) == 1
    assert re.match(r"- \*\*.+\*\*.*: \S.*\.$", lines[0])


def test_every_page_can_show_the_terms(settings: Settings) -> None:
    app = open_app(settings)
    assert not any("Pseudotime" in one.value for one in app.markdown)
    app.button(key="terms.open").click().run()
    assert not app.exception
    assert any("**Pseudotime**" in one.value for one in app.markdown)
