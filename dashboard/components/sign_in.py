"""The page before all others, where the app asks for a sign-in."""

from __future__ import annotations

import streamlit as st

from dashboard.session import users
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain


def require_sign_in(settings: Settings) -> None:
    """Where the app was started with `--require-sign-in`: show nothing but the sign-in to who is not signed in."""
    if not settings.require_sign_in or users.signed_in():
        return
    st.title("FlexiCT Phenotype Explorer")
    st.markdown("Sign in to go on. Research use only, never for diagnosis.")
    if "auth" not in _secrets():
        st.error(
            "This app asks for a sign-in, but no provider is set up: its keeper has to add an `[auth]` section to "
            "`.streamlit/secrets.toml` (docs/several-users.md says how) and start it again."
        )
    elif st.button("Sign in", type="primary", icon=":material/login:", key="sign.in"):
        st.login()
    st.stop()


def sign_out() -> None:
    """Who is signed in, and the way out, at the side of every page."""
    if not users.signed_in():
        return
    with st.sidebar:
        st.caption(f"Signed in as {plain(st.user.get('email') or st.user.get('name') or 'somebody')}")
        if st.button("Sign out", icon=":material/logout:", key="sign.out"):
            st.logout()


def _secrets() -> frozenset[str]:
    try:
        return frozenset(st.secrets)
    except FileNotFoundError:
        return frozenset()
