"""A list of findings becomes columns of zero-shot scores, to colour by and to adjust for on every page."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.components.downloads import table_download
from dashboard.components.page import explanation
from dashboard.data.text_towers import score
from dashboard.data.zero_shot import findings_in
from dashboard.wording.escaping import plain
from embeddings.formatting import counted
from embeddings.store.saved_work import KeptWork
from embeddings.store.store import Store, StoreError
from flexict.errors import FlexiCTError

# What the bundled encoder knows words for, and common findings of chest CT reports.
_LESION = ("spiculated margin", "lesion larger than 30 mm", "solid mass", "ground-glass nodule")
_CHEST = ("pleural effusion", "emphysema", "lung nodule", "consolidation", "lymphadenopathy")


def findings_form(path: Path, text_set: pd.Series) -> None:
    """Ask for findings, score them, and list the columns of scores that the set has."""
    set_id = str(text_set["set_id"])
    st.markdown(
        "Each finding is compared with its negation and gives every scan a score from 0 to 1. The scores become a "
        "column: it can colour the **Map**, and the other pages can adjust for it. "
        "**The scores rank scans. They are not a diagnosis, nor the probability that a patient has the finding.**"
    )
    usual = _LESION if text_set["view"] == "lesion" else _CHEST
    with st.form("findings.form", border=False):
        text = st.text_area("Findings, one per line", value="\n".join(usual), height=140, key="findings.text")
        asked = st.form_submit_button("Score these findings", type="primary", key="findings.go")
    if asked:
        try:
            findings = findings_in(text)
            with st.spinner("Scoring ..."):
                score(path, set_id, findings)
        except (FlexiCTError, OSError) as error:
            st.error(plain(error))
        else:
            st.success(f"{counted(len(findings), 'column')} of scores saved in the cohort file.")
    try:
        _saved(path, set_id)
    except StoreError as error:
        st.error(plain(error))
    explanation(
        "For each finding, the softmax over two similarities: with *finding .* and with *No finding.*, the prompts of "
        "the published evaluation (arXiv 2605.21906). 0.5 is not a threshold: a text tower may prefer one of the two "
        "sentences for every scan. The scores come from the same vectors that the other pages analyse, so they are "
        "neither an independent measurement nor a shortcut; the **Shortcuts** page leaves them out."
    )


def _saved(path: Path, set_id: str) -> None:
    kept = KeptWork(path)
    made = kept.score_settings(set_id)
    if made.empty:
        st.caption("This set has no columns of scores yet.")
        return
    scores = kept.scores(set_id)
    st.markdown(f"**Columns of scores ({len(made)})**")
    for number, row in enumerate(made.to_dict("records")):
        name = str(row["name"])
        values = scores[name]
        words, numbers, button = st.columns([5, 4, 2], vertical_alignment="center")
        words.markdown(plain(name))
        words.caption(plain(" against ".join(json.loads(str(row["settings"])).get("prompts", []))))
        numbers.caption(
            f"{counted(len(values.dropna()), 'scan')}: {values.min():.2f} to {values.max():.2f}, "
            f"median {values.median():.2f}"
        )
        if button.button("Delete", icon=":material/delete:", key=f"findings.delete.{number}", help=plain(name)):
            kept.delete_scores(set_id, name)
            st.rerun()
    table_download(f"zero-shot-{path.stem}", lambda: _table(path, set_id))
    st.page_link("screens/map.py", label="Colour the map by one of them", icon=":material/scatter_plot:")


def _table(path: Path, set_id: str) -> pd.DataFrame:
    items = Store(path).items(set_id)[["item_id", "case_id"]]
    scores = KeptWork(path).scores(set_id)
    return items.merge(scores, left_on="item_id", right_index=True, how="inner")
