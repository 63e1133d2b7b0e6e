"""The probe: AUC of each model with its interval, confusion matrix, calibration, learning curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from dashboard.wording.escaping import in_html
from embeddings.analysis import Estimate, Probe, p_short, verdicts
from embeddings.formatting import of_patients

from .style import intervals
from .style.contrast import cell_texts, text_on
from .style.intervals import IntervalRow
from .style.theme import (
    CATEGORY_COLOURS,
    DOUBLE_COLUMN_MM,
    INK,
    category_marks,
    finish_print,
    finish_screen,
    legend_below,
    panel_title,
    print_canvas,
)

LEARNING_TITLE = "How many labels it takes"
# From the axis of the calibration on screen to its legend: tick labels and title lie between.
LEGEND_BELOW_PX = 64


def screen(result: Probe, *, baseline_name: str = "Size", footer: str | None = None) -> go.Figure:
    """Panels on screen: AUC with intervals, under it confusion matrix of the embedding and calibration, and at
    the bottom the learning curve where there is one.
    """
    learned = bool(result.learning_curve)
    figure = make_subplots(
        rows=3 if learned else 2,
        cols=2,
        specs=[[{"colspan": 2}, None], [{}, {}], *([[{"colspan": 2}, None]] if learned else [])],
        subplot_titles=[
            "Area under the ROC curve",
            confusion_title(result),
            "Calibration",
            *([LEARNING_TITLE] if learned else []),
        ],
        row_heights=[0.24, 0.46, 0.3] if learned else [0.34, 0.66],
        vertical_spacing=0.14 if learned else 0.19,
        horizontal_spacing=0.16,
    )
    intervals.screen_panel(figure, auc_rows(result, baseline_name), reference=0.5, row=1, col=1)
    figure.update_xaxes(title=intervals.screen_label(auc_label_lines(result)), row=1, col=1)

    share = _row_share(result)
    names = [in_html(one) for one in result.classes]
    named = [f"{name}<br>n = {n}" for name, n in zip(names, result.n_per_class, strict=True)]
    figure.add_trace(
        go.Heatmap(
            z=share,
            x=names,
            y=named,
            colorscale="Blues",
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}<extra></extra>",
        ),
        row=2,
        col=1,
    )
    figure.add_trace(cell_texts(share, _cell_texts(result, "<br>"), "Blues", names, named), row=2, col=1)
    figure.update_xaxes(title="Predicted class", type="category", row=2, col=1)
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
                name=in_html(f"{_model_name(model.name, baseline_name)}, Brier {model.brier:.3f}"),
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
    if learned:
        _screen_learning_curve(figure, result, row=3, col=1)
    figure = finish_screen(figure, title=_title(result), footer=footer, height=1150 if learned else 780)
    if not learned:
        return legend_below(figure)
    # Right below the calibration that it belongs to, not below the learning curve.
    inside = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    y = figure.layout.yaxis2.domain[0] - LEGEND_BELOW_PX / inside
    return figure.update_layout(legend={"orientation": "h", "x": 0.0, "y": y, "yanchor": "top"})


def print_figure(result: Probe, *, baseline_name: str = "Size", footer: str | None = None) -> Figure:
    """The panels for print, two journal columns wide; the learning curve, where there is one, in a row below."""
    if result.learning_curve:
        figure, first = print_canvas(width_mm=DOUBLE_COLUMN_MM, height_mm=138.0)
        first[0].remove()
        grid = figure.add_gridspec(2, 6, height_ratios=(1.25, 1.0))
        panels = [figure.add_subplot(grid[0, at : at + 2]) for at in (0, 2, 4)]
        below = figure.add_subplot(grid[1, :4])
        draw_learning_curve(below, result)
        panel_title(below, "d", LEARNING_TITLE)
    else:
        figure, panels = print_canvas(width_mm=DOUBLE_COLUMN_MM, height_mm=82.0, panels=3, widths=(1.05, 0.9, 1.0))
    draw_auc(panels[0], result, baseline_name=baseline_name)
    panel_title(panels[0], "a", "Area under the ROC curve")
    draw_confusion(panels[1], result)
    panel_title(panels[1], "b", confusion_title(result).replace(": ", ":\n"))
    draw_calibration(panels[2], result, baseline_name=baseline_name)
    panel_title(panels[2], "c", "Calibration")
    notes = difference_lines(result, baseline_name)
    return finish_print(figure, title=_title(result), footer=footer, notes=notes)


def draw_auc(axes: Axes, result: Probe, *, baseline_name: str = "Size") -> None:
    """Draw each model's AUC with its interval on matplotlib axes."""
    intervals.print_panel(axes, auc_rows(result, baseline_name), reference=0.5)
    intervals.print_label(axes, auc_label_lines(result), 44)


