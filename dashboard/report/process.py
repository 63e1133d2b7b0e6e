"""A process that builds reports for the Report page, as `embeddings.worker.analyses` runs analyses."""

from __future__ import annotations

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
    arguments = {"settings": settings, "out": out}
    return Task(build_report, arguments, "Building the report", data=revision, module="dashboard.report.process")


def build_report(settings: ReportSettings, out: str) -> Report:
    """The report of the settings, with progress for whoever listens instead of lines on a terminal."""
    return make_report(settings, out, say=lambda words: None)


if __name__ == "__main__":
    serve([build_report])
