"""The probe: AUC of each model with its interval, confusion matrix, calibration."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotly.subplots import make_subplots

from embeddings.analysis import Probe

from . import intervals
from .intervals import IntervalRow, p_text
from .theme import (
    DOUBLE_COLUMN_MM,
    INK,
    category_marks,
    finish_print,
    finish_screen,
    legend_below,
    panel_title,
    print_canvas,
)


def screen(result: Probe, *, baseline_name: str = "Size", footer: str | None = None) -> go.Figure:
    """Three panels on screen: AUC with intervals, and under it confusion matrix of the embedding, calibration."""
    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, {}]],
        subplot_titles=["Area under the ROC curve", "Embedding: true and called", "Calibration"],
        row_heights=[0.34, 0.66],
        vertical_spacing=0.17,
        horizontal_spacing=0.16,
    )
    intervals.screen_panel(figure, auc_rows(result, baseline_name), reference=0.5, row=1, col=1)
    figure.update_xaxes(title=_auc_label(result), row=1, col=1)

    share = _row_share(result)
    names = [escape(one) for one in result.classes]
    figure.add_trace(
        go.Heatmap(
            z=share,
            x=names,
            y=[f"{name}<br>n = {n}" for name, n in zip(names, result.n_per_class, strict=True)],
            text=_cell_texts(result, "<br>"),
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}, called %{x}<extra></extra>",
        ),
        row=2,
        col=1,
    )
    figure.update_xaxes(title="Called class", type="category", row=2, col=1)
    figure.update_yaxes(title="True class", type="category", autorange="reversed", row=2, col=1)

    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"dash": "dash", "color": INK, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        ),
        row=2,
        col=2,
    )
    for model, mark in zip(result.models, category_marks(len(result.models)), strict=True):
        figure.add_trace(
            go.Scatter(
                x=[one.predicted for one in model.calibration],
                y=[one.observed for one in model.calibration],
                mode="lines+markers",
                name=escape(f"{_model_name(model.name, baseline_name)}, Brier {model.brier:.3f}"),
                marker={"color": mark.colour, "symbol": mark.symbol, "size": 8},
                line={"color": mark.colour, "width": 1.5},
                text=[f"n = {one.n}" for one in model.calibration],
                hovertemplate="predicted %{x:.2f}, observed %{y:.2f}, %{text}<extra></extra>",
            ),
            row=2,
            col=2,
        )
    figure.update_xaxes(title="Predicted probability", range=[-0.03, 1.03], row=2, col=2)
    figure.update_yaxes(title="Observed share", range=[-0.03, 1.03], row=2, col=2)
    return legend_below(finish_screen(figure, title=_title(result), footer=footer, height=780))


def print_figure(result: Probe, *, baseline_name: str = "Size", footer: str | None = None) -> Figure:
    """The three panels for print, two journal columns wide."""
    figure, panels = print_canvas(width_mm=DOUBLE_COLUMN_MM, height_mm=82.0, panels=3, widths=(1.05, 0.9, 1.0))
    intervals.print_panel(panels[0], auc_rows(result, baseline_name), reference=0.5)
    panels[0].set_xlabel(_auc_label(result))
    panel_title(panels[0], "a", "Area under the ROC curve")
    _print_confusion(panels[1], result)
    panel_title(panels[1], "b", "Embedding: true and called")

    panels[2].plot([0, 1], [0, 1], color="#777777", linewidth=0.6, linestyle="--")
    for model, mark in zip(result.models, category_marks(len(result.models)), strict=True):
        panels[2].plot(
            [one.predicted for one in model.calibration],
            [one.observed for one in model.calibration],
            color=mark.colour,
            marker=mark.marker,
            markersize=3,
            linewidth=0.8,
            label=f"{_model_name(model.name, baseline_name)}, Brier {model.brier:.3f}",
        )
    panels[2].set_xlabel("Predicted probability")
    panels[2].set_ylabel("Observed share")
    panels[2].set_xlim(-0.03, 1.03)
    panels[2].set_ylim(-0.03, 1.03)
    # Below the panel: inside it would lie on the curves.
    panels[2].legend(frameon=False, fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    panel_title(panels[2], "c", "Calibration")
    return finish_print(figure, title=_title(result), footer=footer)


def data(result: Probe, *, baseline_name: str = "Size") -> pd.DataFrame:
    """One row a model and measure, with interval; then the differences of AUC, with p."""
    rows = []
    for model in result.models:
        name = _model_name(model.name, baseline_name)
        for measure, estimate in (
            ("AUC", model.auc),
            ("balanced accuracy", model.balanced_accuracy),
            ("macro F1", model.f1),
            ("PR AUC", model.pr_auc),
        ):
            rows.append((name, measure, estimate.value, estimate.low, estimate.high, np.nan))
        rows.append((name, "Brier score", model.brier, np.nan, np.nan, np.nan))
    for one in result.differences:
        name = f"{_model_name(one.better, baseline_name)} less {_model_name(one.than, baseline_name)}"
        rows.append((name, "difference of AUC", one.value, one.low, one.high, one.p))
    table = pd.DataFrame(rows, columns=["model", "measure", "value", "low", "high", "p"])
    return table.assign(n=result.n, n_patients=result.n_patients)


def confusion_data(result: Probe) -> pd.DataFrame:
    """The embedding's confusion matrix, mean over repeats: true classes by row, called classes by column."""
    table = pd.DataFrame(result.embedding.confusion, columns=[f"called {one}" for one in result.classes])
    table.insert(0, "true", result.classes)
    return table