def draw_confusion(axes: Axes, result: Probe) -> None:
    """Draw the embedding's confusion matrix on matplotlib axes: whole cases, and their share of the true class."""
    share = _row_share(result)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    texts = _cell_texts(result, "\n")
    for true in range(len(result.classes)):
        for called in range(len(result.classes)):
            colour = text_on(to_hex(colormaps["Blues"](share[true, called])))
            axes.text(called, true, texts[true][called], ha="center", va="center", fontsize=6, color=colour)
    axes.set_xticks(range(len(result.classes)), result.classes)
    labels = [f"{name}\nn = {n}" for name, n in zip(result.classes, result.n_per_class, strict=True)]
    axes.set_yticks(range(len(result.classes)), labels)
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def draw_calibration(axes: Axes, result: Probe, *, baseline_name: str = "Size") -> None:
    """Draw observed against predicted shares on matplotlib axes, a line a model, the legend below them."""
    axes.plot([0, 1], [0, 1], color="#777777", linewidth=0.6, linestyle="--")
    for model, mark in zip(result.models, category_marks(len(result.models)), strict=True):
        axes.plot(
            [one.predicted for one in model.calibration],
            [one.observed for one in model.calibration],
            color=mark.colour,
            marker=mark.marker,
            markersize=3,
            linewidth=0.8,
            label=f"{_model_name(model.name, baseline_name)}, Brier {model.brier:.3f}",
        )
    axes.set_xlabel("Predicted probability")
    axes.set_ylabel("Observed share")
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    # Below the panel: inside it would lie on the curves.
    axes.legend(frameon=False, fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.2))


def draw_learning_curve(axes: Axes, result: Probe) -> None:
    """Draw the AUC against the number of training cases on matplotlib axes; there must be a curve."""
    points = result.learning_curve
    n_train = [one.n_train for one in points]
    axes.axhline(0.5, color="#777777", linewidth=0.6, linestyle="--", zorder=0)
    axes.vlines(
        n_train,
        [one.auc.low for one in points],
        [one.auc.high for one in points],
        color=CATEGORY_COLOURS[0],
        linewidth=1.2,
    )
    axes.plot(
        n_train,
        [one.auc.value for one in points],
        color=CATEGORY_COLOURS[0],
        marker="o",
        markersize=4,
        linewidth=0.8,
    )
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(n_train, [f"{one.n_train:.0f}\n{_percent(one.share)}" for one in points])
    axes.set_xlabel("Training cases (share of the training patients)")
    axes.set_ylabel(_auc_label(result))


def data(result: Probe, *, baseline_name: str = "Size") -> pd.DataFrame:
    """One row a model and measure, with interval; p of the embedding's AUC against chance (one-sided) and of the
    differences (two-sided), and Holm's over those that there are.
    """
    nan = float("nan")
    rows: list[tuple[object, ...]] = []
    for model in result.models:
        name = _model_name(model.name, baseline_name)
        for measure, estimate in (
            ("AUC", model.auc),
            ("balanced accuracy", model.balanced_accuracy),
            ("macro F1", model.f1),
            ("PR AUC", model.pr_auc),
        ):
            tested = model is result.embedding and measure == "AUC"
            p = (result.p_chance, result.chance_adjusted.p) if tested else (nan, nan)
            rows.append((name, measure, estimate.value, estimate.low, estimate.high, *p))
        rows.append((name, "Brier score", model.brier, nan, nan, nan, nan))
    if result.ordinal is not None:
        for measure, found in (
            ("quadratic-weighted kappa", result.ordinal.kappa),
            ("mean absolute error (stage steps)", result.ordinal.mean_absolute_error),
        ):
            rows.append(("Embedding, ordinal", measure, found.value, found.low, found.high, nan, nan))
    for one, adjusted in result.adjusted_differences:
        name = f"{_model_name(one.better, baseline_name)} minus {_model_name(one.than, baseline_name)}"
        rows.append((name, "difference of AUC", one.value, one.low, one.high, one.p, adjusted.p))
    table = pd.DataFrame(rows, columns=["model", "measure", "value", "low", "high", "p", "p_adjusted"])
    return table.assign(n=result.n, n_patients=result.n_patients)


