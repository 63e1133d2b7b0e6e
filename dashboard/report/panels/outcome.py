"""Panel i, survival by the stage axis, and the single figure of pseudotime."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dashboard.data import columns
from dashboard.figures import survival as survival_figure
from dashboard.figures import trajectory as trajectory_figure
from dashboard.report.analysis_plan import Findings
from dashboard.report.cohort_selection import AnalysedCohort
from dashboard.report.panels.axis import stage_names
from dashboard.report.panels.panel import Panel, Place, absent, small_ticks, statistic
from embeddings.analysis import Pseudotime, SurvivalByScore, p_words

SCORE_NAME = "Stage axis"
SURVIVAL_TITLE = "Survival by tertile of the stage axis"
PSEUDOTIME_TITLE = "Diffusion pseudotime by stage"


def survival_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """Kaplan-Meier curves of patients of low, middle and high score."""
    result = findings.survival
    if result is None:
        return absent(letter, "survival", SURVIVAL_TITLE, findings.refused.get("survival", ""))
    return Panel(
        letter,
        "survival",
        SURVIVAL_TITLE,
        lambda place: _draw_survival(place, result, columns.label(cohort.time_column or "time").capitalize()),
        survival_figure.data(result),
    )


def pseudotime_panel(findings: Findings, cohort: AnalysedCohort) -> Panel:
    """Pseudotime by stage beside the simple alternatives."""
    result = findings.trajectory
    if result is None:
        return absent("", "pseudotime", PSEUDOTIME_TITLE, findings.refused.get("pseudotime", ""))
    names = stage_names(cohort)
    table = pd.DataFrame(
        {
            "case_id": cohort.frame["case_id"],
            "patient_id": cohort.frame["patient_id"],
            "stage": [names[code] for code in cohort.stage],
            "pseudotime": result.pseudotime,
            "first_principal_component": result.pc1,
            "supervised_axis_out_of_fold": result.supervised,
            "is_root": np.arange(result.n) == result.root,
        }
    )
    return Panel(
        "", "pseudotime", PSEUDOTIME_TITLE, lambda place: _draw_pseudotime(place, result, names), table, width_mm=150.0
    )


def pseudotime_table(result: Pseudotime) -> pd.DataFrame:
    """The correlation with stage of pseudotime and of the simple axes beside it."""
    return trajectory_figure.axes_data(result)


def cox_table(result: SurvivalByScore) -> pd.DataFrame:
    """One row a term of Cox's models, of the stage axis alone and with covariates; p adjusted over the terms."""
    return survival_figure.cox_data(result, score_name=SCORE_NAME)


def _draw_survival(place: Place, result: SurvivalByScore, time_label: str) -> None:
    axes = place.subplots()
    survival_figure.draw(axes, result, time_label=time_label)
    concordance = f"C {result.c_index:.2f} [{result.c_index_low:.2f}, {result.c_index_high:.2f}]"
    statistic(axes, f"log-rank {p_words(result.logrank_p, 'two-sided')}; {concordance}")
    small_ticks(axes)


def _draw_pseudotime(place: Place, result: Pseudotime, names: Mapping[float, str]) -> None:
    left, right = place.subplots(1, 2)
    trajectory_figure.draw(left, result, stage_names=names)
    trajectory_figure.draw_axes(right, result)
    for axes in (left, right):
        small_ticks(axes)
