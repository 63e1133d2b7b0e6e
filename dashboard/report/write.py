"""From settings to files: everything in memory first, then a folder in one move, or a zip."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboard.figures.style.export import Format, csv_bytes, figure_bytes
from dashboard.report import main_tests
from dashboard.report.analysis_plan import Findings, run_analyses
from dashboard.report.arguments import ReportSettings, command_line
from dashboard.report.cohort_selection import AnalysedCohort, select_cases
from dashboard.report.html import html_report
from dashboard.report.methods import markdown, methods
from dashboard.report.panels import all_panels
from dashboard.report.panels.composed_figure import composed_figure, panel_figure
from dashboard.report.panels.panel import Panel
from dashboard.report.provenance import PARTS, figure_footer, set_record, statements
from embeddings.analysis import progress
from embeddings.analysis.serialise import plain
from embeddings.versions import PRODUCT, versions
from flexict.errors import FlexiCTError

KIND = f"{PRODUCT} report"
_FORMATS: tuple[Format, ...] = ("svg", "pdf", "png")


@dataclass(frozen=True)
class Report:
    """A report in memory: path inside the folder -> bytes, the composed figure among them, and one sentence.

    refused: why an analysis could not be done, by its name. warnings: what the others warn of.
    """

    files: Mapping[str, bytes]
    sentence: str
    refused: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def zipped(self) -> bytes:
        """All files as one zip."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.files.items():
                archive.writestr(name, content)
        return buffer.getvalue()


def write_report(settings: ReportSettings, out: Path, say: Callable[[str], None]) -> str:
    """Make a report and put it into its folder; returns what was written.

    Raises ValueError on settings or a folder that cannot be used.
    """
    check_folder(out)  # before the minutes of computing, and again when writing
    report = make_report(settings, out, say)
    put_folder(report, out)
    return f"{report.sentence} Written to {out}: open {out / 'report.html'}"


def make_report(settings: ReportSettings, out: Path | str, say: Callable[[str], None]) -> Report:
    """Read, analyse and draw. `out` is only quoted, in the command line that makes the report again.

    Raises ValueError on a cohort file, column, group or set that cannot be used.
    """
    cohort = select_cases(settings)
    with progress.part(0.0, 0.7):
        findings = run_analyses(cohort, settings, say)
    say("figures")
    progress.report(7, 10, "figures")
    shown, single = all_panels.figure_panels(findings, cohort), all_panels.single_panels(findings, cohort)
    footer = figure_footer(cohort)
    files: dict[str, bytes] = {}
    figure = composed_figure(shown, footer)
    for kind in _FORMATS:
        files[f"figure.{kind}"] = figure_bytes(figure, kind)
    for done, panel in enumerate((*shown, *single), start=1):
        progress.report(7 + 3 * done / (len(shown) + len(single) + 1), 10, "figures")
        alone = panel_figure(panel, footer)
        for kind in _FORMATS:
            files[f"panels/{panel.name}.{kind}"] = figure_bytes(alone, kind)
        files[f"data/{panel.name}.csv"] = csv_bytes(panel.table)
    for name, table in all_panels.further_tables(findings, cohort).items():
        files[f"data/{name}.csv"] = csv_bytes(table)
    tests = main_tests.main_tests(findings, cohort)
    files["data/main_tests.csv"] = csv_bytes(tests)
    found = versions(PARTS, optional=())
    text = methods(cohort, findings, settings, found)
    files["methods.md"] = markdown(*text).encode("utf-8")
    created, command = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"), command_line(settings, out)
    files["report.html"] = html_report(
        cohort,
        findings,
        (*shown, *single),
        tests=tests,
        figure_png=files["figure.png"],
        methods=text,
        command=command,
        versions=found,
        created=created,
    ).encode("utf-8")
    record = {
        "kind": KIND,
        "created_utc": created,
        "command": command,
        "settings": {**asdict(settings), "cohort": str(settings.cohort), "groups": dict(settings.groups)},
        "seed": settings.seed,
        "versions": found,
        **_cohort_record(cohort, settings.cohort),
        "results": _results(findings),
        "main_tests": tests.to_dict(orient="records"),
        "panels": {panel.name: {"title": panel.title, "missing": panel.missing} for panel in (*shown, *single)},
        "refused": findings.refused,
        "warnings": [*cohort.warnings, *findings.warnings],
        "files": sorted([*files, "report.json"]),
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    files["report.json"] = json.dumps(plain(record), indent=1, allow_nan=False, ensure_ascii=False).encode("utf-8")
    return Report(files, _sentence(cohort, shown, findings), findings.refused, (*cohort.warnings, *findings.warnings))


def check_folder(out: Path) -> None:
    """Raises ValueError unless `out` is missing, empty, or holds nothing but a report of this command."""
    if not out.exists():
        return
    if not out.is_dir():
        raise FlexiCTError(f"--out: {out} is a file; give a folder")
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir() or path.is_symlink()}
    if not present:
        return
    try:
        record = json.loads((out / "report.json").read_text(encoding="utf-8"))
        ours = set(record["files"]) if record["kind"] == KIND else set()
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    foreign = sorted(present - ours)
    if foreign:
        raise FlexiCTError(
            f"--out: {out} holds files that no report wrote, such as {foreign[0]!r}: give a new or an empty folder"
        )


