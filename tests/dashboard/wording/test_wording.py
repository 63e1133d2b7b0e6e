"""No text of the app claims a diagnosis or a use in care: such words stand only where they are denied."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

DASHBOARD = Path(__file__).resolve().parents[3] / "dashboard"
CLAIMS = re.compile(
    r"diagnos|prognos|malignan|medical device|\btreatment|\btherap|\bscreening\b"
    r"|clinical(ly)? (use|useful|decision|grade)|detects? (the )?(cancer|tumou?r|lesion|disease)"
    r"|predicts? (the )?(outcome|survival|cancer|disease)",
    re.IGNORECASE,
)
# Phrases that deny a claim, and a title that is cited.
DENIALS = (
    r"never for diagnosis or treatment",
    r"never for diagnosis",
    r"not a medical device",
    r"does not mean the same diagnosis",
    r"(is|are|a ranking,) not? (a )?diagnosis",
    r"tests and diagnostics based on weighted residuals",
)


def without_denials(text: str) -> str:
    # A sentence may go on in the next line of the source.
    text = re.sub(r"\s+", " ", text)
    for phrase in DENIALS:
        text = re.sub(phrase, "", text, flags=re.IGNORECASE)
    return text


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a source file with its line; the parts of an f-string as one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    within = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(p.value) for p in node.values if isinstance(p, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in within:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", sorted(DASHBOARD.rglob("*.py")), ids=lambda path: str(path.relative_to(DASHBOARD)))
def test_no_text_claims_a_diagnosis(path: Path) -> None:
    claims = [
        f"line {line}: {text.strip()[:120]}" for line, text in texts_of(path) if CLAIMS.search(without_denials(text))
    ]
    assert not claims, claims


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("Research use only, never for diagnosis.", False),
        ("Similar in the embedding does not mean the same diagnosis.", False),
        ("This axis helps to diagnose the tumour", True),
        ("never for diagnosis, but a diagnosis follows", True),
        ("The score predicts survival", True),
        ("A malignant case", True),
    ],
)
def test_the_check_tells_a_claim_from_its_denial(text: str, claims: bool) -> None:
    assert bool(CLAIMS.search(without_denials(text))) is claims


# Idioms that can be read as the opposite of what they mean: "stage cannot be told from size" was read as "size does
# not predict stage".
IDIOMS = re.compile(
    r"\btold (by|from|apart)\b|\btells? (the|it|less|more|apart)\b|\bhe?old[s]? (it|them|the column|the same)\b"
    r"|\bgo(es)? with (the )?stage\b|\bstand(s)? (up|after|without)\b|\bstand in for\b|\bin place of the disease\b"
    r"|\bthan chance has it\b|\blike (cases|size)\b",
    re.IGNORECASE,
)
SAYING = [
    DASHBOARD / "components" / "tour" / "steps.py",
    *(
        one
        for folder in ("wording", "data", "screens", "figures", "report")
        for one in sorted((DASHBOARD / folder).rglob("*.py"))
    ),
    *sorted((DASHBOARD.parent / "embeddings" / "analysis").rglob("*.py")),
]


def said_by(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a source file that people see: no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    described = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    return ((line, text) for line, text in texts_of(path) if text not in described)


@pytest.mark.parametrize("path", SAYING, ids=lambda path: str(path.relative_to(DASHBOARD.parent)))
def test_no_verdict_uses_an_idiom_that_reads_as_its_opposite(path: Path) -> None:
    found = [f"line {line}: {text.strip()[:120]}" for line, text in said_by(path) if IDIOMS.search(text)]
    assert not found, found


@pytest.mark.parametrize(
    ("text", "is_idiom"),
    [
        ("Stage cannot be told from volume here", True),
        ("the vectors hold it (AUC 0.98)", True),
        ("site goes with stage (V 0.50)", True),
        ("the stage axis stands after it is taken out", True),
        ("volume alone explains the stage axis here: it is associated with stage", False),
        ("the vectors predict it (AUC 0.98)", False),
    ],
)
def test_the_check_tells_the_idioms_from_plain_words(text: str, is_idiom: bool) -> None:
    assert bool(IDIOMS.search(text)) is is_idiom
