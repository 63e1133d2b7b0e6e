"""The app in a session without a browser, on one of its pages."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from streamlit.testing.v1 import AppTest

from dashboard.session.settings import Settings

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"


def open_app(settings: Settings, cohort: Path | None = None, page: str = "cohort") -> AppTest:
    """The app with a cohort file open, or without one; nothing has raised."""
    app = AppTest.from_file(str(APP), default_timeout=600)
    app.session_state["settings"] = dataclasses.replace(settings, cohort=cohort)
    app.session_state["shared.cohort"] = cohort
    app.run()
    if page != "cohort":
        app.switch_page(f"screens/{page}.py").run()
    assert not app.exception, app.exception
    return app
