"""A process that builds reports for the Report page, as `embeddings.worker.analyses` runs analyses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from dashboard.compute.task import Task
from dashboard.report.arguments import ReportSettings
from dashboard.report.write import Report, make_report
from embeddings.worker.process import serve


def report_task(settings: ReportSettings, out: str, revision: str) -> Task:
    """The task of building a report.

    Args:
        out: name of the folder that the command line quotes.
        revision: state of the cohort file; another one needs another report.
    """
    # A path is no value of MessagePack.
    arguments = {"settings": msgspec.to_builtins(settings, enc_hook=str), "out": out}
    return Task(build_report, arguments, "Building the report", data=revision, module="dashboard.report.process")


def build_report(settings: dict[str, Any], out: str) -> Report:
    """The report of the settings, as `report_task` passes them."""
    given = msgspec.convert(settings, ReportSettings, dec_hook=lambda declared, text: Path(text))
    return make_report(given, out, say=lambda words: None)


if __name__ == "__main__":
    serve([build_report])