def put_folder(report: Report, out: Path) -> None:
    """Write the files beside `out`, then put them in its place: no reader sees half a report.

    Raises ValueError as `check_folder`, or where the place cannot be written to.
    """
    check_folder(out)
    target = out.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        fresh, old = work / "new", work / "old"
        try:
            for name, content in report.files.items():
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if target.exists():
                target.rename(old)
            try:
                fresh.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
        finally:
            # Stopped between the two moves, the earlier report is in `work` alone.
            if target.exists() or not old.exists():
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise FlexiCTError(f"--out: {out} cannot be written ({error.strerror}): choose another place") from error


def _sentence(cohort: AnalysedCohort, shown: tuple[Panel, ...], findings: Findings) -> str:
    missing = [panel.letter for panel in shown if panel.missing]
    said = f"{cohort.n} of {cohort.info.n_cases} cases analysed, panels a to {shown[-1].letter}."
    if missing:
        said += f" {', '.join(missing)} say{'s' if len(missing) == 1 else ''} what is missing."
    return said


def _cohort_record(cohort: AnalysedCohort, path: Path) -> dict[str, Any]:
    info = cohort.info
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "cohort": {
            "name": info.name,
            "csv_sha256": info.cohort_sha256,
            "file": path.name,
            "file_sha256": digest,
            "simulated": info.simulated,
            "n_cases": info.n_cases,
            "n_patients": info.n_patients,
        },
        "simulated": info.simulated,
        "statements": statements(cohort),
        "embedding_set": set_record(cohort.record),
        "compared_sets": [{**set_record(one.record), "n_analysed": len(one.rows)} for one in cohort.compared],
        "flow": [
            {"step": step.name, "n": step.n, "lost": [{"why": why, "n": n} for why, n in step.lost]}
            for step in cohort.flow
        ],
        "n": cohort.n,
        "n_patients": len(set(cohort.patients)),
        "stage": {
            "column": cohort.stage_column,
            "order": list(cohort.stage_names),
            "n": [int((cohort.stage == code).sum()) for code in range(len(cohort.stage_names))],
        },
        "case_ids": cohort.frame["case_id"].tolist(),
    }


def _results(findings: Findings) -> dict[str, Any]:
    return {
        "gradient": findings.gradient.to_dict() if findings.gradient else None,
        "probe": findings.probe.to_dict() if findings.probe else None,
        "probes_compared": {label: one.to_dict() for label, one in findings.compared_probes},
        "retrieval": [{"set": one.label, **one.result.to_dict()} for one in findings.retrieval],
        "audit": findings.audit.to_dict() if findings.audit else None,
        "survival": findings.survival.to_dict() if findings.survival else None,
        "pseudotime": findings.trajectory.to_dict() if findings.trajectory else None,
    }
