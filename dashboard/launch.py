"""`flexict-dashboard`: the app as `streamlit run dashboard/app.py` opens it, started from any folder.

Its limits stand in `.streamlit/config.toml` beside `app.py`, which Streamlit reads whichever folder it is started from:
only this machine may connect, and no usage statistics are sent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from streamlit.web import cli

from dashboard.session.settings import settings_parser

APP = Path(__file__).with_name("app.py")


def streamlit_words(words: Sequence[str]) -> list[str]:
    """What `flexict-dashboard WORDS` asks of the command `streamlit`.

    Raises:
        SystemExit: `--help`, or options that do not exist, before anything is started.
    """
    server = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    server.add_argument("--port", type=int, default=8501, help="port of the app (8501)")
    server.add_argument("--address", default="localhost", help="address of the app (localhost: this machine only)")
    settings_parser("flexict-dashboard", [server]).parse_args(words)
    options, for_app = server.parse_known_args(words)
    listen = ["--server.port", str(options.port), "--server.address", options.address]
    return ["run", str(APP), *listen, "--", *for_app]


def main(words: Sequence[str] | None = None) -> None:
    """Start the app and serve it until Ctrl-C."""
    cli.main(streamlit_words(sys.argv[1:] if words is None else words), prog_name="streamlit")
