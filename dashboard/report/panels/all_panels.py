"""The panels of a report in their order, and the tables that go with them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from dashboard.figures import audit as audit_figure
from dashboard.figures import probe as probe_figure
from dashboard.report.analysis_plan import Findings
from dashboard.report.cohort_selection import AnalysedCohort
from dashboard.report.panels import axis, outcome, recognition, shortcut
from dashboard.report.panels.panel import Panel


def figure_panels(findings: Findings, cohort: AnalysedCohort) -> tuple[Panel, ...]:
    """Panels a to h, and i where survival was asked for."""
    panels = [
        recognition.retrieval_panel("a", findings),
        recognition.probe_panel("b", findings, cohort),
        axis.discriminant_panel("c", findings, cohort),
        axis.stage_panel("d", findings, cohort),
        axis.size_panel("e", findings, cohort),
        shortcut.shortcut_panel("f", findings, cohort),
        axis.residual_panel("g", findings, cohort),
        axis.matched_panel("h", findings, cohort),
    ]
    if cohort.time is not None:
        panels.append(outcome.survival_panel("i", findings, cohort))
    return tuple(panels)


def single_panels(findings: Findings, cohort: AnalysedCohort) -> tuple[Panel, ...]:
    """Figures that stand by themselves, outside the composed one."""
    return (replace(outcome.pseudotime_panel(findings, cohort), letter=""),)


def further_tables(findings: Findings, cohort: AnalysedCohort) -> dict[str, pd.DataFrame]:
    """Tables that no panel draws in full, by file name without ending."""
    tables = {}
    if findings.probe is not None:
        tables["b_confusion"] = probe_figure.confusion_data(findings.probe)
        tables["b_learning_curve"] = recognition.learning_table(findings.probe)
        tables["b_calibration"] = probe_figure.calibration_data(findings.probe)
    if findings.audit is not None:
        tables["f_levels_left_out"] = audit_figure.left_out_data(findings.audit)
    if findings.gradient is not None:
        tables["d_stages"] = axis.group_table(findings.gradient, cohort)
        tables["h_permutations"] = axis.null_table(findings.gradient)
    if findings.survival is not None:
        tables["i_cox"] = outcome.cox_table(findings.survival)
    if findings.trajectory is not None:
        tables["pseudotime_axes"] = outcome.pseudotime_table(findings.trajectory)
    return tables
