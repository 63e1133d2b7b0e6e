"""The selection in the sidebar of every page: its size, undo and redo, clear, and names saved in the cohort file."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.data import loading
from dashboard.session import state
from dashboard.session.selection import Selection
from dashboard.wording.escaping import plain
from embeddings.formatting import counted
from embeddings.store.connections import StoreError
from embeddings.store.saved_work import LINK_PREFIX, KeptWork
from flexict.errors import FlexiCTError

_LOADED, _MESSAGE = "selection.load", "selection.said"


def selection_panel(path: Path) -> None:
    """What is selected, and what can be done with it."""
    history, chosen = state.history(), state.selected()
    names = _names(path)
    if _MESSAGE in st.session_state:
        st.caption(st.session_state.pop(_MESSAGE))
    if not chosen and not history.can_undo and not history.can_redo and not names:
        return
    st.markdown("**Selection**")
    if chosen:
        items = f", {counted(len(chosen.items), 'item')}" if len(chosen.items) > len(chosen.cases) else ""
        st.caption(f"{counted(len(chosen.cases), 'scan')} selected{items}")
    else:
        st.caption("Nothing is selected.")
    with st.container(horizontal=True, gap="small"):
        for label, icon, enabled, action in (
            ("Undo", "undo", history.can_undo, history.undo),
            ("Redo", "redo", history.can_redo, history.redo),
            ("Clear", "close", bool(chosen), lambda: state.put_selection(Selection())),
        ):
            key = f"selection.{label.lower()}"
            st.button(label, icon=f":material/{icon}:", key=key, disabled=not enabled, on_click=action)
    if names:
        loaded = st.selectbox(
            "Named selections", names, index=None, placeholder="Choose one", key=_LOADED, on_change=_load, args=(path,)
        )
        if loaded and st.button("Delete this name", icon=":material/delete:", key="selection.delete"):
            _delete(path, loaded)
    if chosen:
        with st.popover("Save under a name", icon=":material/bookmark_add:"):
            name = st.text_input(
                "Name", max_chars=80, key="selection.name", placeholder="such as upper lobes, second read"
            )
            if st.button("Save", key="selection.save", disabled=not name.strip(), type="primary"):
                _save(path, name, chosen)


def _names(path: Path) -> list[str]:
    try:
        return loading.named_selections(path)
    except StoreError:
        return []  # the page says what is wrong with the file


def _load(path: Path) -> None:
    name = st.session_state.get(_LOADED)
    if not name:
        return
    try:
        found = KeptWork(path).selection(name)
    except StoreError as error:
        st.session_state[_MESSAGE] = plain(error)
        return
    if found is None:
        st.session_state[_MESSAGE] = "This selection is no longer in the cohort file: another user deleted it."
        return
    state.put_selection(Selection(frozenset(found.item_ids), frozenset(found.case_ids), name))


def _save(path: Path, name: str, chosen: Selection) -> None:
    if name.strip().startswith(LINK_PREFIX):
        st.error(f"Choose a name that does not start with {LINK_PREFIX}.")
        return
    try:
        KeptWork(path).save_selection(
            name, state.chosen_set() or "", chosen.origin, tuple(chosen.items), tuple(chosen.cases)
        )
    except (FlexiCTError, OSError) as error:
        st.error(f"The selection could not be saved: {plain(error)}")
        return
    st.session_state[_MESSAGE] = "Saved in the cohort file."
    st.rerun()


def _delete(path: Path, name: str) -> None:
    try:
        KeptWork(path).delete_selection(name)
    except (StoreError, OSError) as error:
        st.error(f"The selection could not be deleted: {plain(error)}")
        return
    del st.session_state[_LOADED]
    st.rerun()
