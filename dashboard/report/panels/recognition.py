"""Panels a and b: are similar cases of the same stage, and do the vectors predict the stage?"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from dashboard.figures.style import intervals
from dashboard.figures.style.intervals import IntervalRow
from dashboard.figures.style.theme import category_marks
from dashboard.report.analysis_plan import Findings, NamedRetrieval
from dashboard.report.cohort_selection import AnalysedCohort
from dashboard.report.panels.panel import (
    GREY,
    SMALL_PT,
    Panel,
    Place,
    absent,
    legend_below,
    shortened,
    small_ticks,
    statistic,
)
from embeddings.analysis import Probe, ProbeModel, p_words, verdicts

RETRIEVAL_TITLE = "Retrieval: a case of the same stage among the nearest"
PROBE_TITLE = "Linear probe of stage"
_PROTOCOL_WORDS = {"leave-patient-out": "each patient against all others", "halves": "half against half"}


def retrieval_panel(letter: str, findings: Findings) -> Panel:
    """Recall@k of every set by both protocols, with intervals; a short rule at each is what chance gives."""
    if not findings.retrieval:
        why = next((text for name, text in findings.refused.items() if name.startswith("retrieval")), "")
        return absent(letter, "retrieval", RETRIEVAL_TITLE, why)
    return Panel(
        letter,
        "retrieval",
        RETRIEVAL_TITLE,
        lambda place: _draw_retrieval(place, findings.retrieval),
        retrieval_table(findings.retrieval),
    )


def retrieval_table(found: Sequence[NamedRetrieval]) -> pd.DataFrame:
    """One row a set, protocol and k, with intervals and chance; then the mean average precision."""
    rows = []
    for one in found:
        result = one.result
        known = {"set": one.label, "protocol": result.protocol}
        sizes = {"n": result.n, "n_patients": result.n_patients, "n_splits": result.n_splits}
        for at in result.at_k:
            for name in ("recall", "precision"):
                value, low, high, chance = (getattr(at, name + end) for end in ("", "_low", "_high", "_chance"))
                measure = f"{name.capitalize()}@{at.k}"
                rows.append({**known, "measure": measure, "value": value, "low": low, "high": high, "chance": chance})
                rows[-1] |= sizes
        rows.append(
            {
                **known,
                "measure": "mAP",
                "value": result.mean_average_precision,
                "low": result.mean_average_precision_low,
                "high": result.mean_average_precision_high,
                "chance": result.mean_average_precision_chance,
                **sizes,
            }
        )
    return pd.DataFrame(rows)


def _draw_retrieval(place: Place, found: Sequence[NamedRetrieval]) -> None:
    axes = place.subplots()
    labels = list(dict.fromkeys(one.label for one in found))
    marks = dict(zip(labels, category_marks(len(labels)), strict=True))
    depths = [at.k for at in found[0].result.at_k]
    step = 0.8 / len(found)
    for number, one in enumerate(found):
        mark, hollow = marks[one.label], one.result.protocol == "halves"
        for position, at in enumerate(one.result.at_k):
            x = position - 0.4 + (number + 0.5) * step
            axes.plot([x, x], [at.recall_low, at.recall_high], color=mark.colour, linewidth=1.0, zorder=2)
            axes.plot(
                x,
                at.recall,
                marker=mark.marker,
                markersize=4.5,
                color=mark.colour,
                markerfacecolor="white" if hollow else mark.colour,
                markeredgewidth=0.9,
                linestyle="none",
                zorder=3,
            )
            reach = min(0.42 * step, 0.1)
            axes.plot(
                [x - reach, x + reach],
                [at.recall_chance] * 2,
                color="black",
                linewidth=1.2,
                zorder=4,
            )
            if len(found) <= 4:
                axes.annotate(
                    f"{at.recall:.2f}",
                    (x, at.recall),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=SMALL_PT,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.3},
                    zorder=5,
                )
    axes.set_xticks(range(len(depths)), [f"Recall@{k}" for k in depths])
    axes.set_xlim(-0.5, len(depths) - 0.5)
    axes.set_ylim(0.0, 1.02)
    axes.set_ylabel("Share of cases")
    small_ticks(axes)
    keys = [_key(marks[label].marker, marks[label].colour, label) for label in labels]
    keys += [_key("o", GREY, _PROTOCOL_WORDS["leave-patient-out"])]
    keys += [_key("o", GREY, _PROTOCOL_WORDS["halves"], hollow=True)]
    keys += [Line2D([], [], color="black", linewidth=1.2, label="chance")]
    legend_below(place, keys, columns=3 if len(labels) > 2 else 2)


def _key(marker: str, colour: str, label: str, hollow: bool = False) -> Line2D:
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=marker,
        color=colour,
        markersize=4.5,
        markerfacecolor="white" if hollow else colour,
        markeredgewidth=0.9,
        label=label,
    )


def probe_panel(letter: str, findings: Findings, cohort: AnalysedCohort) -> Panel:
    """Macro AUC and balanced accuracy of embedding, clinical baseline, both, and other sets."""
    if findings.probe is None:
        return absent(letter, "linear_probe", PROBE_TITLE, findings.refused.get("probe", ""))
    probe = findings.probe
    return Panel(
        letter,
        "linear_probe",
        PROBE_TITLE,
        lambda place: _draw_probe(place, probe, findings.compared_probes, cohort),
        probe_table(probe, findings.compared_probes, cohort),
        width_mm=120.0,
    )


def probe_table(probe: Probe, compared: Sequence[tuple[str, Probe]], cohort: AnalysedCohort) -> pd.DataFrame:
    """One row a model and measure with its interval, p of the embedding's AUC one-sided against chance; then the
    differences of AUC, p two-sided; beside each p Holm's over the tests of the probe.
    """
    nan = float("nan")
    rows: list[dict[str, object]] = []
    for name, model, result in _models(probe, compared, cohort):
        for measure, one in (
            ("macro AUC" if len(result.classes) > 2 else "AUC", model.auc),
            ("balanced accuracy", model.balanced_accuracy),
            ("macro F1", model.f1),
            ("PR AUC", model.pr_auc),
        ):
            tested = result is probe and model is result.embedding and one is model.auc
            rows.append({"model": name, "measure": measure, "value": one.value, "low": one.low, "high": one.high})
            rows[-1] |= {"p": probe.p_chance if tested else nan}
            rows[-1] |= {"p_adjusted": probe.chance_adjusted.p if tested else nan}
            rows[-1] |= {"n": result.n, "n_patients": result.n_patients}
    if probe.ordinal is not None:
        kappa = probe.ordinal.kappa
        row = {"model": cohort.label, "measure": "ordinal: weighted kappa", "value": kappa.value, "low": kappa.low}
        rows.append({**row, "high": kappa.high, "p": nan, "p_adjusted": nan, "n": probe.n})
        rows[-1] |= {"n_patients": probe.n_patients}
    names = _model_names(cohort)
    for difference, adjusted in probe.adjusted_differences:
        rows.append(
            {
                "model": f"{names[difference.better]} minus {names[difference.than]}",
                "measure": "difference of AUC",
                "value": difference.value,
                "low": difference.low,
                "high": difference.high,
                "p": difference.p,
                "p_adjusted": adjusted.p,
                "n": probe.n,
                "n_patients": probe.n_patients,
            }
        )
    return pd.DataFrame(rows)


def learning_table(probe: Probe) -> pd.DataFrame:
    """One row a share of the training patients: AUC of the embedding with its interval."""
    rows = [(one.share, one.n_train, one.auc.value, one.auc.low, one.auc.high) for one in probe.learning_curve]
    return pd.DataFrame(rows, columns=["share of patients", "n_train", "auc", "auc_low", "auc_high"])


def _model_names(cohort: AnalysedCohort) -> dict[str, str]:
    # Several columns are named in the methods; a label has no room for them.
    clinical = "clinical baseline" if " + " in cohort.baseline_name else cohort.baseline_name or "baseline"
    return {"embedding": cohort.label, "baseline": clinical, "combined": f"{cohort.label} + {clinical}"}


def _models(
    probe: Probe, compared: Sequence[tuple[str, Probe]], cohort: AnalysedCohort
) -> list[tuple[str, ProbeModel, Probe]]:
    names = _model_names(cohort)
    found = [(names[model.name], model, probe) for model in probe.models]
    return found + [(label, other.embedding, other) for label, other in compared]


def _draw_probe(place: Place, probe: Probe, compared: Sequence[tuple[str, Probe]], cohort: AnalysedCohort) -> None:
    left, right = place.subplots(1, 2, sharey=True, width_ratios=(1.0, 0.85))
    areas, accuracies = [], []
    for name, model, _ in _models(probe, compared, cohort):
        parts = [shortened(part, 30) for part in name.split(" + ")]
        label = textwrap.fill(" + ".join(parts), 20)
        areas.append(IntervalRow(label, model.auc.value, model.auc.low, model.auc.high))
        accuracy = model.balanced_accuracy
        accuracies.append(IntervalRow(label, accuracy.value, accuracy.low, accuracy.high))
    intervals.print_panel(left, areas, reference=0.5)
    chance = 1.0 / len(probe.classes)
    intervals.print_panel(right, accuracies, reference=chance)
    right.tick_params(labelleft=False)
    area = "AUC" if len(probe.classes) == 2 else f"Macro AUC, {len(probe.classes)} stages"
    left.set_xlabel(area)
    right.set_xlabel("Balanced accuracy")
    for axes in (left, right):
        small_ticks(axes)
    statistic(right, f"dashed: chance, {chance:.2f}")
    names = _model_names(cohort)
    lines = []
    if np.isfinite(probe.p_chance):
        p = p_words(probe.p_chance, "one-sided", probe.chance_adjusted)
        lines.append(f"{names['embedding']} against chance: AUC {probe.embedding.auc.value:z.2f}, {p}")
    lines += [verdicts.auc_difference(one, adjusted, names) for one, adjusted in probe.adjusted_differences]
    if lines:
        said = "\n".join(textwrap.fill(line, 88, subsequent_indent="   ") for line in lines)
        place.supxlabel(said, x=0.01, ha="left", fontsize=SMALL_PT)
