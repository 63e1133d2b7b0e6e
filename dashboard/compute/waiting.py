"""A place on a page whose result is still being computed: what runs, how far it is, and a button that cancels it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from dashboard.compute import background
from dashboard.compute.task import Answer, Cancelled, Done, Failed, Running, Task
from dashboard.session import state
from dashboard.wording.escaping import plain
from flexict.errors import FlexiCTError

_REFRESH_S = 1.0


class NotReadyError(Exception):
    """There is no result yet; `section` shows the progress, or why there is none, in its place."""

    def __init__(self, task: Task, slot: str, answer: Answer) -> None:
        super().__init__(task.words)
        self.task, self.slot, self.answer = task, slot, answer


def obtain(task: Task, slot: str) -> Any:
    """The result of a task for a slot of this session's pages; waits for a short one.

    Raises:
        FlexiCTError: what the task says of its data.
        NotReadyError: it still runs, was cancelled, or failed.
    """
    registry, session = background.registry(), state.session_id()
    answer = registry.ask(task, session, slot)
    if isinstance(answer, Running):
        registry.wait(task.key, session, slot, st.session_state["settings"].patience_s)
        answer = registry.look(task.key, session, slot)
    if isinstance(answer, Done):
        if answer.note:
            st.caption(plain(answer.note))
        return answer.result
    if isinstance(answer, Failed) and answer.refused:
        raise FlexiCTError(answer.sentence)
    raise NotReadyError(task, slot, answer)


def run_again(task: Task, slot: str) -> None:
    """Compute a result anew if it was cancelled or failed: somebody pressed the button for it."""
    background.registry().run_again(task.key, state.session_id(), slot)


@contextmanager
def section() -> Iterator[None]:
    """A part of a page that needs a result. Without it, the rest of the block is replaced by the progress.

    What follows the block on the page is shown.
    """
    try:
        yield
    except NotReadyError as missing:
        _instead(missing)


def _instead(missing: NotReadyError) -> None:
    slot, words = missing.slot, missing.task.words
    if isinstance(missing.answer, Running):
        _running(missing.task.key, slot, words)
        return
    if isinstance(missing.answer, Cancelled):
        st.info(f"{words}: cancelled. Run it again to see the result.")
    elif isinstance(missing.answer, Failed):
        st.error(plain(missing.answer.sentence))
    st.button(
        "Run again",
        icon=":material/refresh:",
        key=f"waiting.{slot}.again",
        on_click=run_again,
        args=(missing.task, slot),
    )


@st.fragment(run_every=_REFRESH_S)
def _running(key: str, slot: str, words: str) -> None:
    registry, session = background.registry(), state.session_id()
    answer = registry.look(key, session, slot)
    if not isinstance(answer, Running):
        st.rerun()
    now = "" if answer.words.casefold() == words.casefold() else f"Now: {answer.words}. "
    with st.container(border=True):
        st.progress(answer.share, text=f"**{words}** · {100 * answer.share:.0f} % · {_duration(answer.elapsed_s)}")
        st.caption(f"{now}You can use the other pages meanwhile; the result will be here when you come back.")
        st.button(
            "Cancel",
            icon=":material/stop:",
            key=f"waiting.{slot}.cancel",
            on_click=registry.cancel,
            args=(session, slot),
        )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
