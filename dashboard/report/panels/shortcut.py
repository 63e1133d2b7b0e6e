"""Panel f: does anything else predict the stage, and do the vectors predict it?"""

from __future__ import annotations

from dashboard.figures import audit as audit_figure
from dashboard.report.analysis_plan import Findings
from dashboard.report.cohort_selection import AnalysedCohort
from dashboard.report.panels.panel import Panel, Place, absent, small_ticks, statistic
from embeddings.analysis.audit.audit import ShortcutAudit
from embeddings.formatting import counted

TITLE = "Does anything else predict the stage?"
MOST_DRAWN = 10


def shortcut_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """Concordance with stage of the vectors and of each column alone, and how well the vectors predict the column."""
    if findings.audit is None:
        return absent(letter, "shortcuts", TITLE, findings.refused.get("audit", ""))
    audit = findings.audit
    return Panel(
        letter,
        "shortcuts",
        TITLE,
        lambda place: _draw(place, audit),
        audit_figure.data(audit, vectors_name=cohort.label),
        width_mm=audit_figure.WIDTH_MM,
        height_mm=max(45.0, 16.0 + 6.5 * (1 + min(MOST_DRAWN, len(audit.columns)))),
    )


def _draw(place: Place, audit: ShortcutAudit) -> None:
    axes = place.subplots()
    audit_figure.draw(axes, audit, most=MOST_DRAWN)
    small_ticks(axes)
    more = len(audit.columns) - MOST_DRAWN
    if more > 0:
        statistic(axes, f"{counted(more, 'more column')} in the table")
