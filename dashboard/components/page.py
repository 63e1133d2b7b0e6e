"""What every page of results has: a title, the open cohort, sections that wait for a result, and an explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.components.context import Context, require
from dashboard.compute.waiting import section
from dashboard.wording.escaping import plain
from embeddings.store.connections import StoreError
from flexict.errors import FlexiCTError


def page(title: str, *parts: Callable[[Context], None]) -> None:
    """A page of an open cohort: its parts one below the other, each in a section of its own."""
    st.title(title)
    found = require()
    for part in parts:
        with result_section():
            part(found)


@contextmanager
def result_section() -> Iterator[None]:
    """A part of a page that needs a result: where an analysis refuses its data or still runs, the page says so instead.

    A file that cannot be read is left to the app, which says so for the whole page.
    """
    with section():
        try:
            yield
        except StoreError:
            raise
        except FlexiCTError as error:
            st.info(plain(error))


def explanation(text: str, title: str = "How is this computed?") -> None:
    """A text on methods, folded. text: Markdown in which whatever comes from data is escaped."""
    with st.expander(title):
        st.markdown(text)
        st.caption("For the words used here see **Terms** in the sidebar.")
