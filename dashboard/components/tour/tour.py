"""A tour of the pages on the demonstration cohort. The current step is kept in the session only."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.components.tour.steps import STEPS
from dashboard.data import loading
from dashboard.session import state
from dashboard.session.settings import Settings
from embeddings.store.store import StoreError

_STEP = "tour.step"
# Where `make demo` writes, and where a workspace may have a copy.
_PLACES = (Path("demo/demo.duckdb"), Path("demo.duckdb"))


def offer(settings: Settings) -> None:
    """On the Cohort page: a button for the tour of a simulated cohort, or to open the demonstration cohort."""
    if _at() is not None:
        return
    if state.cohort() is not None:
        if _is_simulated(state.cohort()) and st.button("Take the tour", icon=":material/tour:", key="tour.start"):
            _go(0)
        return
    found = demonstration(settings)
    if found is None:
        return
    if st.button("Try the demonstration cohort", icon=":material/tour:", key="tour.demonstration", type="primary"):
        state.open_cohort(found)
        _go(0)
    st.caption("Simulated CT, with a tour of the pages. No patient data.")


def panel(current: str) -> None:
    """At the top of every page during the tour: the step, and buttons to go on, go back or end.

    current: file of the page that is shown, without folder and ending. A cohort that is not simulated ends the tour,
    because the texts would be wrong for it.
    """
    at = _at()
    if at is None:
        return
    if not _is_simulated(state.cohort()):
        _end()
        return
    step = STEPS[at]
    with st.container(border=True, key="tour.panel"):
        st.markdown(f"##### Tour, step {at + 1} of {len(STEPS)}: {step.title}")
        if current == step.page:
            st.markdown(f"**Do.** {step.do}  \n**See.** {step.see}  \n**Caution.** {step.caution}")
        else:
            st.markdown("You have left the page of this step.")
        with st.container(horizontal=True):
            _buttons(at, current)


def demonstration(settings: Settings) -> Path | None:
    """The demonstration cohort's file, if the app was started with it or may read an existing one, else None."""
    given = [settings.cohort] if settings.cohort is not None else []
    places = [folder / place for folder in (settings.workspace, Path.cwd()) for place in _PLACES]
    for path in [*given, *places]:
        if path.is_file() and settings.allows(path) and _is_simulated(path):
            return path
    return None


def _buttons(at: int, current: str) -> None:
    if current != STEPS[at].page and st.button(
        f"Go to {STEPS[at].title}", type="primary", icon=":material/my_location:", key="tour.return"
    ):
        _go(at)
    if st.button("Back", icon=":material/arrow_back:", key="tour.back", disabled=at == 0):
        _go(at - 1)
    last = at == len(STEPS) - 1
    if not last and st.button(
        f"Next: {STEPS[at + 1].title}",
        type="primary" if current == STEPS[at].page else "secondary",
        icon=":material/arrow_forward:",
        key="tour.next",
    ):
        _go(at + 1)
    if st.button("End the tour", icon=":material/close:", key="tour.end"):
        _end()
        st.rerun()


def _go(step: int) -> None:
    st.session_state[_STEP] = step
    st.switch_page(f"screens/{STEPS[step].page}.py")


def _at() -> int | None:
    return st.session_state.get(_STEP)


def _end() -> None:
    st.session_state.pop(_STEP, None)


def _is_simulated(path: Path | None) -> bool:
    """Whether the file is a simulated cohort; for one that cannot be read, False (its page says why)."""
    if path is None:
        return False
    try:
        return loading.cohort_info(path).simulated
    except StoreError:
        return False
