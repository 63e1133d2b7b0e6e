"""Zero-shot scores of findings: saved in the cohort file by item, joined to the tables of any set by case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dashboard.data import columns
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store
from flexict.errors import FlexiCTError

if TYPE_CHECKING:
    from flexict.text.text_tower import TextTower

MOST_FINDINGS = 50
LONGEST_FINDING = 120


def findings_in(text: str) -> list[str]:
    """One finding a line, each once, in the order given.

    Raises:
        FlexiCTError: none, more than 50, one of more than 120 characters, or control characters.
    """
    lines = (" ".join(line.split()) for line in text.splitlines())
    findings = list(dict.fromkeys(line for line in lines if line))
    if not findings:
        raise FlexiCTError("There is no finding: write one a line, such as spiculated margin.")
    if len(findings) > MOST_FINDINGS:
        raise FlexiCTError(f"{len(findings)} findings are too many at once: give at most {MOST_FINDINGS}.")
    for finding in findings:
        if len(finding) > LONGEST_FINDING or not finding.isprintable():
            raise FlexiCTError(
                f"The finding {finding[:40]!r} cannot be a column: use at most {LONGEST_FINDING} printable characters."
            )
    return findings


def keep(path: Path, set_id: str, findings: Sequence[str], tower: TextTower) -> pd.DataFrame:
    """Score the findings for every item of a text set, save each as a column in the cohort file, and return them.

    Raises what `embeddings.text_search.score_findings` and `KeptWork.save_scores` raise.
    """
    # Imports torch, which the other pages do not need.
    from embeddings.text_search import score_findings
    from flexict.text.text_tower import NEGATIVE, POSITIVE

    scores = score_findings(Store(path), findings, tower, set_id)
    kept = KeptWork(path)
    for finding in findings:
        settings = {
            "kind": "zero-shot",
            "prompts": [template.format(finding=finding) for template in (POSITIVE, NEGATIVE)],
            "encoder": tower.name,
            "weights_sha256": tower.weights_sha256,
        }
        column = columns.zero_shot_column(finding)
        kept.save_scores(set_id, column, settings, scores["item_id"].tolist(), scores[finding])
    return scores


def with_scores(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The items of any set with the saved scores of every text set, joined by case (the mean over a case's items).

    If two sets scored the same finding, the second column also names its set; a column of the cohort keeps its name.
    """
    store, kept = Store(path), KeptWork(path)
    joined = frame
    for set_id in map(str, store.sets()["set_id"]):
        scores = kept.scores(set_id)
        if scores.empty:
            continue
        case_of = store.items(set_id).set_index("item_id")["case_id"]
        by_case = scores.groupby(case_of.reindex(scores.index).to_numpy()).mean()
        for column in map(str, by_case.columns):
            name = column if column not in joined else columns.zero_shot_column(f"{_finding(column)}, {set_id}")
            joined = joined.assign(**{name: joined["case_id"].map(by_case[column])})
    return joined


def _finding(column: str) -> str:
    return column.removesuffix(columns.zero_shot_column(""))
