"""The user of this session, and their folder in the workspace.

Three cases, in this order:

- Signed in through OpenID Connect: the user is the issuer and subject of the identity (or its email).
- The app listens on this machine only and the request was not forwarded: the local user, who has the whole workspace.
  `--several-users` disables this case where several people reach one machine.
- Any other user is a browser: Streamlit gives each a random token against forged requests, in a cookie that survives
  reloads and new tabs and ends with the browser. Without cookies the user is the session, until it is reloaded.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import streamlit as st

from dashboard.session.settings import Settings
from flexict.errors import FlexiCTError

# Name on disk since the first version.
FOLDER = "people"
_KEY_FILE = ".people-key"
_KEY_BYTES = 32
_COOKIE = "_streamlit_xsrf"
_TOKEN = re.compile(r"2\|(?P<mask>[0-9a-f]{8})\|(?P<masked>[0-9a-f]{32})\|[0-9]{1,12}")
_SESSION_ID = "person.session"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
# What a reverse proxy adds: then the browser may be anywhere.
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})


def signed_in() -> bool:
    """Whether this session is signed in through the provider of `secrets.toml`."""
    return bool(st.user.get("is_logged_in", False))


def own_settings(started: Settings) -> Settings:
    """The settings of this session: those the app was started with, with this user's folder as the workspace.

    Raises:
        FlexiCTError: the workspace's secret is damaged.
        OSError: the workspace cannot be written.
    """
    identity = _identity(started)
    if identity is None:
        return started
    folder = started.workspace / FOLDER / hmac.digest(_key(started.workspace), identity.encode(), "sha256").hex()[:32]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return replace(started, workspace=folder, workspaces=started.workspace)


def is_at_this_machine(address: str | None, headers: Mapping[str, str]) -> bool:
    """Whether the request came from the machine on which the app listens on `address`, as far as it shows.

    Args:
        address: `server.address` of Streamlit; None listens on every network.
        headers: of the request; empty outside a browser.
    """
    if address not in _LOOPBACK or any(name.casefold() in _FORWARDED for name in headers):
        return False
    host = next((value for name, value in headers.items() if name.casefold() == "host"), "localhost")
    return re.sub(r":[0-9]+$", "", host.casefold()) in _LOOPBACK


def browser_token(cookie: object) -> bytes | None:
    """The 16 random bytes in Streamlit's cookie, which masks them anew with every response; None for other values."""
    found = _TOKEN.fullmatch(cookie.strip('"')) if isinstance(cookie, str) else None
    if found is None:
        return None
    mask, masked = bytes.fromhex(found["mask"]), bytes.fromhex(found["masked"])
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))


def _identity(started: Settings) -> str | None:
    """What distinguishes this user from others; None for the local user."""
    if signed_in():
        subject = st.user.get("sub") or st.user.get("email")
        return f"signed in {st.user.get('iss', '')} {subject}"
    if not started.several_users and is_at_this_machine(st.get_option("server.address"), dict(st.context.headers)):
        return None
    token = browser_token(st.context.cookies.get(_COOKIE))
    if token is not None:
        return f"browser {hashlib.sha256(token).hexdigest()}"
    return f"session {st.session_state.setdefault(_SESSION_ID, secrets.token_hex(16))}"


def _key(workspace: Path) -> bytes:
    """The workspace's own secret: without it nobody can derive a user's folder from their email."""
    workspace.mkdir(parents=True, exist_ok=True)
    path = workspace / _KEY_FILE
    if not path.exists():
        # Written under another name first, so that readers find only a complete file.
        handle, draft = tempfile.mkstemp(prefix=f"{_KEY_FILE}.", dir=workspace)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            # Not a rename, which would replace a key that another process has just made.
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                if not path.exists():
                    os.replace(draft, path)
        finally:
            Path(draft).unlink(missing_ok=True)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise FlexiCTError(
            f"{path} is damaged ({len(key)} bytes in place of {_KEY_BYTES}): restore it from a backup; without it, "
            "delete it, and every user starts with a new folder"
        )
    return key
