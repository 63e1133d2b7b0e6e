"""What Streamlit makes of escaped text in a browser: the text, and no element of its own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: make env-dev")
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[3]
TEXTS = (
    *("<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "![x](https://example.org/a.png)"),
    *("**bold** _it_ ~~gone~~ `code`", ":red[x] :material/delete: :smile: :red-badge[n]", "$\\frac{1}{2}$ and $x$"),
    *("# head", "- item", "1. first", "> said", "=cmd|calc", "| a | b |", "***", "::: block", "a\\", "&lt;b&gt;"),
    *("https://example.org www.example.org me@example.org", "a -> b <- c >= d", "T1a < T1b", "x: y"),
)
MADE = "img,a,svg,code,strong,em,del,h1,h2,li,blockquote,hr,table,.katex,[data-testid=stIconMaterial]"
SCRIPT = """
import streamlit as st
from dashboard.wording.escaping import plain

for number, text in enumerate({texts!r}):
    with st.container(key=f"alone{{number}}"):
        st.markdown(plain(text))
    with st.container(key=f"within{{number}}"):
        st.caption(f"before {{plain(text)}} after")
    with st.container(key=f"label{{number}}"):
        st.button(plain(text), key=f"button{{number}}")
st.title("Done")
"""

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_escaped_text_is_shown_as_it_is(tmp_path: Path) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no browser on this machine")
    (tmp_path / "app.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{SCRIPT.format(texts=TEXTS)}")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(tmp_path / "app.py"), "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.fileWatcherType", "none", "--server.address", "localhost"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with sync_playwright() as playwright:
            page = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]).new_page()
            for _ in range(60):
                try:
                    page.goto(f"http://localhost:{port}")
                    break
                except Exception:
                    page.wait_for_timeout(500)
            page.wait_for_selector("h1:has-text('Done')", timeout=60_000)
            for number, text in enumerate(TEXTS):
                for place in ("alone", "within", "label"):
                    shown = page.locator(f".st-key-{place}{number}")
                    wanted = f"before {text} after" if place == "within" else text
                    assert shown.inner_text().replace("\N{WORD JOINER}", "").strip() == wanted
                    assert shown.locator(MADE).count() == 0, text
    finally:
        server.terminate()
        server.wait()
