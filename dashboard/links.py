"""The view in the address (cohort, embedding set, colour, selection, item and slice), so that a link reopens it."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from dashboard.data.planes import PLANES
from dashboard.session import state
from dashboard.session.selection import Selection
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain
from embeddings.store.connections import StoreError
from embeddings.store.saved_work import LINK_PREFIX, KeptWork
from embeddings.store.store import Store
from flexict.errors import FlexiCTError

# Proxies and mail programs truncate longer addresses.
LONGEST_SELECTION = 1500
MOST_BYTES = 2_000_000
FARTHEST_MM = 1000.0
VIEW_KEYS = ("colour", "item", "plane", "offset")
_RESTORED, _WORD = "shared.link-restored", "shared.link-selection"
# So many ids never compress to the longest selection.
SURELY_LONG = 5000
_SEPARATOR = "\n"


def packed(selection: Selection) -> str | None:
    """A selection as text for an address, or None if it would be too long."""
    if len(selection.items) + len(selection.cases) > SURELY_LONG:
        return None
    text = _SEPARATOR.join([*sorted(selection.items), "", *sorted(selection.cases)])
    word = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")
    return word if len(word) <= LONGEST_SELECTION else None


def unpacked(word: str) -> Selection:
    """The selection of `packed`. Raises FlexiCTError on anything else: anyone can write an address."""
    try:
        raw = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
        stream = zlib.decompressobj()
        lines = stream.decompress(raw, MOST_BYTES).decode().split(_SEPARATOR)
        gap = lines.index("")
        if not stream.eof:
            raise ValueError("the text does not end")
    except (ValueError, zlib.error) as error:
        raise FlexiCTError("the selection in this link was cut off or changed") from error
    return Selection(frozenset(lines[:gap]), frozenset(filter(None, lines[gap + 1 :])), "link")


def selection_word(path: Path, set_id: str, selection: Selection) -> str | None:
    """A selection in an address: itself, or the name of a long one that is saved in the cohort file.

    None where it is long and the file cannot be written: the link then opens without it.
    """
    try:
        return packed(selection) or saved_name(path, set_id, selection)
    except (StoreError, OSError):
        return None


def saved_name(path: Path, set_id: str, selection: Selection) -> str:
    """Save a selection in the cohort file under a name derived from its content, and return the name.

    Raises StoreError or OSError if the file cannot be written.
    """
    text = _SEPARATOR.join([set_id, *sorted(selection.items), "", *sorted(selection.cases)])
    name = LINK_PREFIX + hashlib.sha256(text.encode()).hexdigest()[:20]
    kept = KeptWork(path, patience_s=2.0)
    if kept.selection(name) is None:
        kept.save_selection(name, set_id, selection.origin, tuple(selection.items), tuple(selection.cases))
    return name


def selection_of(path: Path, word: str) -> Selection:
    """The selection of a word of `selection_word`.

    Raises:
        FlexiCTError: it was cut off, or the cohort file does not have it.
        StoreError: the file cannot be read.
    """
    if not word.startswith(LINK_PREFIX):
        return unpacked(word)
    kept = KeptWork(path).selection(word)
    if kept is None:
        raise FlexiCTError("the selection of this link is not saved in this copy of the cohort file")
    return Selection(frozenset(kept.item_ids), frozenset(kept.case_ids), kept.origin)


def cohort_word(path: Path, settings: Settings) -> str:
    """The cohort in an address: relative to the workspace if it is there, else the whole path."""
    return str(path.relative_to(settings.workspace)) if path.is_relative_to(settings.workspace) else str(path)


def cohort_of(word: str, settings: Settings) -> Path:
    """The cohort file that an address names. Raises FlexiCTError if it is absent or may not be opened."""
    path = (settings.workspace / word).resolve()
    if not settings.allows(path):
        raise FlexiCTError("the cohort of this link is outside the folders that this app may read")
    if not path.is_file():
        raise FlexiCTError(f"the cohort of this link is not on this machine ({path.name})")
    return path


def restore(settings: Settings) -> None:
    """Open, once a session, what the address names; `say_problems` shows what cannot be opened."""
    if st.session_state.get(_RESTORED) is not None:
        return
    problems: list[str] = []
    st.session_state[_RESTORED] = problems
    asked = dict(st.query_params)
    path = settings.cohort
    if "cohort" in asked:
        try:
            path = cohort_of(asked["cohort"], settings)
        except FlexiCTError as error:
            problems.append(str(error))
            state.open_cohort(path)
            return
    state.open_cohort(path)
    if path is not None:
        _restore_view(path, asked, problems)


def _restore_view(path: Path, asked: Mapping[str, str], problems: list[str]) -> None:
    try:
        if "set" in asked:
            if asked["set"] not in set(Store(path).sets()["set_id"]):
                raise FlexiCTError("the embedding set of this link is not in this copy of the cohort file")
            state.choose_set(asked["set"])
        if "selection" in asked:
            state.put_selection(selection_of(path, asked["selection"]))
    except (FlexiCTError, OSError) as error:
        problems.append(str(error))
    if "stage" in asked:
        state.choose_stage_column(asked["stage"])
    for key in VIEW_KEYS:
        if key in asked:
            state.set_view(key, asked[key])


def slice_of_view() -> tuple[str, float]:
    """Plane and mm from the centre of the item, from a link or an earlier visit; by default the centre."""
    plane = state.view("plane")
    try:
        offset = float(state.view("offset") or 0.0)
    except (TypeError, ValueError):
        offset = 0.0
    return (plane if plane in PLANES else "axial"), (offset if abs(offset) <= FARTHEST_MM else 0.0)


def say_problems() -> None:
    """Show once which parts of the link could not be opened."""
    problems: list[str] = st.session_state.get(_RESTORED) or []
    if problems:
        st.warning(f"The link could not be opened in full: {plain('; '.join(problems))}.")
        problems.clear()


def publish(settings: Settings) -> None:
    """Write the current view into the address."""
    path = state.cohort()
    if path is None:
        return
    set_id = state.chosen_set()
    wanted = {
        "cohort": cohort_word(path, settings),
        "set": set_id,
        "stage": state.stage_column(),
        **{key: state.view(key) for key in VIEW_KEYS},
    }
    if state.selected() and set_id:
        wanted["selection"] = _word_once(path, set_id, state.selected())
    found = {key: str(value) for key, value in wanted.items() if value not in (None, "")}
    if found != dict(st.query_params):
        st.query_params.from_dict(found)


def _word_once(path: Path, set_id: str, selection: Selection) -> str | None:
    """Computed once a selection, because a page reruns with every click."""
    known = st.session_state.get(_WORD)
    if known is None or known[0] is not selection:
        known = (selection, selection_word(path, set_id, selection))
        st.session_state[_WORD] = known
    return known[1]
