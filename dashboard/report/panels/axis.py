"""Panels c, d, e, g and h: the stage axis, what size has to do with it, and how much of it is chance."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from dashboard.data import columns
from dashboard.figures import by_stage
from dashboard.figures import gradient as gradient_figure
from dashboard.figures.style import intervals
from dashboard.figures.style.theme import CATEGORY_COLOURS, Mark, stage_marks
from dashboard.report.analysis_plan import Findings
from dashboard.report.cohort_selection import AnalysedCohort
from dashboard.report.panels.panel import (
    SMALL_PT,
    Panel,
    Place,
    absent,
    legend_below,
    shortened,
    small_ticks,
    statistic,
)
from embeddings.analysis import AxisEvidence, StageGradient, p_words

LD1, LD2 = "Along the stages", "Middle against the ends"
# Half-axes, in standard deviations, of the ellipse that holds 68 % of a bivariate normal group.
ELLIPSE_SD = 1.5096
NO_SIZE = "No tumour size was given (--size): whether the axis is more than size is not tested."


def discriminant_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """Out-of-fold linear discriminants of the stages, with an ellipse a stage; two stages lie on one axis."""
    title = "Linear discriminants, out of fold"
    result = findings.gradient
    if result is None:
        return absent(letter, "discriminants", title, findings.refused.get("gradient", ""))
    table = _cases(result, cohort)
    table["discriminant_1"] = result.discriminants[:, 0]
    if result.discriminants.shape[1] > 1:
        table["discriminant_2"] = result.discriminants[:, 1]
    return Panel(letter, "discriminants", title, lambda place: _draw_discriminants(place, result, cohort), table)


def stage_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """The out-of-fold stage axis by stage."""
    title = "Stage axis by stage, out of fold"
    result = findings.gradient
    if result is None:
        return absent(letter, "stage_axis", title, findings.refused.get("gradient", ""))
    test = "Mann-Whitney" if len(np.unique(result.stage)) == 2 else "Jonckheere-Terpstra"
    note = f"{rho_text(result)}\n{test}: {p_words(result.trend_p_permutation, 'one-sided')}, not adjusted"
    table = _cases(result, cohort).assign(score=result.score)
    return Panel(
        letter, "stage_axis", title, lambda place: _draw_by_stage(place, result, result.score, cohort, note), table
    )


def size_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """The stage axis against the size of the tumour."""
    title = "Stage axis and tumour size"
    result = findings.gradient
    if result is None or result.size is None:
        return absent(letter, "size", title, NO_SIZE if result else findings.refused.get("gradient", ""))
    label = gradient_figure.with_unit(cohort.size_name, cohort.size_unit)
    table = _cases(result, cohort).assign(**{label: result.size, "score": result.score})
    return Panel(letter, "size", title, lambda place: _draw_size(place, result, label), table)


def residual_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """The axis fitted to vectors from which size and covariates were regressed out."""
    names = [
        *([cohort.size_name.lower()] if cohort.size is not None else []),
        *map(columns.label, cohort.covariate_columns),
    ]
    result = findings.gradient
    title = "Stage axis after " + (" and ".join(names) if len(names) < 3 else f"size and {len(names) - 1} covariates")
    if result is None or result.residual is None:
        missing = NO_SIZE if result else findings.refused.get("gradient", "")
        return absent(letter, "after_size", "Stage axis after size", missing)
    residual = result.residual
    note = rho_text(residual)
    table = _cases(result, cohort).assign(score_after_adjustment=residual.score)
    return Panel(
        letter, "after_size", title, lambda place: _draw_by_stage(place, result, residual.score, cohort, note), table
    )


def matched_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """The permutation among cases of similar size, and beside it the axis asked in every way."""
    title = "What is left at similar size"
    result = findings.gradient
    if result is None:
        return absent(letter, "size_matched", title, findings.refused.get("gradient", ""))
    if result.size_matched is None:
        title = gradient_figure.HOW_ASKED
    return Panel(
        letter,
        "size_matched",
        title,
        lambda place: _draw_matched(place, result, taken_out(cohort)),
        gradient_figure.evidence_data(result, taken_out(cohort)),
        missing="" if result.size_matched else _why_unmatched(result),
        width_mm=183.0,
        height_mm=66.0,
    )


def group_table(result: StageGradient, cohort: AnalysedCohort) -> pd.DataFrame:
    """One row a stage: cases, patients, and the quartiles of the out-of-fold score."""
    names = stage_names(cohort)
    rows = [(names[one.stage], one.n, one.n_patients, one.q25, one.median, one.q75) for one in result.groups]
    return pd.DataFrame(rows, columns=["stage", "cases", "patients", "lower quartile", "median", "upper quartile"])


def null_table(result: StageGradient) -> pd.DataFrame:
    """One row a permutation: rho of the plain test, after adjustment, and at similar size."""
    parts = {"out_of_fold": result, "after_adjustment": result.residual, "at_like_size": result.size_matched}
    return pd.DataFrame({name: part.null for name, part in parts.items() if part is not None})


def taken_out(cohort: AnalysedCohort) -> str:
    """What was regressed out of the vectors: size, covariates, or both."""
    return gradient_figure.taken_out_words(size=cohort.size is not None, covariates=cohort.covariates is not None)


def rho_text(part: AxisEvidence) -> str:
    """Spearman's rho with interval and permutation p, for print, on two lines."""
    rho = f"Spearman {part.rho:z.2f} [{part.rho_low:z.2f}, {part.rho_high:z.2f}]"
    return f"{rho},\n{p_words(part.p_permutation, 'one-sided', part.adjusted)}"


