"""What the pages must say: that data are simulated, or an encoder is not the published one; what to do next."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard.data import caveats, columns
from dashboard.wording.escaping import plain
from embeddings import disclosure
from embeddings.formatting import counted
from embeddings.records import CohortInfo

EMBED_AGAIN = "and embed again; existing vectors are kept."


def simulated_banner(info: CohortInfo) -> None:
    """A banner at the top of every page of a simulated cohort."""
    if info.simulated:
        st.warning(
            "**Simulated CT.** A program generated this cohort to show how the software works. "
            "Nothing on this page is a finding about patients.",
            icon=":material/science:",
        )


def encoder_notice(embedding_set: pd.Series) -> None:
    """Says whether the vectors come from published weights."""
    encoder = str(embedding_set["encoder"])
    if bool(embedding_set["is_published"]):
        st.caption(f"{plain(encoder)}, published weights. {disclosure.RESEARCH_ONLY}.")
    elif encoder == "flexict-nano":
        st.caption(
            f"{encoder}: a small encoder that this project trained for demonstrations and laptops, not the published "
            f"FlexiCT. For results to report, embed with flexict-2d or flexict-3d. {disclosure.RESEARCH_ONLY}."
        )
    else:
        st.caption(f"{plain(disclosure.encoder_line(encoder))}. {disclosure.RESEARCH_ONLY}.")


def caveat(sentence: str | None) -> None:
    """A sentence of `caveats` below the choice that it is about; nothing without one."""
    if sentence:
        st.caption(plain(sentence))


def censored_left_out(frame: pd.DataFrame) -> None:
    """Says that follow-up times are not among the columns that can be chosen, and why."""
    caveat(caveats.censored(columns.censored_times(frame)))


def left_out(n: int, total: int, reason: str) -> None:
    """How many scans an analysis leaves out and why; nothing where it uses all. reason: plain words of our own."""
    if n:
        st.caption(f"Left out: {n} of {counted(total, 'scan')} ({reason}).")


def nothing_open() -> None:
    """Ask for a cohort and end the page."""
    _stop_with("No cohort is open. Go to the **Cohort** page to open a file or to make one from a CSV of CT scans.")


def nothing_embedded() -> None:
    """Ask for an embedding and end the page."""
    _stop_with("This cohort has no embeddings yet. Start the embedding job on the **Cohort** page.")


def cohort_link(label: str = "Open the Cohort page") -> None:
    """A link to the page on which cohorts are opened and embedded."""
    st.page_link("screens/cohort.py", label=label, icon=":material/folder_open:")


def _stop_with(text: str) -> None:
    st.info(text)
    cohort_link()
    st.stop()
