"""What the pages of one browser session share: the open cohort, the embedding set, the stage, the selection."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.session import widget_state
from dashboard.session.selection import History, Selection, of_cases

_COHORT, _SET, _STAGE, _HISTORY = "shared.cohort", "shared.set", "shared.stage", "shared.selection"
_VIEW, _ORDERS = "shared.view", "shared.stage_orders"


def session_id() -> str:
    """Id of the browser tab that this run of a page is for."""
    context = get_script_run_ctx()
    return context.session_id if context is not None else ""


def session_is_open(session: str) -> bool:
    """Whether the tab of a session is still connected to this server; may be called from any thread."""
    return runtime.exists() and bool(runtime.get_instance().is_active_session(session))


def cohort() -> Path | None:
    """The open cohort file."""
    return st.session_state.get(_COHORT)


def open_cohort(path: Path | None) -> None:
    """Open another cohort file and forget the choices made in the previous one."""
    if st.session_state.get(_COHORT) == path:
        return
    st.session_state[_COHORT] = path
    for key in (_SET, _STAGE, _HISTORY, _VIEW, _ORDERS):
        st.session_state.pop(key, None)
    widget_state.forget()


def chosen_set() -> str | None:
    """Id of the embedding set that the pages show."""
    return st.session_state.get(_SET)


def choose_set(set_id: str) -> None:
    """Show another embedding set."""
    st.session_state[_SET] = set_id


def stage_column() -> str | None:
    """Column of the ordered stage."""
    return st.session_state.get(_STAGE)


def choose_stage_column(name: str | None) -> None:
    """Use another column as the stage."""
    st.session_state[_STAGE] = name


def stage_orders() -> dict[str, tuple[str, ...]]:
    """Column -> the order of its stages, lowest first, where the user gave one."""
    return dict(st.session_state.get(_ORDERS, {}))


def set_stage_order(column: str, order: tuple[str, ...]) -> None:
    """Use this order of the stages on every page; an empty one sorts them by meaning again."""
    kept = {name: known for name, known in stage_orders().items() if name != column}
    st.session_state[_ORDERS] = kept | ({column: order} if order else {})


def view(name: str) -> Any:
    """A setting of a view that a link carries (`colour`, `item`, `plane`, `offset`), or None."""
    return st.session_state.get(_VIEW, {}).get(name)


def set_view(name: str, value: object) -> None:
    """Remember a setting of a view for other pages and for the link."""
    st.session_state.setdefault(_VIEW, {})[name] = value


def history() -> History:
    """The successive selections of this session."""
    return st.session_state.setdefault(_HISTORY, History())


def selected() -> Selection:
    """The current selection."""
    return history().current


def selection() -> frozenset[str]:
    """Case ids selected on any page."""
    return selected().cases


def select(case_ids: Iterable[str], origin: str = "") -> None:
    """Select whole cases on every page, in place of the previous selection."""
    history().put(of_cases(case_ids, origin))


def put_selection(chosen: Selection) -> None:
    """Select items on every page, in place of the previous selection."""
    history().put(chosen)