def stage_names(cohort: AnalysedCohort) -> Mapping[float, str]:
    """Code -> name, as the figures take it."""
    return {float(code): name for code, name in enumerate(cohort.stage_names)}


def _cases(result: StageGradient, cohort: AnalysedCohort) -> pd.DataFrame:
    names = stage_names(cohort)
    return pd.DataFrame(
        {
            "case_id": cohort.frame["case_id"],
            "patient_id": cohort.frame["patient_id"],
            "stage": [names[code] for code in result.stage],
        }
    )


def _draw_by_stage(
    place: Place, result: StageGradient, score: NDArray[np.float64], cohort: AnalysedCohort, note: str
) -> None:
    axes = place.subplots()
    by_stage.violin_panel(axes, score, result.stage, names=stage_names(cohort))
    axes.set_ylabel("Score (stage steps)")
    statistic(axes, note)
    small_ticks(axes)
    labels = [text.get_text() for text in axes.get_xticklabels()]
    if len(labels) * max(len(line) for text in labels for line in text.split("\n")) > 44:
        axes.set_xticks(range(len(labels)), [_one_line(text) for text in labels], rotation=40, ha="right")


def _one_line(label: str) -> str:
    name, _, count = label.partition("\nn = ")
    return f"{shortened(name, 16)} ({count})"


def _draw_size(place: Place, result: StageGradient, label: str) -> None:
    axes = place.subplots()
    gradient_figure.print_size_panel(axes, result, label)
    axes.set_ylabel("Score (stage steps)")
    statistic(axes, f"Spearman {result.size_rho:z.2f} [{result.size_rho_low:z.2f}, {result.size_rho_high:z.2f}]")
    small_ticks(axes)


def _draw_discriminants(place: Place, result: StageGradient, cohort: AnalysedCohort) -> None:
    axes = place.subplots()
    levels, names = np.unique(result.stage), stage_names(cohort)
    marks = stage_marks(len(levels))
    for level, mark in zip(levels, marks, strict=True):
        rows = result.stage == level
        label = f"{names[level]} ({rows.sum()})"
        if result.discriminants.shape[1] > 1:
            _scatter(axes, result.discriminants[rows], mark, label)
        else:
            _density(axes, result.discriminants[rows, 0], mark, label)
    axes.set_xlabel(LD1)
    if result.discriminants.shape[1] > 1:
        axes.set_ylabel(LD2)
    else:
        axes.set_ylabel("Density")
    statistic(axes, f"along the stages: {rho_text(result.lda)}")
    small_ticks(axes)
    legend_below(place, axes.get_legend_handles_labels()[0], columns=min(4, len(levels)))


