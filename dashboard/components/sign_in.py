"""The sign-in page, and who is signed in."""

from __future__ import annotations

import streamlit as st

from dashboard.session import users
from dashboard.session.settings import Settings
from dashboard.wording.escaping import plain


def require_sign_in(settings: Settings) -> None:
    """With `--require-sign-in`, show users who are not signed in nothing but the sign-in."""
    if not settings.require_sign_in or users.signed_in():
        return
    st.title("FlexiCT Phenotype Explorer")
    st.markdown("Sign in to continue. Research use only, never for diagnosis.")
    if "auth" not in _secrets():
        st.error(
            "This app requires a sign-in, but no provider is set up. Its administrator has to add an `[auth]` section "
            "to `.streamlit/secrets.toml` (see docs/several-users.md) and restart it."
        )
    elif st.button("Sign in", type="primary", icon=":material/login:", key="sign.in"):
        st.login()
    st.stop()


def sign_out() -> None:
    """Who is signed in, and a button to sign out, in the sidebar of every page."""
    if not users.signed_in():
        return
    with st.sidebar:
        st.caption(f"Signed in as {plain(st.user.get('email') or st.user.get('name') or 'unknown user')}")
        if st.button("Sign out", icon=":material/logout:", key="sign.out"):
            st.logout()


def _secrets() -> frozenset[str]:
    try:
        return frozenset(st.secrets)
    except FileNotFoundError:
        return frozenset()