def confusion_data(result: Probe) -> pd.DataFrame:
    """The embedding's confusion matrix: true classes by row; cases predicted as each class, whole numbers of the mean
    over repeats, and their share of the true class.
    """
    table = pd.DataFrame(whole_counts(result), columns=[f"predicted {one}" for one in result.classes])
    table.insert(0, "true", result.classes)
    share = pd.DataFrame(_row_share(result), columns=[f"share predicted {one}" for one in result.classes])
    return pd.concat([table, share], axis=1)


def whole_counts(result: Probe) -> NDArray[np.intp]:
    """The confusion matrix [K, K] in whole cases: means over repeats, rounded such that each true class keeps its
    number of cases (largest remainders).
    """
    means = result.embedding.confusion
    counts = np.floor(means + 1e-9)
    missing = np.rint(means.sum(axis=1) - counts.sum(axis=1)).astype(np.intp)
    for row, short in enumerate(missing):
        counts[row, np.argsort(counts[row] - means[row], kind="stable")[:short]] += 1
    return counts.astype(np.intp)


def confusion_title(result: Probe) -> str:
    """What the cells of the confusion matrix are."""
    cells = "cases" if result.n_repeats == 1 else f"mean of {result.n_repeats} repeats, whole cases"
    return f"Embedding, true and predicted: {cells}"


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


def learning_data(result: Probe) -> pd.DataFrame:
    """The learning curve: one row a share of the training patients, with the mean number of cases trained on."""
    return pd.DataFrame(
        [(one.share, one.n_train, one.auc.value, one.auc.low, one.auc.high) for one in result.learning_curve],
        columns=["share", "n_train", "auc", "auc_low", "auc_high"],
    )


def auc_label_lines(result: Probe) -> list[str]:
    """The lines under the AUC panel: the measure, and what the p beside it is."""
    label = f"{_auc_label(result)} (dashed: chance)"
    if not np.isfinite(result.p_chance):
        return [label]
    return intervals.axis_label(label, "one-sided, against chance", result.chance_adjusted)


def difference_lines(result: Probe, baseline_name: str) -> list[str]:
    """Each difference of AUC from the baseline with its direction: a p by itself does not say which is better."""
    names = {model.name: _model_name(model.name, baseline_name) for model in result.models}
    names["baseline"] = baseline_name.lower()
    return [verdicts.auc_difference(one, adjusted, names) for one, adjusted in result.adjusted_differences]


def auc_rows(result: Probe, baseline_name: str) -> list[IntervalRow]:
    """The lines of the AUC panel; a p beside a value is against chance."""
    return [
        IntervalRow(
            _model_name(model.name, baseline_name).replace(" + ", "\n+ "),
            model.auc.value,
            model.auc.low,
            model.auc.high,
            p_short(result.p_chance, result.chance_adjusted) if model is result.embedding else "",
        )
        for model in result.models
    ]


def _screen_learning_curve(figure: go.Figure, result: Probe, *, row: int, col: int) -> None:
    points = result.learning_curve
    n_train = [one.n_train for one in points]
    figure.add_trace(
        go.Scatter(
            x=n_train,
            y=[one.auc.value for one in points],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [one.auc.high - one.auc.value for one in points],
                "arrayminus": [one.auc.value - one.auc.low for one in points],
                "thickness": 2,
            },
            mode="lines+markers",
            marker={"color": CATEGORY_COLOURS[0], "size": 10},
            line={"color": CATEGORY_COLOURS[0], "width": 1.5},
            text=[f"{_percent(one.share)} of the patients, AUC {_interval(one.auc)}" for one in points],
            hovertemplate="%{x:.0f} cases, %{text}<extra></extra>",
            showlegend=False,
        ),
        row=row,
        col=col,
    )
    figure.add_hline(y=0.5, line={"dash": "dash", "color": INK, "width": 1}, row=row, col=col)
    figure.update_xaxes(
        type="log",
        tickvals=n_train,
        ticktext=[f"{one.n_train:.0f}<br>{_percent(one.share)}" for one in points],
        title="Training cases (share of the training patients)",
        row=row,
        col=col,
    )
    figure.update_yaxes(title=_auc_label(result), row=row, col=col)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 1 else "100 %"


def _interval(found: Estimate) -> str:
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def _cell_texts(result: Probe, line_break: str) -> list[list[str]]:
    share = _row_share(result)
    return [
        [f"{count}{line_break}{part:.0%}" for count, part in zip(counts, parts, strict=True)]
        for counts, parts in zip(whole_counts(result), share, strict=True)
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
        f"Linear probe, {of_patients(result.n, result.n_patients)}, "
        f"{result.n_repeats} x {result.n_folds}-fold cross-validation"
    )