def _scatter(axes: Axes, points: NDArray[np.float64], mark: Mark, label: str) -> None:
    axes.scatter(
        points[:, 0],
        points[:, 1],
        s=8 if len(points) < 300 else 3,
        c=mark.colour,
        marker=mark.marker,
        linewidths=0.2,
        edgecolors="white",
        label=label,
        rasterized=len(points) > 3000,
    )
    if len(points) < by_stage.MIN_SUMMARISED:
        return
    values, vectors = np.linalg.eigh(np.cov(points.T))
    width, height = 2 * ELLIPSE_SD * np.sqrt(np.clip(values[::-1], 0.0, None))
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    centre = (float(points[:, 0].mean()), float(points[:, 1].mean()))
    for fill, alpha in ((True, 0.08), (False, 1.0)):
        axes.add_patch(
            Ellipse(centre, width, height, angle=angle, fill=fill, color=mark.colour, alpha=alpha, linewidth=0.9)
        )


def _density(axes: Axes, values: NDArray[np.float64], mark: Mark, label: str) -> None:
    """The distribution of one of two groups, its cases as a strip below it."""
    if len(values) >= by_stage.MIN_SUMMARISED and np.ptp(values) > 0:
        margin = 0.3 * np.ptp(values)
        grid = np.linspace(values.min() - margin, values.max() + margin, 200)
        curve = gaussian_kde(values)(grid)
        axes.plot(grid, curve, color=mark.colour, linewidth=1.0)
        axes.fill_between(grid, curve, color=mark.colour, alpha=0.15, linewidth=0)
    row = -0.05 if mark.marker == "o" else -0.1
    axes.scatter(
        values,
        np.full(len(values), row),
        s=8,
        c=mark.colour,
        marker=mark.marker,
        linewidths=0.2,
        edgecolors="white",
        label=label,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )
    axes.set_ylim(bottom=0)
    axes.tick_params(axis="x", pad=12)


def _draw_matched(place: Place, result: StageGradient, removed: str) -> None:
    left, right = place.subplots(1, 2, width_ratios=(1.0, 1.15))
    part = result.size_matched or result
    left.hist(part.null, bins=30, color="#BBBBBB", edgecolor="white", linewidth=0.3)
    left.margins(y=0.16)
    left.axvline(part.rho, color=CATEGORY_COLOURS[1], linewidth=1.4)
    left.set_xlabel("rho at similar size" if result.size_matched else "rho out of fold")
    left.set_ylabel("Permutations")
    how = "exchanged at similar size" if result.size_matched else "all exchanged (no size)"
    statistic(left, f"{how}: {rho_text(part)}")
    left.annotate(
        "observed",
        (part.rho, 0.99),
        xycoords=("data", "axes fraction"),
        xytext=(-3, 0) if part.rho > np.mean(left.get_xlim()) else (3, 0),
        textcoords="offset points",
        ha="right" if part.rho > np.mean(left.get_xlim()) else "left",
        va="top",
        fontsize=SMALL_PT,
        color=CATEGORY_COLOURS[1],
    )
    if result.size_matched is None:
        statistic(right, textwrap.fill(_why_unmatched(result), 46))
    intervals.print_panel(right, gradient_figure.evidence_rows(result, removed), reference=0.0)
    for axes in (left, right):
        small_ticks(axes)
    intervals.print_label(right, gradient_figure.rho_label(result), 70)


def _why_unmatched(result: StageGradient) -> str:
    if result.size is None:
        return NO_SIZE
    said = "No two patients of similar size differ in stage: at similar size nothing can be compared."
    return next((warning for warning in result.warnings if "no test at similar size" in warning), said)
