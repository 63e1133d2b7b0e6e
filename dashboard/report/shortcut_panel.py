"""Panel f: does anything else explain the stage, and do the vectors know it?"""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from dashboard.figures.theme import CATEGORY_COLOURS
from dashboard.report.analysis_plan import Findings
from dashboard.report.cohort_selection import AnalysedCohort
from dashboard.report.panel import GREY, SMALL_PT, Panel, Place, absent, shortened, small_ticks, statistic
from embeddings.analysis.audit.audit import ShortcutAudit, ShortcutColumn

TITLE = "Does anything else tell the stage?"
MOST_DRAWN = 10
ALPHA = 0.05


def shortcut_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """AUC of the stage from each column alone beside that of the vectors, and what the vectors know of the column."""
    if findings.audit is None:
        return absent(letter, "shortcuts", TITLE, findings.refused.get("audit", ""))
    audit = findings.audit
    return Panel(
        letter,
        "shortcuts",
        TITLE,
        lambda place: _draw(place, audit),
        shortcut_table(audit, cohort.label),
        width_mm=120.0,
        height_mm=max(45.0, 16.0 + 6.5 * (1 + min(MOST_DRAWN, len(audit.columns)))),
    )


def shortcut_table(audit: ShortcutAudit, label: str) -> pd.DataFrame:
    """The vectors' AUC of stage, then one row a column; p adjusted over the columns."""
    auc = audit.stage_auc
    rows: list[dict[str, object]] = [
        {"column": label, "n": audit.n, "stage_auc": auc.value, "stage_auc_low": auc.low, "stage_auc_high": auc.high}
    ]
    for one in audit.columns:
        alone, known = one.stage_from_column, one.column_from_vectors
        rows.append(
            {
                "column": one.name,
                "n": one.n,
                "stage_auc": alone.value,
                "stage_auc_low": alone.low,
                "stage_auc_high": alone.high,
                "kind": one.kind,
                "levels": one.n_levels,
                "association": one.association,
                "association_value": one.association_value,
                "association_p": one.association_p,
                "association_p_adjusted": one.association_p_adjusted,
                "from_vectors_measure": _measure(one),
                "from_vectors": known.value,
                "from_vectors_low": known.low,
                "from_vectors_high": known.high,
                "from_vectors_p": one.column_from_vectors_p,
                "from_vectors_p_adjusted": one.column_from_vectors_p_adjusted,
                "stage_rho_without": one.after_removal.value,
                "stage_rho_without_low": one.after_removal.low,
                "stage_rho_without_high": one.after_removal.high,
                "stage_rho_without_p": one.after_removal_p,
                "stage_rho_without_p_adjusted": one.after_removal_p_adjusted,
                "verdict": one.verdict,
                "note": one.note,
            }
        )
    return pd.DataFrame(rows)


def left_out_table(audit: ShortcutAudit) -> pd.DataFrame:
    """One row a level: AUC of the stage axis on its cases, when it was trained on the level and when not."""
    rows = [
        (one.name, part.level, part.n, part.within, part.auc, part.drop)
        for one in audit.columns
        for part in one.left_out
    ]
    return pd.DataFrame(rows, columns=["column", "level", "n", "auc_within", "auc_left_out", "drop"])


def _measure(one: ShortcutColumn) -> str:
    return "AUC" if one.kind == "categorical" else "rho"


def _draw(place: Place, audit: ShortcutAudit) -> None:
    axes = place.subplots()
    drawn = audit.columns[:MOST_DRAWN]
    vectors = audit.stage_auc
    axes.axvspan(vectors.low, vectors.high, color=CATEGORY_COLOURS[0], alpha=0.10, linewidth=0)
    _line(axes, 0, vectors.value, vectors.low, vectors.high, CATEGORY_COLOURS[0], "s")
    for row, one in enumerate(drawn, start=1):
        alone = one.stage_from_column
        _line(axes, row, alone.value, alone.low, alone.high, CATEGORY_COLOURS[1], "o")
        known, rest = one.column_from_vectors, one.after_removal
        _beside(axes, row, 1.02, f"{_measure(one)} {known.value:z.2f}", one.column_from_vectors_p_adjusted)
        _beside(axes, row, 1.24, f"rho {rest.value:z.2f}", one.after_removal_p_adjusted)
    for x, text in ((1.02, "column\nfrom vectors"), (1.24, "stage axis\nwithout it")):
        axes.annotate(text, (x, 1.01), xycoords="axes fraction", va="bottom", fontsize=SMALL_PT, color=GREY)
    axes.axvline(0.5, color="#777777", linewidth=0.6, linestyle="--", zorder=0)
    axes.set_yticks(range(len(drawn) + 1), ["vectors", *(shortened(one.name, 24) for one in drawn)])
    axes.set_ylim(len(drawn) + 0.5, -0.6)
    axes.set_xlabel("Concordance with stage (AUC) of this alone")
    small_ticks(axes)
    more = len(audit.columns) - len(drawn)
    filled = "● adjusted p < 0.05"
    statistic(axes, f"{filled}; {more} more columns stand in the table" if more else filled)


def _line(axes: Axes, row: int, value: float, low: float, high: float, colour: str, marker: str) -> None:
    if value != value:
        axes.annotate("not tested", (0.5, row), va="center", ha="center", fontsize=SMALL_PT, color=GREY)
        return
    axes.plot([low, high], [row, row], color=colour, linewidth=1.2)
    axes.plot(value, row, marker=marker, markersize=4, color=colour)


def _beside(axes: Axes, row: int, x: float, text: str, p: float) -> None:
    """A number at the right of a row with a mark, filled where p is small; a dash where nothing was tested."""
    sure = p < ALPHA
    axes.annotate(
        "–" if p != p else f"{text} {'●' if sure else '○'}",
        (x, row),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=SMALL_PT,
        color="black" if sure else GREY,
        annotation_clip=False,
    )
