"""A process that builds reports for the Report page, as `embeddings.worker.process` runs analyses."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dashboard.report.arguments import ReportSettings
from dashboard.report.write import Report, make_report
from embeddings.worker import result_codec
from embeddings.worker.process import serve

MODULE = "dashboard.report.process"
KIND = "report"


def encoded(settings: ReportSettings, out: str) -> bytes:
    """The request for a report."""
    return result_codec.encode(_said(settings, out))


def key(settings: ReportSettings, out: str, revision: str) -> str:
    """SHA-256 of the settings, the name of the folder that the command line quotes, and the state of the file."""
    said = {"report": _said(settings, out), "revision": revision}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode("utf-8")).hexdigest()


def report_of(found: Mapping[str, Any]) -> Report:
    """The report from what the process answered."""
    return Report(**found)


def _said(settings: ReportSettings, out: str) -> dict[str, Any]:
    return {"settings": {**asdict(settings), "cohort": str(settings.cohort)}, "out": out}


def _build(settings: Mapping[str, Any], out: str) -> dict[str, Any]:
    report = make_report(
        ReportSettings(**{**settings, "cohort": Path(str(settings["cohort"]))}), out, say=lambda words: None
    )
    return {
        "files": dict(report.files),
        "sentence": report.sentence,
        "refused": dict(report.refused),
        "warnings": report.warnings,
    }


if __name__ == "__main__":
    serve({KIND: _build})
    sys.exit(0)
