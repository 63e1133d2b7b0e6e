"""Who is who: the person at this machine, signed in, a browser, a session; and whose folder is whose."""

from __future__ import annotations

import dataclasses
import os
import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from dashboard.session import users
from dashboard.session.settings import Settings, read_settings
from dashboard.session.users import browser_token, is_at_this_machine
from flexict.errors import FlexiCTError

APP = Path(__file__).resolve().parents[3] / "dashboard" / "app.py"


@pytest.mark.parametrize(
    ("address", "headers", "here"),
    [
        ("localhost", {"Host": "localhost:8501"}, True),
        ("127.0.0.1", {"host": "127.0.0.1:8501"}, True),
        ("localhost", {"host": "[::1]:8501"}, True),
        ("localhost", {}, True),
        (None, {"host": "localhost:8501"}, False),
        ("0.0.0.0", {"host": "localhost:8501"}, False),
        ("localhost", {"host": "ct.hospital.example"}, False),
        ("localhost", {"host": "localhost:8501", "X-Forwarded-For": "10.0.0.7"}, False),
        ("localhost", {"host": "localhost:8501", "Via": "1.1 proxy"}, False),
    ],
)
def test_only_an_app_that_was_reached_from_its_own_machine_has_one_person(
    address: str | None, headers: dict[str, str], here: bool
) -> None:
    assert is_at_this_machine(address, headers) is here


def test_the_cookie_of_a_browser_names_it_however_it_is_masked() -> None:
    token = bytes(range(16))
    cookies = {generate_xsrf_token_string(token) for _ in range(5)}
    assert len(cookies) == 5
    assert {browser_token(cookie) for cookie in cookies} == {token}


@pytest.mark.parametrize("cookie", [None, "", "2|00|00|1", "../../etc", "2|" + "0" * 8 + "|" + "0" * 30 + "|1"])
def test_what_is_no_such_cookie_names_nobody(cookie: str | None) -> None:
    assert browser_token(cookie) is None


def own_settings_of(tmp_path: Path, user: dict[str, object] | None, *words: str) -> Settings:
    """The settings that a session gets, through a script that Streamlit runs."""

    def script() -> None:
        import streamlit as st

        from dashboard.session import users
        from dashboard.session.settings import read_settings

        st.session_state["own"] = users.own_settings(read_settings(st.session_state["words"]))

    app = AppTest.from_function(script)
    app.session_state["words"] = ["--workspace", str(tmp_path), "--data-root", str(tmp_path), *words]
    if user is not None:
        app.user = user
    app.run()
    assert not app.exception, app.exception
    return app.session_state["own"]


def test_each_subject_has_a_folder_of_its_own_that_does_not_tell_who_it_is(tmp_path: Path) -> None:
    ann = {"is_logged_in": True, "iss": "https://login.example", "sub": "1", "email": "ann@example.org"}
    folder = own_settings_of(tmp_path, ann).workspace
    assert own_settings_of(tmp_path, {**ann, "email": "new@example.org"}).workspace == folder
    assert own_settings_of(tmp_path, {**ann, "sub": "2"}).workspace != folder
    assert own_settings_of(tmp_path, {**ann, "iss": "https://other.example"}).workspace != folder
    assert "ann" not in str(folder.relative_to(tmp_path))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".people-key").stat().st_mode) == 0o600


def test_two_sessions_without_cookies_share_nothing(tmp_path: Path) -> None:
    one, other = (own_settings_of(tmp_path, None, "--several-users") for _ in range(2))
    assert one.workspace != other.workspace
    assert one.workspace.parent == other.workspace.parent == tmp_path / "people"


def test_another_persons_folder_is_not_allowed_though_the_data_root_holds_it(tmp_path: Path) -> None:
    one, other = (own_settings_of(tmp_path, None, "--several-users") for _ in range(2))
    (one.workspace / "a.duckdb").touch()
    (other.workspace / "link").symlink_to(one.workspace)
    assert one.allows(one.workspace / "a.duckdb")
    assert not other.allows(one.workspace / "a.duckdb")
    assert not other.allows(other.workspace / "link" / "a.duckdb")
    assert not other.allows(other.workspace / ".." / one.workspace.name / "a.duckdb")
    assert not other.allows(tmp_path / ".people-key")
    assert other.allows(tmp_path.parent) is False


@pytest.fixture
def shipped_address() -> Iterator[None]:
    """The app's own `server.address`, which Streamlit reads beside the script that it is started with."""
    before = config.get_option("server.address")
    shipped = tomllib.loads((APP.parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    config.set_option("server.address", shipped["server"]["address"])
    yield
    config.set_option("server.address", before)


@pytest.mark.usefixtures("shipped_address")
def test_the_person_at_this_machine_keeps_the_whole_workspace(tmp_path: Path) -> None:
    settings = own_settings_of(tmp_path, None)
    assert settings.workspace == tmp_path
    assert settings.workspaces is None


def test_an_app_that_asks_for_a_sign_in_shows_nothing_before_it(settings: Settings, store_path: Path) -> None:
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = dataclasses.replace(settings, cohort=store_path, require_sign_in=True)
    app.session_state["shared.cohort"] = store_path
    app.run()
    assert not app.exception
    assert not app.dataframe
    assert not app.file_uploader
    assert "no provider is set up" in app.error[0].value
    app.secrets["auth"] = {"client_id": "x"}
    app.run()
    assert [b.label for b in app.button] == ["Sign in"]
    app.user = {"is_logged_in": True, "sub": "1", "email": "ann@example.org"}
    app.run()
    assert app.title[0].value == "Cohort"
    assert any("Signed in as ann" in c.value for c in app.sidebar.caption)


def test_the_options_for_several_users_are_read() -> None:
    settings = read_settings(["--several-users", "--require-sign-in", "--max-ct-mb", "7"])
    assert (settings.several_users, settings.require_sign_in, settings.max_ct_mb) == (True, True, 7)
    with pytest.raises(SystemExit):
        read_settings(["--max-ct-mb", "0"])


def test_the_key_is_whole_for_everybody_who_reads_it_while_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others look at every step of the making: each finds no key or the whole one, and all the same."""
    seen: list[bytes] = []
    steps = {name: getattr(os, name) for name in ("open", "fdopen", "fsync", "link")}

    def watched(name: str) -> Callable[..., object]:
        def step(*arguments: object, **options: object) -> object:
            done = steps[name](*arguments, **options)
            if (tmp_path / ".people-key").exists():
                seen.append((tmp_path / ".people-key").read_bytes())
            return done

        return step

    for name in steps:
        monkeypatch.setattr(os, name, watched(name))
    key = users._key(tmp_path)
    assert len(key) == 32
    assert seen
    assert set(seen) == {key}
    assert users._key(tmp_path) == key
    assert [one.name for one in tmp_path.iterdir()] == [".people-key"]


def test_the_key_of_a_server_that_was_quicker_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def after_another(draft: str, path: Path) -> None:
        path.write_bytes(b"k" * 32)
        link(draft, path)

    monkeypatch.setattr(os, "link", after_another)
    assert users._key(tmp_path) == b"k" * 32


def test_a_workspace_on_a_file_system_without_links_has_a_key_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert len(users._key(tmp_path)) == 32
    assert users._key(tmp_path) == users._key(tmp_path)


def test_a_damaged_key_is_an_error_and_not_everybody_s_folder(tmp_path: Path) -> None:
    (tmp_path / ".people-key").write_bytes(b"")
    with pytest.raises(FlexiCTError, match="damaged"):
        users._key(tmp_path)