def calibration_data(result: Probe, *, baseline_name: str = "Size") -> pd.DataFrame:
    """One row a model and bin of like probability: mean predicted, share observed, number of predictions."""
    return pd.DataFrame(
        [
            (_model_name(model.name, baseline_name), one.predicted, one.observed, one.n)
            for model in result.models
            for one in model.calibration
        ],
        columns=["model", "predicted", "observed", "n"],
    )


def auc_rows(result: Probe, baseline_name: str) -> list[IntervalRow]:
    """The lines of the AUC panel; what a model adds to the baseline stands as p beside it."""
    p = {one.better: one.p for one in result.differences}
    return [
        IntervalRow(
            _model_name(model.name, baseline_name).replace(" + ", "\n+ "),
            model.auc.value,
            model.auc.low,
            model.auc.high,
            f"{p_text(p[model.name])} v. {baseline_name.lower()}" if model.name in p else "",
        )
        for model in result.models
    ]


def _print_confusion(axes: Axes, result: Probe) -> None:
    share = _row_share(result)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    texts = _cell_texts(result, "\n")
    for true in range(len(result.classes)):
        for called in range(len(result.classes)):
            colour = "white" if share[true, called] > 0.6 else "black"
            axes.text(called, true, texts[true][called], ha="center", va="center", fontsize=6, color=colour)
    axes.set_xticks(range(len(result.classes)), result.classes)
    labels = [f"{name}\nn = {n}" for name, n in zip(result.classes, result.n_per_class, strict=True)]
    axes.set_yticks(range(len(result.classes)), labels)
    axes.set_xlabel("Called class")
    axes.set_ylabel("True class")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _cell_texts(result: Probe, line_break: str) -> list[list[str]]:
    share = _row_share(result)
    return [
        [f"{count:.1f}{line_break}{part:.0%}" for count, part in zip(counts, parts, strict=True)]
        for counts, parts in zip(result.embedding.confusion, share, strict=True)
    ]


def _row_share(result: Probe) -> np.ndarray:
    confusion = result.embedding.confusion
    return confusion / confusion.sum(axis=1, keepdims=True)


def _model_name(name: str, baseline_name: str) -> str:
    return {
        "embedding": "Embedding",
        "baseline": baseline_name,
        "combined": f"Embedding + {baseline_name.lower()}",
    }[name]


def _auc_label(result: Probe) -> str:
    return "AUC" if len(result.classes) == 2 else f"Macro AUC of {len(result.classes)} classes"


def _title(result: Probe) -> str:
    return (
        f"Linear probe, {result.n} cases of {result.n_patients} patients, "
        f"{result.n_repeats} x {result.n_folds}-fold cross-validation"
    )
